"""Two people edit the same row, on any page of the admin: nobody overwrites what they have not seen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client

from connectors.models import ERPConnection
from exports.webhooks.models import WebhookEndpoint
from orderflow.admin.optimistic_locking.forms import SeenAdmin
from orderflow.api.models import ApiToken
from orderflow.orders.models import Customer, DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.support.admin.forms import Form, form_at, form_in
from tests.support.admin.site import actions_of
from tests.support.tenants import Tenant, list_url, log_in, make_order, make_tenant, make_user, page_url
from tests.support.threads import at_once


@dataclass(frozen=True)
class Edit:
    """A field as the form names it, what is entered there, and how to read it from the row afterwards."""

    field: str
    value: str
    read: Callable[[Any], str]


def column(field: str, value: str, attribute: str = "") -> Edit:
    return Edit(field, value, lambda row: str(getattr(row, attribute or field)))


def line(field: str, value: str) -> Edit:
    return Edit(f"lines-0-{field}", value, lambda row: str(getattr(row.lines.get(), field)))


def config(field: str, value: str) -> Edit:
    return Edit(f"config_{field}", value, lambda row: str(row.stored_config()[field]))


MAILS = "notice_recipients"
RECIPIENT = {f"{MAILS}-TOTAL_FORMS": "1", f"{MAILS}-0-email": "new@acme.example"}

# What the first person enters, and the second; of other fields, where the page has two.
EDITS: dict[type[Model], tuple[Edit, Edit]] = {
    Organization: (column("name", "Acme Ltd"), column("name", "Acme Inc")),
    User: (column("first_name", "Ada"), Edit("membership-0-role", "OPS", lambda row: str(row.membership.role))),
    ApiToken: (column("name", "Shop 1"), column("name", "Shop 2")),
    Customer: (column("name", "Chang"), column("erp_customer_number", "C2")),
    DraftOrder: (line("qty", "1000.000"), column("notes", "call first")),
    ERPConnection: (config("export_path", "orders"), column("name", "ERP 2")),
    WebhookEndpoint: (column("url", "https://127.0.0.1/other"), column("name", "Shop")),
}
PAGES = pytest.mark.parametrize("model", EDITS, ids=lambda model: model._meta.label)


@pytest.fixture
def acme(db: None) -> Tenant:
    return make_tenant("acme")


def editable(acme: Tenant, model: type[Model]) -> Any:
    """The tenant's order is under way."""
    return make_order(acme.organization, "PO-1", OrderStatus.READY) if model is DraftOrder else acme.rows[model]


def people(acme: Tenant) -> tuple[Client, Client]:
    ada, bob = Client(), Client()
    for name, client in (("ada", ada), ("bob", bob)):
        client.force_login(make_user(acme.organization, Role.ADMIN, name))
    return ada, bob


def load(client: Client, row: Model) -> Form:
    return form_at(client, page_url(row), id=f"{row._meta.model_name}_form")


def read(page: str, row: Model) -> Form:
    return form_in(page, id=f"{row._meta.model_name}_form")


def send(client: Client, row: Model, form: Form, **entered: Any) -> str:
    response = client.post(page_url(row), form.data(**entered), follow=True)
    assert response.status_code == 200
    return response.content.decode()


def fresh(row: Any) -> Any:
    return type(row)._default_manager.get(pk=row.pk)


def test_every_page_that_can_be_changed_is_tried_here() -> None:
    by_role = {m for m, p in admin.site._registry.items() if getattr(p, "needed_to_change", None) is not None}
    by_state = {DraftOrder}
    assert by_role | by_state == set(EDITS)
    assert all(isinstance(page, SeenAdmin) for page in admin.site._registry.values())


@PAGES
def test_a_stale_form_overwrites_nothing_and_keeps_what_was_entered(model: type[Model], acme: Tenant) -> None:
    """Then a second save, on top of what is shown by now, is possible."""
    row, (ada, bob), (first, second) = editable(acme, model), people(acme), EDITS[model]
    of_ada, of_bob = load(ada, row), load(bob, row)
    send(ada, row, of_ada, **{first.field: first.value})
    assert first.read(fresh(row)) == first.value
    kept = second.read(fresh(row))

    page = send(bob, row, of_bob, **{second.field: second.value})
    assert "Nothing was saved" in page
    assert "by ada at" in page
    assert (first.read(fresh(row)), second.read(fresh(row))) == (first.value, kept)

    again = read(page, row)
    assert again.fields[second.field] == [second.value]
    page = send(bob, row, again)
    assert "Nothing was saved" not in page
    assert second.read(fresh(row)) == second.value
    if first.field != second.field:
        assert first.read(fresh(row)) == first.value


@PAGES
def test_a_form_without_a_version_saves_nothing(model: type[Model], acme: Tenant) -> None:
    row, (ada, _), (edit, _) = editable(acme, model), people(acme), EDITS[model]
    before = edit.read(fresh(row))
    form = load(ada, row)
    for name in [name for name in form.fields if name.startswith("_seen")]:
        del form.fields[name]
    assert "Nothing was saved" in send(ada, row, form, **{edit.field: edit.value})
    assert edit.read(fresh(row)) == before


@PAGES
def test_the_same_form_sent_twice_is_saved_once_and_no_conflict(model: type[Model], acme: Tenant) -> None:
    """A double click, or Back and once more."""
    row, (ada, _), (edit, _) = editable(acme, model), people(acme), EDITS[model]
    form = load(ada, row)
    send(ada, row, form, **{edit.field: edit.value})
    after, lines = fresh(row), AuditEntry.objects.count()
    page = send(ada, row, form, **{edit.field: edit.value})
    assert "saved already" in page
    assert "Nothing was saved" not in page
    assert edit.read(fresh(row)) == edit.value
    assert getattr(fresh(row), "updated_at", None) == getattr(after, "updated_at", None)
    assert AuditEntry.objects.count() == lines


@PAGES
def test_who_saves_twice_in_a_row_is_not_stopped(model: type[Model], acme: Tenant) -> None:
    row, (ada, _), (first, second) = editable(acme, model), people(acme), EDITS[model]
    for edit in (first, second):
        assert "Nothing was saved" not in send(ada, row, load(ada, row), **{edit.field: edit.value})
        assert edit.read(fresh(row)) == edit.value


@PAGES
def test_an_error_in_the_form_is_no_conflict_and_does_not_hide_one(model: type[Model], acme: Tenant) -> None:
    row, (ada, bob), (first, second) = editable(acme, model), people(acme), EDITS[model]
    required = {User: "username", DraftOrder: "lines-0-qty", WebhookEndpoint: "url"}.get(model, "name")
    page = send(bob, row, load(bob, row), **{required: ""})
    assert "Nothing was saved" not in page
    wrong = read(page, row)
    send(ada, row, load(ada, row), **{first.field: first.value})
    page = send(bob, row, wrong, **{required: wrong.fields[required], second.field: second.value})
    assert "Nothing was saved" in page
    assert first.read(fresh(row)) == first.value


@pytest.mark.django_db(transaction=True)
@PAGES
def test_of_two_that_save_at_once_one_is_told(model: type[Model]) -> None:
    """By threads with connections of their own, on either database."""
    acme = make_tenant("acme")
    row, (first, second) = editable(acme, model), EDITS[model]
    clients = people(acme)
    waiting = [(client, load(client, row), edit) for client, edit in zip(clients, (first, second), strict=True)]

    def save() -> str:
        client, form, edit = waiting.pop()
        return send(client, row, form, **{edit.field: edit.value})

    pages = at_once(save, 2)
    assert sum("Nothing was saved" in page for page in pages) == 1
    if first.field != second.field:
        assert [edit.read(fresh(row)) == edit.value for edit in (first, second)].count(True) == 1


def test_a_new_password_is_not_set_over_one_that_was_set_meanwhile(acme: Tenant) -> None:
    (ada, bob), url = people(acme), f"/admin/auth/user/{acme.member.pk}/password/"
    forms = [form_at(client, url, id="user_form") for client in (ada, bob)]
    new = {"password1": "correct horse battery", "password2": "correct horse battery"}
    ada.post(url, forms[0].data(**new))
    other = {"password1": "another staple horse", "password2": "another staple horse"}
    page = bob.post(url, forms[1].data(**other), follow=True).content.decode()
    assert "Nothing was done" in page
    assert "by ada at" in page
    assert User.objects.get(pk=acme.member.pk).check_password("correct horse battery")


def test_a_list_shows_the_version_of_each_row_that_an_action_can_be_run_on(acme: Tenant) -> None:
    client = log_in(acme.organization)
    for model, page in admin.site._registry.items():
        if actions_of(page):
            form = form_at(client, list_url(model), id="changelist-form")
            assert f"_seen-{acme.rows[model].pk}" in form.fields, model
