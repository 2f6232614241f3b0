from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.apps import apps
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection as database
from django.utils import timezone
from rest_framework.test import APIClient

from orderflow.api import tasks
from orderflow.api.models import ApiToken
from orderflow.api.tokens import service as token_service
from orderflow.api.tokens.service import TokenRefused
from orderflow.tenancy.models import Membership, Organization
from orderflow.tenancy.roles import Role
from tests.conftest import ApiAs, MakeOrder
from tests.support.api.problems import ORDERS, problem

TOKEN = "/api/v1/token/"
PASSWORD = " correct horse battery staple "


@pytest.fixture(autouse=True)
def _fresh_throttles() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ops", password=PASSWORD)


def log_in(username: str = "ops", password: str = PASSWORD, **headers: Any) -> Any:
    return APIClient().post(TOKEN, {"username": username, "password": password}, **headers)


def test_a_login_gives_a_token_that_opens_the_api(user: User, api_as: ApiAs) -> None:
    response = log_in()
    assert response.status_code == 200
    assert response.json().keys() == {"token", "expiry"}
    expiry = datetime.fromisoformat(response.json()["expiry"])
    assert timedelta(days=89) < expiry - timezone.now() < timedelta(days=91)
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {response.json()['token']}")
    assert api.get("/api/v1/draft-orders/").status_code == 403
    user.refresh_from_db()
    assert user.last_login is not None


def opens(token: str) -> int:
    """403 for a user of no organization."""
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return int(api.get(ORDERS).status_code)


def test_the_token_is_not_in_the_database(user: User) -> None:
    """S12."""
    token = log_in().json()["token"]
    assert token.startswith("of_")
    assert len(token) >= 3 + 32
    assert token not in str(list(ApiToken.objects.values()))


@pytest.mark.parametrize(
    ("username", "password"), [("ops", "wrong"), ("nobody", PASSWORD), ("ops", PASSWORD.strip()), ("OPS", PASSWORD)]
)
def test_wrong_credentials_all_look_alike(username: str, password: str, user: User) -> None:
    response = log_in(username, password)
    assert "do not match" in problem(response, 401, "invalid_credentials")["detail"]
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_deactivated_user_cannot_log_in(user: User) -> None:
    user.is_active = False
    user.save()
    problem(log_in(), 401, "invalid_credentials")


def test_a_stale_token_in_the_header_keeps_nobody_from_logging_in(user: User) -> None:
    assert log_in(HTTP_AUTHORIZATION="Bearer of_stale").status_code == 200


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/username", "/password"]),
        ({"username": "ops", "password": ""}, ["/password"]),
        ({"username": ["ops"], "password": "x"}, ["/username"]),
        ({"username": "ops", "password": "x" * 1025}, ["/password"]),
        ({"username": "ops", "password": "x", "otp": "1"}, ["/otp"]),
    ],
)
def test_a_login_that_is_not_whole_names_the_fields(body: object, pointers: list[str], user: User) -> None:
    errors = problem(APIClient().post(TOKEN, body), 422, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == pointers


def test_logging_out_ends_this_token_and_no_other(user: User) -> None:
    """S12."""
    first, second = (log_in().json()["token"] for _ in range(2))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {first}")
    assert api.delete(TOKEN).status_code == 204
    assert api.delete(TOKEN).status_code == 401
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {second}")
    assert api.delete(TOKEN).status_code == 204


def test_an_expired_token_opens_nothing_and_people_can_see_that_for_a_while(user: User) -> None:
    """S12."""
    first, second = (log_in().json()["token"] for _ in range(2))
    ApiToken.objects.filter(token_key=first[:15]).update(expiry=timezone.now() - timedelta(seconds=1))
    assert [opens(token) for token in (first, second)] == [401, 403]
    assert ApiToken.objects.count() == 2
    ApiToken.objects.filter(token_key=first[:15]).update(expiry=timezone.now() - timedelta(days=29))
    tasks.forget()
    assert ApiToken.objects.count() == 2
    ApiToken.objects.filter(token_key=first[:15]).update(expiry=timezone.now() - timedelta(days=31))
    tasks.forget()
    assert ApiToken.objects.get().token_key == second[:15]


def test_a_login_says_what_its_token_is_for(user: User) -> None:
    token = log_in().json()["token"]
    row = ApiToken.objects.get()
    assert (row.name, row.user, row.token_key) == ("Log-in", user, token[:15])


def test_the_role_of_the_user_decides_at_every_call(user: User, organization: Organization) -> None:
    """S12, S14."""
    membership = Membership.objects.create(user=user, organization=organization, role=Role.OPS)
    token = log_in().json()["token"]
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert api.post(ORDERS, {}).status_code == 201
    Membership.objects.update(role=Role.VIEWER)
    assert "Your role is Viewer" in problem(api.post(ORDERS, {}), 403, "permission_denied")["detail"]
    assert api.get(ORDERS).status_code == 200
    membership.delete()
    assert "belongs to no organization" in problem(api.get(ORDERS), 403, "permission_denied")["detail"]
    User.objects.update(is_active=False)
    problem(api.get(ORDERS), 401, "authentication_failed")


def test_a_token_of_a_user_who_moved_opens_the_other_organization_only(
    user: User, organization: Organization, make_order: MakeOrder
) -> None:
    """S1."""
    Membership.objects.create(user=user, organization=organization, role=Role.OPS)
    token = log_in().json()["token"]
    order = make_order()
    Membership.objects.update(organization=Organization.objects.create(name="Globex", slug="globex"))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert api.get(ORDERS).json()["results"] == []
    assert api.get(f"{ORDERS}{order.pk}/").status_code == 404


def test_a_revoked_token_opens_nothing(user: User) -> None:
    """S12."""
    first, second = (log_in().json()["token"] for _ in range(2))
    token_service.revoke(ApiToken.objects.get(token_key=first[:15]), actor="test")
    assert [opens(token) for token in (first, second)] == [401, 403]
    with pytest.raises(TokenRefused, match="gone already"):
        token_service.revoke(ApiToken(pk=uuid4(), user=user, name="x"), actor="test")


def test_the_last_use_is_noted_at_most_once_in_five_minutes(user: User) -> None:
    token = log_in().json()["token"]
    row = ApiToken.objects.get()
    assert row.last_used_at is None
    noon = timezone.now().replace(microsecond=0)
    for minutes, noted in ((0, 0), (4, 0), (6, 6), (10, 6), (12, 12)):
        with time_machine.travel(noon + timedelta(minutes=minutes), tick=False):
            opens(token)
        row.refresh_from_db()
        assert row.last_used_at == noon + timedelta(minutes=noted)


def test_a_refused_token_is_not_used(user: User) -> None:
    token = log_in().json()["token"]
    User.objects.update(is_active=False)
    assert opens(token) == 401
    assert ApiToken.objects.get().last_used_at is None


def test_a_call_finds_out_who_asks_in_one_query(api: APIClient, django_assert_num_queries: Any) -> None:
    ApiToken.objects.update(last_used_at=timezone.now())
    with django_assert_num_queries(1):
        assert api.get("/api/v1/connector-types/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_tokens_of_before_go_on_working(user: User) -> None:
    """Knox's own table was used first; while it is there, PostgreSQL lets nobody delete a user."""
    token = log_in().json()["token"]
    made = ApiToken.objects.values("created", "expiry", "digest").get()
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE knox_authtoken AS SELECT digest, token_key, user_id, created, expiry FROM api_apitoken"
        )
    ApiToken.objects.all().delete()
    assert opens(token) == 401
    with database.schema_editor() as editor:
        import_module("orderflow.api.migrations.0002_tokens_of_knox").take_over(apps, editor)
    assert opens(token) == 403
    assert ApiToken.objects.values("created", "expiry", "digest").get() == made
    assert "knox_authtoken" not in database.introspection.table_names()


def test_guessing_is_throttled_by_address_whatever_the_caller_says_of_it(user: User) -> None:
    """S15."""
    answers = [log_in(f"user-{n}", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}") for n in range(61)]
    assert [answer.status_code for answer in answers] == [401] * 60 + [429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    problem(answers[-1], 429, "throttled")


def test_guessing_at_one_account_is_throttled_and_keeps_its_owner_from_nothing(user: User) -> None:
    """S15."""
    answers = [log_in("ops", "wrong", REMOTE_ADDR="203.0.113.7") for n in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert log_in(REMOTE_ADDR="198.51.100.20").status_code == 200
