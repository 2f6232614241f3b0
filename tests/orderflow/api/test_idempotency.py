"""The same key and the same request: the same answer, and one effect."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection as database
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory

from orderflow.api import idempotency, tasks
from orderflow.api.errors.problems import Problem
from orderflow.api.idempotency import once
from orderflow.api.models import KeptAnswer
from orderflow.celery import app
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.conftest import ApiAs, MakeOrder
from tests.support.api.problems import ORDERS, problem
from tests.support.threads import another, at_once, held

ORDER = {
    "external_order_number": "PO-1",
    "customer": {"erp_customer_number": "TOMSP", "name": "Toms Spezialitäten"},
    "currency": "EUR",
    "lines": [{"internal_sku": "42", "qty": 1.125, "uom": "ST", "unit_price": 9.80, "description": "Grüße"}],
}


def create(api: APIClient, key: str | None, **changes: Any) -> Any:
    return api.post(ORDERS, ORDER | changes, headers={} if key is None else {"idempotency-key": key})


def test_the_same_request_gets_the_same_answer_to_the_byte(api: APIClient) -> None:
    first = create(api, "k-1")
    assert first.status_code == 201
    assert api.patch(first["Location"], {"notes": "changed meanwhile"}).status_code == 200
    again = create(api, "k-1")
    assert (again.status_code, again.content, again["Location"]) == (201, first.content, first["Location"])
    assert again["Content-Type"] == first["Content-Type"]
    assert DraftOrder.objects.count() == 1


def test_without_a_key_nothing_is_kept(api: APIClient) -> None:
    assert [create(api, None).status_code for _ in range(2)] == [201, 409]
    assert not KeptAnswer.objects.exists()


@pytest.mark.parametrize("changes", [{"currency": "CHF"}, {"external_order_number": "PO-2"}, {"lines": []}], ids=str)
def test_another_request_with_the_key_is_refused(changes: Any, api: APIClient) -> None:
    """S11."""
    create(api, "k-1")
    problem(create(api, "k-1", **changes), 422, "idempotency_key_reused")
    assert DraftOrder.objects.count() == 1


def test_a_key_belongs_to_one_organization(api_as: ApiAs) -> None:
    """S11."""
    globex = Organization.objects.create(name="Globex", slug="globex")
    ours, theirs = create(api_as(), "k-1"), create(api_as(tenant=globex), "k-1", currency="CHF")
    assert (ours.status_code, theirs.status_code) == (201, 201)
    assert ours.json()["id"] != theirs.json()["id"]
    assert set(DraftOrder.objects.values_list("organization__slug", flat=True)) == {"acme", "globex"}


def test_a_key_belongs_to_one_call(api: APIClient, organization: Organization) -> None:
    """S11."""
    order = create(api, "k-1").json()["id"]
    other = once(asked("k-1", {}), organization, "other-call", lambda: Response({"done": True}))
    assert other.data == {"done": True}
    DraftOrder.objects.update(status="APPROVED")
    problem(api.post(f"{ORDERS}{order}/push/", headers={"idempotency-key": "k-1"}), 409, "no_connection")


def test_colleagues_share_a_key_and_who_may_not_call_is_told_nothing(api_as: ApiAs) -> None:
    """S14."""
    first = create(api_as(), "k-1")
    assert create(api_as(Role.OPS), "k-1").content == first.content
    problem(create(api_as(Role.VIEWER), "k-1"), 403, "permission_denied")


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256, "tab\there"])
def test_a_key_that_is_none_is_refused(key: str, api: APIClient) -> None:
    problem(create(api, key), 400, "bad_idempotency_key")
    assert not DraftOrder.objects.exists()


def test_what_is_refused_keeps_nothing(api: APIClient, make_order: MakeOrder) -> None:
    make_order(external_order_number="PO-1")
    problem(create(api, "k-1", currency="Euro"), 422, "invalid")
    problem(create(api, "k-1"), 409, "duplicate_order_number")
    broken = api.generic("POST", ORDERS, "{", "application/json", headers={"idempotency-key": "k-1"})
    problem(broken, 400, "malformed_json")
    assert not KeptAnswer.objects.exists()
    assert create(api, "k-1", external_order_number="PO-2").status_code == 201


def test_a_refusal_that_is_answered_and_not_raised_keeps_nothing(organization: Organization) -> None:
    for status in (409, 201):
        once(asked("k-1", {}), organization, "call", lambda status=status: Response({}, status=status))  # type: ignore[misc]
    assert KeptAnswer.objects.get().status == 201


@pytest.mark.django_db(transaction=True)
def test_a_crash_behind_the_effect_leaves_neither(organization: Organization) -> None:
    """S11."""

    class Crash(Exception):
        pass

    def answer() -> Response:
        Customer.objects.create(organization=organization, erp_customer_number="1", name="One")
        raise Crash

    with pytest.raises(Crash):
        once(asked("k-1", {}), organization, "call", answer)
    assert not Customer.objects.exists()
    assert not KeptAnswer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_make_one_order(api: APIClient) -> None:
    """S11."""
    answers = at_once(lambda: create(another(api), "k-1"))
    statuses = Counter(answer.status_code for answer in answers)
    may_be_told_to_wait = {409} if database.vendor == "postgresql" else set()
    assert {201} <= set(statuses) <= {201} | may_be_told_to_wait, statuses
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "still_running")
            assert answer["Retry-After"] == "1"
    assert DraftOrder.objects.count() == KeptAnswer.objects.count() == 1
    assert AuditEntry.objects.filter(action="create order").count() == 1


@pytest.mark.django_db(transaction=True)
def test_while_the_first_runs_postgresql_says_so_and_sqlite_waits(api: APIClient, organization: Organization) -> None:
    """S11."""
    with held(organization.pk, "create-order", "k-1"):
        meanwhile = create(api, "k-1")
    if database.vendor == "postgresql":
        problem(meanwhile, 409, "still_running")
        assert meanwhile["Retry-After"] == "1"
        assert not DraftOrder.objects.exists()
    else:
        assert meanwhile.status_code == 201
    assert create(api, "k-1").status_code == 201


def test_answers_are_forgotten_after_their_time_in_portions(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(idempotency, "PORTION", 2)
    kept_for = timedelta(hours=settings.IDEMPOTENCY_KEEP_H)
    assert kept_for >= timedelta(hours=24)
    for n, age in enumerate([kept_for + timedelta(minutes=1)] * 5 + [kept_for - timedelta(minutes=1)]):
        KeptAnswer.objects.create(
            organization=organization, call="call", key=f"k-{n}", status=200, body="{}", created_at=timezone.now() - age
        )
    # Three portions and a last look, of two statements each but that, and the expired tokens.
    with django_assert_num_queries(8):
        tasks.forget()
    assert KeptAnswer.objects.get().key == "k-5"


def test_beat_sends_what_workers_know() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= app.tasks.keys()
    assert set(settings.CELERY_TASK_ROUTES) <= app.tasks.keys()
    assert settings.CELERY_TASK_ROUTES[tasks.forget.name] == {"queue": "polls"}


def asked(key: str, body: Any, *, method: str = "POST", path: str = "/api/v1/call/") -> Request:
    make = APIRequestFactory().generic
    return Request(make(method, path, json.dumps(body), "application/json", headers={"idempotency-key": key}))


@pytest.mark.parametrize(
    "change", [{"method": "PUT"}, {"path": "/api/v1/call/2/"}, {"path": "/api/v1/call/?of=2"}], ids=str
)
def test_a_key_belongs_to_one_method_and_address(change: Any, organization: Organization) -> None:
    """S11."""
    once(asked("k-1", {}), organization, "call", lambda: Response({"number": 1}))
    with pytest.raises(Problem) as refused:
        once(asked("k-1", {}, **change), organization, "call", lambda: Response({"number": 2}))
    assert refused.value.code == "idempotency_key_reused"
    assert KeptAnswer.objects.get().body == '{"number":1}'
