"""What holds for every page of the admin, also for one that is added later: the cases come from the registry."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection as database
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, reverse

from connectors.models import ERPConnection
from exports.bulk.models import BulkJob
from exports.incidents.models import Incident
from exports.models import AckFile, ERPExport
from exports.webhooks.models import WebhookEndpoint, WebhookMessage
from orderflow.admin.scoped import ScopedAdmin, ScopedModelAdmin
from orderflow.api.models import ApiToken
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.support.admin.site import BY_LABEL, MODELS, actions_of
from tests.support.tenants import Tenant, list_url, log_in, log_in_superuser, make_tenant, page_url

EDITORS = {Role.ADMIN, Role.INTEGRATOR, Role.OPS}
MAY_ADD: dict[type[Model], set[Role]] = {
    Organization: set(),
    User: {Role.ADMIN},
    ApiToken: {Role.ADMIN},
    AuditEntry: set(),
    Customer: EDITORS,
    DraftOrder: EDITORS,
    ERPConnection: {Role.ADMIN, Role.INTEGRATOR},
    ERPExport: set(),
    AckFile: set(),
    BulkJob: set(),
    WebhookEndpoint: {Role.ADMIN, Role.INTEGRATOR},
    WebhookMessage: set(),
    Incident: set(),
}
# The order of a tenant is under way, so nobody may change it.
MAY_CHANGE = MAY_ADD | {Organization: {Role.ADMIN}, DraftOrder: set()}
MAY_RUN = {
    (DraftOrder, "approve"): {Role.ADMIN, Role.OPS},
    (DraftOrder, "reject"): {Role.ADMIN, Role.OPS},
    (DraftOrder, "reopen"): {Role.ADMIN, Role.OPS},
    (DraftOrder, "push"): {Role.ADMIN, Role.OPS},
    (DraftOrder, "retry"): {Role.ADMIN, Role.OPS},
    (ERPConnection, "test"): EDITORS,
    (ERPConnection, "resume"): EDITORS,
    (ERPConnection, "make_folders"): {Role.ADMIN, Role.INTEGRATOR},
    (ERPExport, "retry"): {Role.ADMIN, Role.OPS},
    (ERPExport, "give_up"): {Role.ADMIN, Role.OPS},
    (ERPExport, "withdraw"): {Role.ADMIN, Role.OPS},
    (ERPExport, "stop_sending"): {Role.ADMIN, Role.OPS},
    (ERPExport, "mark_delivered"): {Role.ADMIN, Role.OPS},
    (ERPExport, "mark_not_delivered"): {Role.ADMIN, Role.OPS},
    (AckFile, "read_again"): {Role.ADMIN, Role.OPS},
    (AckFile, "resolve"): {Role.ADMIN, Role.OPS},
    (AckFile, "mark_taken"): {Role.ADMIN, Role.OPS},
    (AckFile, "mark_not_taken"): {Role.ADMIN, Role.OPS},
    (Incident, "resolve"): {Role.ADMIN, Role.OPS},
    (BulkJob, "stop"): {Role.ADMIN, Role.OPS},
    (ApiToken, "revoke"): {Role.ADMIN},
    (Organization, "send_test_email"): {Role.ADMIN},
    (WebhookEndpoint, "test"): {Role.ADMIN, Role.INTEGRATOR},
    (WebhookEndpoint, "new_secret"): {Role.ADMIN, Role.INTEGRATOR},
    (WebhookEndpoint, "end_old_secrets"): {Role.ADMIN, Role.INTEGRATOR},
    (WebhookMessage, "send_again"): {Role.ADMIN, Role.INTEGRATOR},
}
# What a page shows at once, because it is shown only once.
SHOWN_AT_ONCE = {"new_secret"}
# What asks for a reason on a page of its own.
ASKED_ABOUT = {"withdraw"}


@pytest.fixture
def acme(db: None) -> Tenant:
    return make_tenant("acme")


@pytest.fixture
def globex(db: None) -> Tenant:
    return make_tenant("globex")


def url_names_of_a_row(model: type[Model]) -> list[str]:
    """Every view of the page that takes a row: Django's own and ours."""
    patterns: list[URLPattern] = admin.site._registry[model].get_urls()
    return [str(p.name) for p in patterns if p.name and {"object_id", "id"} & set(p.pattern.converters)]


def url_of_a_row(name: str, row: Model) -> str:
    return reverse(f"admin:{name}", args=[row.pk, "anything"] if name.endswith("_do") else [row.pk])


def test_the_tables_here_know_every_page(acme: Tenant) -> None:
    assert set(MODELS) == set(acme.rows) == set(MAY_ADD) == set(MAY_CHANGE)
    actions = {(m, a) for m, page in admin.site._registry.items() for a in actions_of(page)}
    assert actions == set(MAY_RUN)


@BY_LABEL
def test_every_page_and_inline_is_scoped(model: type[Model], rf: RequestFactory) -> None:
    """S1."""
    page = admin.site._registry[model]
    assert isinstance(page, ScopedModelAdmin)
    assert all(issubclass(inline, ScopedAdmin) for inline in page.get_inlines(rf.get("/"), None))


@BY_LABEL
def test_no_page_tells_of_another_organization(model: type[Model], acme: Tenant, globex: Tenant) -> None:
    """S1. Lists, filters, choices of add and change pages."""
    client, own = log_in(acme.organization), acme.rows[model]
    pages = [list_url(model), page_url(own), page_url(own, "history")]
    if model in (User, ApiToken, Customer, DraftOrder, ERPConnection, WebhookEndpoint):
        pages += [list_url(model, "add"), list_url(model, "add") + "?connector_type=DROPZONE_JSON_V1"]
    for page in pages:
        response = client.get(page)
        assert response.status_code == 200, page
        assert "globex" not in response.content.decode().lower(), page
        assert page_url(globex.rows[model]) not in response.content.decode(), page
    assert page_url(own) in client.get(list_url(model)).content.decode()


@BY_LABEL
@pytest.mark.parametrize("role", Role)
def test_another_organizations_row_is_404(model: type[Model], role: Role, acme: Tenant, globex: Tenant) -> None:
    """S1. By every view that takes a row, and for every role: nobody learns from a 403 that the row exists."""
    client, names = log_in(acme.organization, role), url_names_of_a_row(model)
    assert len(names) >= 3
    for name in names:
        assert client.post(url_of_a_row(name, globex.rows[model])).status_code == 404, name
        assert client.get(url_of_a_row(name, globex.rows[model])).status_code in (404, 405), name


@pytest.mark.parametrize(("model", "action"), MAY_RUN, ids=str)
def test_a_list_action_passes_over_another_organizations_rows(
    model: type[Model], action: str, acme: Tenant, globex: Tenant
) -> None:
    """S1."""
    row = globex.rows[model]
    before = model._default_manager.filter(pk=row.pk).values().get()
    entries = AuditEntry.objects.count()
    client = log_in(acme.organization)
    response = client.post(list_url(model), {"action": action, "_selected_action": [row.pk]}, follow=True)
    assert response.status_code == 200
    assert model._default_manager.filter(pk=row.pk).values().get() == before
    assert AuditEntry.objects.count() == entries


def test_choices_that_are_searched_for_are_the_own(acme: Tenant, globex: Tenant) -> None:
    """S1."""
    query = {"app_label": "orders", "model_name": "draftorder", "field_name": "customer", "term": "Customer of"}
    answer = log_in(acme.organization).get(reverse("admin:autocomplete"), query).json()
    assert [choice["text"] for choice in answer["results"]] == ["C1 Customer of acme"]


@BY_LABEL
@pytest.mark.parametrize("role", Role)
def test_adding_and_changing_go_by_the_role(model: type[Model], role: Role, acme: Tenant) -> None:
    """S14."""
    client = log_in(acme.organization, role)
    added = client.get(list_url(model, "add")).status_code
    assert added == (200 if role in MAY_ADD[model] else 403)
    changed = client.post(page_url(acme.rows[model]), {"lines-TOTAL_FORMS": "x"}).status_code
    assert changed == (200 if role in MAY_CHANGE[model] else 403)
    # A superuser could not delete either: what was once there is never gone.
    assert client.post(page_url(acme.rows[model], "delete"), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("model", "action"), MAY_RUN, ids=str)
def test_actions_go_by_the_role(model: type[Model], action: str, role: Role, acme: Tenant, dropzone_root: Any) -> None:
    """S14. As a button and in the list, where an action that one may not run is not even known."""
    client, row = log_in(acme.organization, role), acme.rows[model]
    allowed, done = role in MAY_RUN[(model, action)], 200 if action in SHOWN_AT_ONCE | ASKED_ABOUT else 302
    assert client.post(page_url(row, "do", action), {"reason": "x"}).status_code == (done if allowed else 403)
    offered = f'<option value="{action}"' in client.get(list_url(model)).content.decode()
    assert offered == allowed


@BY_LABEL
def test_staff_without_a_membership_sees_nothing(model: type[Model], acme: Tenant) -> None:
    """S1."""
    client = log_in(None)
    assert client.get(list_url(model)).status_code == 403
    assert client.get(page_url(acme.rows[model])).status_code == 404


@BY_LABEL
def test_who_is_no_staff_is_sent_to_the_login(model: type[Model], acme: Tenant) -> None:
    User.objects.filter(pk=acme.member.pk).update(is_staff=False)
    client = Client()
    client.force_login(User.objects.get(pk=acme.member.pk))
    response = client.get(list_url(model))
    assert response.status_code == 302
    assert "/admin/login/" in response["Location"]


@BY_LABEL
def test_every_post_needs_its_csrf_token(model: type[Model], acme: Tenant) -> None:
    """S13."""
    client = log_in(acme.organization, enforce_csrf=True)
    urls = [list_url(model), list_url(model, "add")]
    urls += [url_of_a_row(name, acme.rows[model]) for name in url_names_of_a_row(model)]
    for url in urls:
        response = client.post(url, {"action": "test", "_selected_action": [acme.rows[model].pk]})
        assert response.status_code == 403, url
        assert "CSRF" in response.content.decode(), url


@pytest.mark.parametrize(("model", "action"), MAY_RUN, ids=str)
def test_a_get_runs_no_action(model: type[Model], action: str, acme: Tenant) -> None:
    """S13."""
    entries = AuditEntry.objects.count()
    assert log_in(acme.organization).get(page_url(acme.rows[model], "do", action)).status_code == 405
    assert AuditEntry.objects.count() == entries


@BY_LABEL
def test_a_list_asks_no_more_for_more_rows_and_counts_nothing(model: type[Model], acme: Tenant) -> None:
    client = log_in_superuser()
    few = queries(client, list_url(model))
    for number in range(5):
        make_tenant(f"more{number}")
    many = queries(client, list_url(model))
    assert len(many) == len(few), "\n".join(many)
    assert not [sql for sql in many if "COUNT(" in sql]


@BY_LABEL
def test_a_search_finds_the_own_rows(model: type[Model], acme: Tenant, globex: Tenant) -> None:
    page = log_in(acme.organization).get(list_url(model), {"q": "acme"})
    assert page.status_code == 200
    assert "globex" not in page.content.decode()


def queries(client: Client, url: str) -> list[str]:
    with CaptureQueriesContext(database) as captured:
        assert client.get(url).status_code == 200
    return [query["sql"] for query in captured]
