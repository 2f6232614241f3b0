import hashlib
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.models import ERPConnection
from exports import ack_poller
from exports.models import AckFile, ERPExport, EventKind, ExportEvent, Verdict
from exports.models.status import ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.exports.conftest import Push
from tests.support.tenants import list_url, log_in, page_url

YES = {"confirmed": "yes"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.OPS)


@pytest.fixture
def failed(push: Push) -> ERPExport:
    export = push()
    ERPExport.objects.filter(pk=export.pk).move(ExportStatus.PENDING, ExportStatus.FAILED, error_message="Refused.")
    DraftOrder.objects.filter(pk=export.draft_order_id).move(OrderStatus.PUSHING, OrderStatus.ERROR)
    export.refresh_from_db()
    return export


def run(client: Client, action: str, *rows: ERPExport | DraftOrder) -> str:
    """As chosen in the list, and confirmed where it asks."""
    data = {"action": action, "_selected_action": [row.pk for row in rows], "confirmed": "yes"}
    return client.post(list_url(type(rows[0])), data, follow=True).content.decode()


def test_the_page_tells_the_way_of_an_export(client: Client, sent: ERPExport) -> None:
    page = client.get(page_url(sent)).content.decode()
    for text in ("Push requested", "Staged", "Sent", sent.filename, sent.document_sha256, sent.dropzone_path):
        assert text in page
    assert page_url(sent.draft_order) in page
    assert page_url(sent.connection) in page
    assert "Toms Spezialitäten" in page


def test_the_document_is_the_exact_bytes(client: Client, sent: ERPExport) -> None:
    response = client.get(f"/admin/exports/erpexport/{sent.pk}/document/")
    assert hashlib.sha256(response.content).hexdigest() == sent.document_sha256
    assert response["Content-Disposition"] == f'attachment; filename="{sent.filename}"'
    assert (response["Content-Type"], response["X-Content-Type-Options"]) == ("application/json", "nosniff")


def test_a_document_that_is_not_stored_yet_is_404_and_the_page_says_so(client: Client, push: Push) -> None:
    export = push()
    assert client.get(f"/admin/exports/erpexport/{export.pk}/document/").status_code == 404
    assert "No copy is stored yet." in client.get(page_url(export)).content.decode()


def test_a_lost_copy_does_not_break_the_page(client: Client, sent: ERPExport) -> None:
    ERPExport.objects.filter(pk=sent.pk).update(storage_key="exports/gone.json")
    assert "No copy is stored yet." in client.get(page_url(sent)).content.decode()


def test_an_export_is_never_edited(client: Client, sent: ERPExport) -> None:
    """S19."""
    assert client.post(page_url(sent), {"status": "ACKED"}).status_code == 403
    assert client.get(list_url(ERPExport, "add")).status_code == 403


def test_a_failed_export_is_retried_over_its_own_connection(
    client: Client, failed: ERPExport, connection: ERPConnection
) -> None:
    ERPConnection.objects.update(is_default=False)
    assert page_url(failed, "do", "retry") in client.get(page_url(failed)).content.decode()
    client.post(page_url(failed, "do", "retry"))
    new = ERPExport.objects.get(supersedes=failed)
    assert (new.status, new.connection, new.requested_by) == (ExportStatus.PENDING, connection, "ops@acme")
    page = client.get(page_url(failed)).content.decode()
    assert page_url(new) in page
    assert page_url(failed, "do", "retry") not in page
    assert page_url(failed) in client.get(page_url(new)).content.decode()


def test_retrying_many_counts_and_names_what_it_refuses(client: Client, failed: ERPExport, push: Push) -> None:
    page = run(client, "retry", failed, push())
    assert "1 order retried." in page
    assert "1 refused." in page
    assert "is PENDING" in page


def test_giving_up_takes_a_reason_and_opens_the_order(client: Client, sent: ERPExport) -> None:
    assert page_url(sent, "do", "give_up") in client.get(page_url(sent)).content.decode()
    page = client.post(page_url(sent, "do", "give_up"), {"reason": "the ERP was restored", **YES}, follow=True)
    sent.refresh_from_db()
    assert (sent.status, sent.error_message) == (ExportStatus.FAILED, "Given up by ops@acme: the ERP was restored")
    assert DraftOrder.objects.get(pk=sent.draft_order_id).status == OrderStatus.ERROR
    assert "look before you retry" in page.content.decode()


def test_giving_up_what_was_not_sent_is_refused(client: Client, push: Push) -> None:
    export = push()
    assert "only a SENT export can be given up." in run(client, "give_up", export)
    export.refresh_from_db()
    assert export.status == ExportStatus.PENDING


def test_a_missing_answer_is_told(client: Client, sent: ERPExport) -> None:
    ERPExport.objects.filter(pk=sent.pk).update(answer_due_at=timezone.now() - timedelta(hours=1))
    ack_poller.poll(sent.connection_id)
    assert "No acknowledgement came in time." in client.get(page_url(sent)).content.decode()


def test_orders_are_pushed_and_the_others_named(
    client: Client, make_order: MakeOrder, connection: ERPConnection
) -> None:
    approved = [make_order() for _ in range(2)]
    page = run(client, "push", *approved, make_order(status=OrderStatus.READY))
    assert "2 orders pushed." in page
    assert "is READY; only an APPROVED order can be pushed." in page
    assert ERPExport.objects.filter(draft_order__in=approved, requested_by="ops@acme").count() == 2


def test_without_a_default_connection_the_push_says_what_to_do(
    client: Client, make_order: MakeOrder, connection: ERPConnection
) -> None:
    ERPConnection.objects.update(is_default=False)
    assert "has no default ERP connection." in run(client, "push", make_order())


def test_an_orders_page_pushes_and_lists_its_exports(
    client: Client, make_order: MakeOrder, connection: ERPConnection
) -> None:
    order = make_order()
    assert page_url(order, "do", "push") in client.get(page_url(order)).content.decode()
    client.post(page_url(order, "do", "push"))
    page = client.get(page_url(order)).content.decode()
    assert page_url(ERPExport.objects.get()) in page
    assert page_url(order, "do", "push") not in page


def test_an_order_in_error_is_retried_over_the_connection_of_its_last_export(
    client: Client, failed: ERPExport, connection: ERPConnection
) -> None:
    ERPConnection.objects.update(is_default=False)
    assert "1 order retried." in run(client, "retry", failed.draft_order)
    assert ERPExport.objects.get(supersedes=failed).connection == connection


def test_what_came_from_a_server_is_escaped(client: Client, sent: ERPExport, connection: ERPConnection) -> None:
    """S16."""
    ERPExport.objects.filter(pk=sent.pk).update(error_message=HOSTILE, erp_order_id=HOSTILE, error_code=HOSTILE)
    DraftOrder.objects.filter(pk=sent.draft_order_id).update(error_message=HOSTILE, external_order_number=HOSTILE)
    ExportEvent.objects.create(
        export=sent, kind=EventKind.RETRY, actor=HOSTILE, message=HOSTILE, detail={HOSTILE: HOSTILE}, at=timezone.now()
    )
    ack = AckFile.objects.create(
        organization=sent.organization, connection=connection, export=sent, name=HOSTILE, size=1, modified_at=0,
        raw=HOSTILE, verdict=Verdict.MALFORMED, reason=HOSTILE, seen_at=timezone.now(),
    )  # fmt: skip
    urls = [page_url(sent), page_url(ack), page_url(sent.draft_order)]
    urls += [list_url(model) for model in (ERPExport, AckFile, DraftOrder)]
    for url in urls:
        page = client.get(url).content.decode()
        assert HOSTILE not in page, url
        assert "&lt;script&gt;" in page, url


def test_a_page_asks_no_more_for_a_long_history(client: Client, sent: ERPExport) -> None:
    def queries() -> int:
        with CaptureQueriesContext(database) as captured:
            assert client.get(page_url(sent)).status_code == 200
        return len(captured)

    short = queries()
    for number in range(20):
        ExportEvent.objects.create(export=sent, kind=EventKind.RETRY, message=str(number), at=timezone.now())
    assert queries() == short


def test_an_export_is_found_by_what_people_know_of_it(client: Client, sent: ERPExport) -> None:
    ERPExport.objects.filter(pk=sent.pk).update(erp_order_id="SO-77")
    for known in (sent.filename, str(sent.draft_order), "SO-77", "Spezialitäten"):
        assert page_url(sent) in client.get(list_url(ERPExport), {"q": known}).content.decode(), known
    assert page_url(sent) not in client.get(list_url(ERPExport), {"q": "SO-78"}).content.decode()


@pytest.mark.parametrize(("status", "found"), [("SENT", True), ("FAILED", False)])
def test_the_list_is_filtered_by_status(client: Client, sent: ERPExport, status: str, found: bool) -> None:
    page = client.get(list_url(ERPExport), {"status__exact": status}).content.decode()
    assert (page_url(sent) in page) == found
