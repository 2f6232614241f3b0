"""Nothing is approved, pushed or done that the person did not see: every button and every action on a list."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client

from connectors.models import ConnectionTest, ERPConnection
from exports.bulk.models import BulkJob
from exports.incidents.models import Incident
from exports.models import AckFile, ERPExport
from exports.webhooks.models import WebhookEndpoint, WebhookMessage
from orderflow.api.models import ApiToken
from orderflow.orders import approval, editing
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.audit import record
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.support.admin.forms import form_at
from tests.support.admin.site import actions_of
from tests.support.tenants import Tenant, list_url, make_order, make_tenant, make_user, page_url
from tests.support.threads import at_once

# A change of each row that its buttons are about; the audit has it as Carol's.
CHANGES: dict[type[Model], dict[str, Any]] = {
    DraftOrder: {"notes": "changed"},
    ERPConnection: {"status": "DISABLED"},
    ERPExport: {"erp_order_id": "SO-1"},
    AckFile: {"reason": "changed"},
    BulkJob: {"state": "DONE"},
    ApiToken: {"name": "Another"},
    WebhookEndpoint: {"url": "https://127.0.0.1/changed"},
    WebhookMessage: {"tries": 3},
    Incident: {"reason": "changed"},
    Organization: {"name": "Renamed"},
}
ACTIONS = sorted(
    ((model, action) for model, page in admin.site._registry.items() for action in actions_of(page)),
    key=lambda pair: (pair[0]._meta.label, pair[1]),
)
EACH_ACTION = pytest.mark.parametrize(("model", "action"), ACTIONS, ids=str)


@pytest.fixture
def acme(db: None) -> Tenant:
    return make_tenant("acme")


@pytest.fixture
def bob(acme: Tenant) -> Client:
    client = Client()
    client.force_login(make_user(acme.organization, Role.ADMIN, "bob"))
    return client


@pytest.fixture
def ready(acme: Tenant) -> DraftOrder:
    return make_order(acme.organization, "PO-1", OrderStatus.READY)


def change(row: Model, organization: Any) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(**CHANGES[type(row)])
    record(organization.pk, "carol", "edit", row, fields="something")


def everything(row: Model) -> dict[str, Any]:
    found: dict[str, Any] = type(row)._default_manager.filter(pk=row.pk).values().get()
    return found


def seen_at(client: Client, row: Model) -> dict[str, str]:
    """What a button of the page sends."""
    form = form_at(client, page_url(row), id=f"{row._meta.model_name}_form")
    return {"_seen": form.fields["_seen"][0]}


def press(client: Client, row: Model, action: str, seen: dict[str, str], **data: str) -> str:
    return client.post(page_url(row, "do", action), {**seen, **data}, follow=True).content.decode()


def listed(client: Client, model: type[Model]) -> dict[str, list[str]]:
    fields = form_at(client, list_url(model), id="changelist-form").fields
    return {name: value for name, value in fields.items() if name.startswith("_seen-")}


def choose(client: Client, action: str, seen: dict[str, list[str]], *rows: Model, **data: str) -> str:
    data = {"action": action, **data}
    sent = {**data, **seen, "_selected_action": [row.pk for row in rows]}
    return client.post(list_url(type(rows[0])), sent, follow=True).content.decode()


@EACH_ACTION
@pytest.mark.parametrize("stale", [True, False], ids=["changed", "without a version"])
def test_a_button_does_nothing_to_a_row_that_changed(
    model: type[Model], action: str, stale: bool, acme: Tenant, bob: Client
) -> None:
    row = acme.rows[model]
    seen = seen_at(bob, row) if stale else {}
    change(row, acme.organization)
    before, entries, tests = everything(row), AuditEntry.objects.count(), ConnectionTest.objects.count()
    page = press(bob, row, action, seen, reason="x")
    assert "Nothing was done" in page
    assert "by carol at" in page or not stale
    assert everything(row) == before
    assert (AuditEntry.objects.count(), ConnectionTest.objects.count()) == (entries, tests)


@EACH_ACTION
@pytest.mark.parametrize("stale", [True, False], ids=["changed", "without a version"])
def test_an_action_on_a_list_leaves_out_a_row_that_changed(
    model: type[Model], action: str, stale: bool, acme: Tenant, bob: Client
) -> None:
    row = acme.rows[model]
    seen = listed(bob, model) if stale else {}
    change(row, acme.organization)
    before, entries, tests = everything(row), AuditEntry.objects.count(), ConnectionTest.objects.count()
    page = choose(bob, action, seen, row, confirmed="yes")
    assert "1 left out, changed since the list was loaded." in page
    assert "by carol at" in page or not stale
    assert everything(row) == before
    assert (AuditEntry.objects.count(), ConnectionTest.objects.count()) == (entries, tests)


def test_of_many_rows_those_that_did_not_change_are_done(acme: Tenant, bob: Client) -> None:
    orders = [make_order(acme.organization, f"PO-{n}", OrderStatus.READY) for n in range(3)]
    seen = listed(bob, DraftOrder)
    editing.edit(orders[1], {"notes": "later"}, actor="carol")
    page = choose(bob, "approve", seen, *orders)
    assert "2 orders approved." in page
    assert "PO-1: Edit order by carol at" in page
    assert [everything(order)["status"] for order in orders] == ["APPROVED", "READY", "APPROVED"]


def test_what_changes_between_the_list_and_its_confirmation_stays(acme: Tenant, bob: Client) -> None:
    orders = [make_order(acme.organization, f"PO-{n}", OrderStatus.APPROVED) for n in range(2)]
    data = {"action": "push", "_selected_action": [order.pk for order in orders], **listed(bob, DraftOrder)}
    confirmation = bob.post(list_url(DraftOrder), data)
    hidden: dict[str, list[str]] = {}
    for name, value in confirmation.context["hidden"]:
        hidden.setdefault(name, []).append(str(value))
    Customer.objects.filter(draft_orders=orders[0]).update(name="Renamed")
    page = bob.post(list_url(DraftOrder), {**hidden, "confirmed": "yes"}, follow=True).content.decode()
    assert "2 left out" in page
    assert [everything(order)["status"] for order in orders] == ["APPROVED", "APPROVED"]


MEANWHILE: dict[str, Callable[[DraftOrder], object]] = {
    "the API edits": lambda order: editing.edit(order, {"notes": "new"}, actor="carol"),
    "the API replaces the lines": lambda order: editing.edit(
        order, {"lines": [{"line_no": 1, "internal_sku": "42", "qty": 99, "uom": "ST"}]}, actor="carol"
    ),
    "somebody writes a line": lambda order: DraftOrderLine.objects.filter(order=order).update(qty=99),
    "somebody deletes a line": lambda order: DraftOrderLine.objects.filter(order=order).delete(),
    "somebody adds a line": lambda order: DraftOrderLine.objects.create(order=order, line_no=2, qty=1),
    "the customer is renamed": lambda order: Customer.objects.filter(draft_orders=order).update(name="New"),
    "somebody rejects it": lambda order: approval.reject(order, "carol"),
}


@pytest.mark.parametrize("meanwhile", MEANWHILE.values(), ids=MEANWHILE)
def test_an_order_is_approved_as_it_was_seen_or_not_at_all(
    meanwhile: Callable[[DraftOrder], object], ready: DraftOrder, bob: Client
) -> None:
    seen = seen_at(bob, ready)
    meanwhile(ready)
    assert "Nothing was done" in press(bob, ready, "approve", seen)
    assert everything(ready)["status"] != "APPROVED"
    assert not ERPExport.objects.filter(draft_order=ready).exists()


def test_a_double_click_does_it_once_and_says_who_did_it(ready: DraftOrder, bob: Client) -> None:
    seen = seen_at(bob, ready)
    press(bob, ready, "approve", seen)
    page = press(bob, ready, "approve", seen)
    assert "Nothing was done" in page
    assert "Approve by you at" in page
    assert everything(ready)["status"] == "APPROVED"
    assert AuditEntry.objects.filter(action="approve", subject_id=str(ready.pk)).count() == 1


def test_a_token_is_revoked_once_by_a_double_click(acme: Tenant, bob: Client) -> None:
    seen, url = seen_at(bob, acme.token), page_url(acme.token, "do", "revoke")
    bob.post(url, {**seen, "reason": "x"})
    page = bob.post(url, {**seen, "reason": "x"}, follow=True).content.decode()
    assert "token is gone. Revoke api token by you at" in page
    stranger = Client()
    stranger.force_login(make_user(make_tenant("globex").organization, Role.ADMIN, "eve"))
    assert stranger.post(url, {**seen, "reason": "x"}).status_code == 404


def test_a_new_secret_does_not_replace_one_that_was_just_made(acme: Tenant, bob: Client) -> None:
    seen = seen_at(bob, acme.webhook)
    press(bob, acme.webhook, "new_secret", seen)
    made = WebhookEndpoint.objects.get().secret()
    assert "Nothing was done" in press(bob, acme.webhook, "new_secret", seen)
    assert WebhookEndpoint.objects.get().secret() == made


def test_a_connections_rest_does_not_count_as_a_change(acme: Tenant, bob: Client) -> None:
    """How its server does is not what people edit."""
    seen = seen_at(bob, acme.connection)
    ERPConnection.objects.update(failures_in_a_row=2, last_test_message="Refused.", revision=9)
    assert "Nothing was done" not in press(bob, acme.connection, "test", seen)
    assert ConnectionTest.objects.count() == 1


def test_a_key_that_no_test_showed_is_not_accepted(acme: Tenant, bob: Client) -> None:
    """Nor one of the server that the connection led to before."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"
    url, row = f"/admin/connectors/erpconnection/{acme.connection.pk}/host-key/", acme.connection

    def accept() -> str:
        return bob.post(url, {**seen_at(bob, row), "host_key": key}, follow=True).content.decode()

    assert "No test since the last edit showed this host key" in accept()
    ConnectionTest.objects.create(
        connection=row, organization=acme.organization, state="FAILED", has_edits=False, host_key=key,
        asked_by="bob", asked_at=row.updated_at,
    )  # fmt: skip
    assert "No test since the last edit showed this host key" in accept()
    row.refresh_from_db()
    assert not row.stored_config().get("host_key")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("actions", [("approve", "approve"), ("approve", "reject")], ids=" and ".join)
def test_of_two_buttons_at_once_one_is_pressed(actions: tuple[str, str]) -> None:
    acme = make_tenant("acme")
    order = make_order(acme.organization, "PO-1", OrderStatus.READY)
    waiting = []
    for name, action in zip(("ada", "bob"), actions, strict=True):
        client = Client()
        client.force_login(make_user(acme.organization, Role.ADMIN, name))
        waiting.append((client, seen_at(client, order), action))

    def run() -> str:
        client, seen, action = waiting.pop()
        return press(client, order, action, seen)

    assert sum("Nothing was done" in page for page in at_once(run, 2)) == 1
    assert AuditEntry.objects.filter(subject_id=str(order.pk)).count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_approval_and_an_edit_at_once_never_approve_the_unseen() -> None:
    acme = make_tenant("acme")
    order = make_order(acme.organization, "PO-1", OrderStatus.READY)
    client = Client()
    client.force_login(make_user(acme.organization, Role.ADMIN, "bob"))
    for number in range(10):
        DraftOrder.objects.filter(pk=order.pk).update(status="READY")
        seen = seen_at(client, order)
        tasks: list[Callable[[], object]] = [
            lambda seen=seen: press(client, order, "approve", seen),  # type: ignore[misc]
            lambda number=number: editing.edit(order, {"notes": f"edit {number}"}, actor="carol"),  # type: ignore[misc]
        ]
        at_once(lambda tasks=tasks: tasks.pop()(), 2)  # type: ignore[misc]
        # Edited first: not approved. Approved first: the edit took the approval back.
        assert everything(order)["status"] == "READY"
