import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connectors.connections import health
from connectors.models import ERPConnection
from exports.incidents import detector
from exports.incidents.models import Incident
from exports.models import AckFile, ERPExport
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.exports.conftest import Push
from tests.support.heartbeats import everything_ran
from tests.support.tenants import list_url, log_in, log_in_superuser, make_tenant, page_url

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.OPS)


def dashboard(client: Client) -> str:
    answer = client.get(reverse("admin:index"))
    assert answer.status_code == 200
    return answer.content.decode()


def fail(export: ERPExport, **fields: object) -> None:
    ERPExport.objects.filter(pk=export.pk).move(
        ExportStatus.PENDING, ExportStatus.FAILED, settled_at=timezone.now(), **fields
    )
    DraftOrder.objects.filter(pk=export.draft_order_id).move(OrderStatus.PUSHING, OrderStatus.ERROR)


def links(page: str, to: str) -> list[str]:
    """The addresses of the page's links that begin so."""
    return [part.partition('"')[0].replace("&amp;", "&") for part in page.split('href="')[1:] if part.startswith(to)]


def steps(client: Client) -> dict[str, tuple[bool, str, str]]:
    """By the title: whether the step is done, the address of its link and the link's label."""
    listed = dashboard(client).partition("The steps to the first order")[2].partition("</ol>")[0]
    found = {}
    for step in listed.split("<li>")[1:]:
        title = step.partition('text-important">')[2].partition("<")[0].strip()
        link = step.partition('<a href="')[2]
        label = re.sub("<[^>]*>|[a-z_]+(?=</span>)", "", link.partition(">")[2].partition("</a>")[0])
        found[title] = ("Done" in step, link.partition('"')[0], label.strip())
    return found


def test_an_empty_installation_begins_with_the_organization(db: None) -> None:
    """A8."""
    found = steps(log_in_superuser())
    assert not any(done for done, _, _ in found.values())
    address = f"{list_url(Organization, 'add')}?{urlencode({'next': reverse('admin:index')})}"
    assert found["1. Create the organization"] == (False, address, "Create the organization")
    assert all(link for _, link, _ in found.values())


def test_a_new_installation_is_told_what_to_do_first(organization: Organization) -> None:
    found = steps(log_in(organization, Role.ADMIN))
    assert [(title, done) for title, (done, _, _) in found.items()] == [
        ("1. Create the organization", True),
        ("2. Connect an ERP", False),
        ("3. Bring an order in", False),
        ("4. Approve the order", False),
        ("5. Push the order", False),
    ]
    assert found["2. Connect an ERP"][1] == list_url(ERPConnection, "add")
    assert found["3. Bring an order in"][1] == list_url(DraftOrder, "add")
    page = dashboard(log_in(organization, Role.VIEWER))
    assert "An administrator or integrator" in page
    assert "An administrator or operator" in page
    assert list_url(DraftOrder, "add") not in page
    assert "chart-of-hours" not in page


def test_each_step_leads_to_what_is_to_be_done_next(
    organization: Organization, connection: ERPConnection, make_order: MakeOrder
) -> None:
    """A8. The connection's test, the newest order to approve, the newest to push."""
    client = log_in(organization, Role.ADMIN)
    assert steps(client)["2. Connect an ERP"][:2] == (False, page_url(connection))
    assert "It is not tested yet." in dashboard(client)
    assert "Add a connection" not in dashboard(client)
    assert steps(client)["4. Approve the order"][:2] == (False, list_url(DraftOrder))
    ERPConnection.objects.update(last_test_success=True)
    review, ready = make_order(status="NEEDS_REVIEW"), make_order(status="READY")
    found = steps(client)
    assert found["2. Connect an ERP"][0]
    assert found["3. Bring an order in"][0]
    assert found["4. Approve the order"][:2] == (False, page_url(ready))
    assert found["5. Push the order"][1] == list_url(DraftOrder)
    DraftOrder.objects.filter(pk=ready.pk).move(OrderStatus.READY, OrderStatus.APPROVED)
    found = steps(client)
    assert found["4. Approve the order"][:2] == (True, page_url(review))
    assert found["5. Push the order"][:2] == (False, page_url(ready))


def test_after_the_first_push_the_figures_are_there(client: Client, push: Push) -> None:
    push()
    page = dashboard(client)
    assert "Connect an ERP" not in page
    for text in ("chart-of-hours", "Oldest pending", "Overdue answers", "From push to sent", "No failed exports."):
        assert text in page


def test_each_figure_leads_to_what_it_counts(client: Client, push: Push, connection: ERPConnection) -> None:
    pending, late, failed, other = push(), push(), push(), push()
    rows = ERPExport.objects.filter(pk=late.pk)
    rows.move(ExportStatus.PENDING, ExportStatus.SENT, answer_due_at=timezone.now() - timedelta(hours=1))
    fail(failed, cause=Cause.ERP_REFUSED, error_code="A & B")
    fail(other, cause=Cause.REJECTED)
    page = dashboard(client)
    lists = {url: client.get(url).content.decode() for url in links(page, "/admin/exports/erpexport/?")}
    assert len(lists) >= 8
    found = {url: [e for e in (pending, late, failed, other) if page_url(e) in text] for url, text in lists.items()}
    assert [e for url, e in found.items() if "error_code__exact=A" in url] == [[failed]]
    assert [e for url, e in found.items() if "cause__exact=REJECTED" in url] == [[other]]
    assert [e for url, e in found.items() if "open=overdue" in url] == [[late]] * 2
    assert [e for url, e in found.items() if "status__exact=PENDING" in url] == [[pending]] * 3
    assert [e for url, e in found.items() if "status__exact=ACKED" in url] == [[]]


def test_connections_in_trouble_come_first_and_say_why(
    client: Client, organization: Organization, push: Push, connection: ERPConnection
) -> None:
    push()
    for number in range(15):
        ERPConnection.objects.create(
            organization=organization, name=f"A{number}", connector_type="DROPZONE_JSON_V1", config_encrypted=b""
        )
    health.block(connection.pk, "The log-in was refused.")
    page = dashboard(client)
    assert page.index(page_url(connection)) < page.index(">A0<")
    assert "The log-in was refused." in page
    assert "1 pending, the oldest for" in page
    assert "4 more; those in trouble come first" in page


def test_an_open_incident_is_shown_until_it_is_over(client: Client, push: Push, connection: ERPConnection) -> None:
    push()
    health.block(connection.pk, "The log-in was refused.")
    detector.compare()
    assert "Connection blocked:" in dashboard(client)
    health.release(connection.pk, actor="ops", cause="A test passed.")
    detector.compare()
    assert "Connection blocked:" not in dashboard(client)


def test_a_failure_of_last_friday_is_there_until_it_is_fixed(client: Client, push: Push) -> None:
    """A1."""
    everything_ran()
    export = push()
    fail(export, cause=Cause.ERP_REFUSED, error_code="UNKNOWN_CUSTOMER")
    past = timezone.now() - timedelta(days=3)
    ERPExport.objects.update(created_at=past, settled_at=past)
    page = dashboard(client)
    assert "UNKNOWN_CUSTOMER &times; 1" in page
    assert 'aria-label="Orders in error: 1"' in page
    assert "nothing else is open" not in page
    (url,) = links(page, "/admin/orders/draftorder/?status__exact=ERROR")
    assert page_url(export.draft_order) in client.get(url).content.decode()
    DraftOrder.objects.filter(pk=export.draft_order_id).move(OrderStatus.ERROR, OrderStatus.REJECTED)
    assert "No failed exports, and nothing else is open." in dashboard(client)


def test_all_is_well_is_not_said_while_anything_is_open(client: Client, push: Push, connection: ERPConnection) -> None:
    everything_ran()
    export = push()
    assert "nothing else is open" in dashboard(client)
    ERPConnection.objects.update(paused_until=timezone.now() + timedelta(minutes=5))
    assert "nothing else is open" not in dashboard(client)
    ERPConnection.objects.update(paused_until=None)
    ack = AckFile.objects.create(
        organization=connection.organization, connection=connection, name="ack_x", size=1, modified_at=0,
        verdict="ORPHAN", seen_at=timezone.now() - timedelta(days=400),
    )  # fmt: skip
    assert "1 orphaned acknowledgement" in dashboard(client)
    assert "nothing else is open" not in dashboard(client)
    AckFile.objects.filter(pk=ack.pk).update(resolved_at=timezone.now())
    rows = ERPExport.objects.filter(pk=export.pk)
    rows.move(ExportStatus.PENDING, ExportStatus.SENT, answer_due_at=timezone.now() - timedelta(days=400))
    assert "nothing else is open" not in dashboard(client)
    rows.update(answer_due_at=None)
    assert "nothing else is open" in dashboard(client)


def test_all_is_well_is_not_said_while_a_figure_is_red(client: Client, push: Push) -> None:
    everything_ran()
    export = push()
    assert "nothing else is open" in dashboard(client)
    ERPExport.objects.filter(pk=export.pk).update(created_at=timezone.now() - timedelta(minutes=61))
    page = dashboard(client)
    assert "text-red-700" in page.partition("Oldest pending")[2].partition("Overdue answers")[0]
    assert "nothing else is open" not in page


def test_incidents_beyond_the_first_are_counted(client: Client, push: Push, organization: Organization) -> None:
    push()
    Incident.objects.bulk_create(
        Incident(organization=organization, kind="TOKEN", subject=str(n), label=f"T{n}", opened_at=timezone.now())
        for n in range(13)
    )
    page = dashboard(client)
    assert page.count("API token expires:") == 10
    assert "3 further incidents are open" in page


def test_it_tells_nothing_of_another_organization(client: Client, push: Push) -> None:
    """S1."""
    push()
    globex = make_tenant("globex")
    health.block(globex.connection.pk, "globex was refused.")
    fail(globex.export, cause=Cause.REJECTED, error_message="globex")
    detector.compare()
    assert "globex" not in dashboard(client).lower()
    everything = dashboard(log_in_superuser())
    assert everything.lower().count("globex") > 3


def test_who_belongs_to_no_organization_is_told_so(db: None) -> None:
    make_tenant("globex")
    page = dashboard(log_in(None))
    assert "belongs to no organization" in page
    assert "globex" not in page.lower()


def test_what_came_from_a_server_is_escaped(client: Client, push: Push, connection: ERPConnection) -> None:
    """S16."""
    fail(push(), cause=Cause.ERP_REFUSED, error_code=HOSTILE, error_message=HOSTILE)
    ERPConnection.objects.update(name=HOSTILE)
    health.block(connection.pk, HOSTILE)
    detector.compare()
    failed = links(dashboard(client), reverse("retry_failures"))
    for page in (dashboard(client), client.get(failed[0]).content.decode()):
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize("more", [0, 15])
def test_it_asks_few_questions_however_much_there_is(client: Client, push: Push, more: int) -> None:
    push()
    for number in range(more):
        health.block(make_tenant(f"more{number}").connection.pk, "Refused.")
        fail(push(), cause=Cause.ERP_REFUSED, error_code=f"E{number}")
    detector.compare()
    for person in (client, log_in_superuser()):
        with CaptureQueriesContext(database) as captured:
            dashboard(person)
        assert len(captured) <= 17, "\n".join(query["sql"] for query in captured)
