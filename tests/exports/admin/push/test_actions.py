from typing import Any

import pytest
from django.test import Client

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.bulk import jobs
from exports.bulk.models import BulkJob
from exports.models import ERPExport
from orderflow.orders import editing
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.support.tenants import list_url, log_in, log_in_superuser, page_url

ALL = "/admin/orders/draftorder/all/push/"


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.OPS)


@pytest.fixture
def approved(make_order: MakeOrder, connection: ERPConnection) -> list[DraftOrder]:
    return [make_order() for _ in range(3)]


def choose(client: Client, *orders: DraftOrder, **data: Any) -> str:
    chosen = {"action": "push", "_selected_action": [order.pk for order in orders], **data}
    return client.post(list_url(DraftOrder), chosen, follow=True).content.decode()


def states() -> list[str]:
    return sorted(DraftOrder.objects.values_list("status", flat=True))


def test_what_will_go_and_what_will_not_is_counted_before_anything_is_done(
    client: Client, approved: list[DraftOrder], make_order: MakeOrder
) -> None:
    others = [make_order(status=status) for status in ("READY", "NEEDS_REVIEW", "PUSHED")]
    before = states()
    page = choose(client, *approved, *others)
    assert '<strong class="text-important">3 orders</strong> over Folder' in page
    assert f"Order {others[0]} is READY; only an APPROVED order can be pushed." in page
    assert f"Order {others[2]} is PUSHED already." in page
    assert "Push 3 orders" in page
    assert states() == before
    page = choose(client, *approved, *others, confirmed="yes")
    assert "3 orders pushed." in page
    assert "3 refused. 2 times such as: " in page
    assert ERPExport.objects.filter(draft_order__in=approved, requested_by="ops@acme").count() == 3


def test_when_none_can_go_there_is_nothing_to_confirm(
    client: Client, approved: list[DraftOrder], connection: ERPConnection
) -> None:
    ERPConnection.objects.update(is_default=False)
    page = choose(client, *approved)
    assert "has no default ERP connection." in page
    assert "Push 0" not in page
    assert 'name="confirmed"' not in page


def test_that_they_will_wait_is_told(client: Client, approved: list[DraftOrder], connection: ERPConnection) -> None:
    health.block(connection.pk, "Log-in refused.")
    assert "It is blocked, so they wait: Log-in refused." in choose(client, *approved)


def test_all_of_the_filter_go_in_the_background(
    client: Client, approved: list[DraftOrder], make_order: MakeOrder
) -> None:
    make_order(status="READY")
    query = f"?q={approved[0]}"
    assert ALL + query in client.get(list_url(DraftOrder) + query).content.decode()
    assert "Push 1 order" in client.get(ALL + query).content.decode()
    page = client.get(ALL)
    assert "Push 3 orders" in page.content.decode()
    assert not BulkJob.objects.exists()
    # What was approved after the page was shown has not been confirmed.
    late = make_order()
    response = client.post(ALL, dict(page.context["hidden"]))
    job = BulkJob.objects.get()
    assert response["Location"] == page_url(job)
    assert (job.kind, job.total, job.asked_by) == ("PUSH", 3, "ops@acme")
    jobs.run(job.pk)
    late.refresh_from_db()
    assert late.status == "APPROVED"
    assert ERPExport.objects.filter(draft_order__in=approved).count() == 3
    assert "3 of 3: 3 went, 0 refused, 0 left." in client.get(page_url(job)).content.decode()


def test_failed_exports_of_the_filter_are_retried_once_each(client: Client, approved: list[DraftOrder]) -> None:
    choose(client, *approved, confirmed="yes")
    ERPExport.objects.update(status="FAILED")
    DraftOrder.objects.update(status="ERROR")
    # The last has been superseded already: its own newest export waits.
    client.post(page_url(approved[2], "do", "retry"))
    page = client.get("/admin/exports/erpexport/all/retry/")
    assert "Retry 2 orders" in page.content.decode()
    client.post("/admin/exports/erpexport/all/retry/", dict(page.context["hidden"]))
    jobs.run(BulkJob.objects.get().pk)
    assert states() == ["PUSHING"] * 3
    assert ERPExport.objects.exclude(supersedes=None).count() == 3


def test_a_superusers_orders_go_in_a_job_of_each_organization(
    approved: list[DraftOrder], make_order: MakeOrder, dropzone_root: Any
) -> None:
    """S1."""
    other = Organization.objects.create(name="Globex", slug="globex")
    ERPConnection.objects.create(organization=other, name="G", connector_type="DROPZONE_JSON_V1", is_default=True)
    make_order(tenant=other)
    client = log_in_superuser()
    client.post(ALL, dict(client.get(ALL).context["hidden"]))
    assert {(job.organization.slug, job.total) for job in BulkJob.objects.all()} == {("acme", 3), ("globex", 1)}
    assert "globex" not in log_in(approved[0].organization).get(list_url(BulkJob)).content.decode().lower()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.INTEGRATOR])
def test_who_may_not_push_is_offered_nothing(
    role: Role, organization: Organization, approved: list[DraftOrder]
) -> None:
    """S14."""
    client = log_in(organization, role)
    assert ALL not in client.get(list_url(DraftOrder)).content.decode()
    assert client.get(ALL).status_code == 403
    assert client.post(ALL, {"as_of": "2099-01-01T00:00:00Z"}).status_code == 403
    assert not BulkJob.objects.exists()


def test_there_is_nothing_else_for_all(client: Client, approved: list[DraftOrder]) -> None:
    assert client.get("/admin/orders/draftorder/all/reject/").status_code == 404
    assert client.get("/admin/exports/erpexport/all/push/").status_code == 404


def test_a_post_for_all_needs_its_csrf_token(organization: Organization, approved: list[DraftOrder]) -> None:
    """S13."""
    client = log_in(organization, Role.OPS, enforce_csrf=True)
    assert client.post(ALL, {"as_of": "2099-01-01T00:00:00Z"}).status_code == 403
    assert not BulkJob.objects.exists()


def test_nothing_of_a_list_goes_when_it_is_no_longer_what_was_shown(
    client: Client, approved: list[DraftOrder], organization: Organization
) -> None:
    hidden = dict(client.get(ALL).context["hidden"])
    editing.edit(approved[0], {"notes": "wait"}, actor="carol")
    page = client.post(ALL, hidden)
    assert not BulkJob.objects.exists()
    told = page.content.decode()
    assert "Nothing was done" in told
    assert f"{approved[0]}: Edit order by carol at" in told
    assert "Push 2 orders" in told
    client.post(ALL, dict(page.context["hidden"]))
    assert BulkJob.objects.get().total == 2


@pytest.mark.parametrize("chosen", [True, False], ids=["chosen", "all"])
def test_orders_do_not_go_over_another_connection_than_the_one_shown(
    client: Client, approved: list[DraftOrder], connection: ERPConnection, chosen: bool
) -> None:
    url = list_url(DraftOrder) if chosen else ALL
    data = {"action": "push", "_selected_action": [order.pk for order in approved]}
    page = client.post(url, data) if chosen else client.get(url)
    hidden: dict[str, list[str]] = {}
    for name, value in page.context["hidden"]:
        hidden.setdefault(name, []).append(str(value))
    other = ERPConnection(organization=connection.organization, connector_type="DROPZONE_JSON_V1")
    config = {"mode": "filesystem", "export_path": "other"}
    connection_service.save(other, ConnectionChanges(name="Other", is_default=True, config=config), actor="carol")
    page = client.post(url, {**hidden, "confirmed": "yes"})
    told = page.content.decode()
    assert "Nothing was done" in told
    assert "over Other" in told
    assert states() == ["APPROVED"] * 3
    assert not BulkJob.objects.exists()
