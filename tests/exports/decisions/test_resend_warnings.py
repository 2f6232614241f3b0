"""Before an order is sent again, each page says that the ERP may have it, or has said that it has."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from connectors.models import ERPConnection
from exports import ack_poller
from exports.decisions import give_up
from exports.incidents import messages
from exports.incidents.models import Incident
from exports.incidents.tasks import watch
from exports.models import AckFile, ERPExport
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.acks.test_advice import asked, chosen, group_of, text_of
from tests.exports.decisions.test_conflicts import conflict
from tests.support.tenants import list_url, log_in, page_url

DOUBT = "The ERP may have this order: given up, no answer came. Ask the ERP's administrator before you send it again"
SOME = "The ERP may have some of these orders: 1 × given up, no answer came. Ask the ERP's administrator before"


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.OPS)


def bulk_pages(client: Client, export: ERPExport) -> dict[str, Callable[[], str]]:
    return {
        "exports of a list": lambda: asked(client, "retry", export),
        "orders of a list": lambda: asked(client, "retry", export.draft_order),
        "all exports of a list": lambda: text_of(client, f"{list_url(ERPExport)}all/retry/"),
        "all orders of a list": lambda: text_of(client, f"{list_url(DraftOrder)}all/retry/"),
    }


def set_order(export: ERPExport, status: str) -> None:
    DraftOrder.objects.filter(pk=export.draft_order_id).update(status=status)


def test_every_page_that_sends_an_order_again_says_that_the_erp_may_have_it(client: Client, sent: ERPExport) -> None:
    export = give_up.give_up(sent, actor="ops", reason="nothing came")
    for name, page in bulk_pages(client, export).items():
        assert SOME in page(), name
    order = export.draft_order
    for status in ("ERROR", "DRAFT", "READY", "APPROVED"):
        set_order(export, status)
        assert [DOUBT in text_of(client, page_url(row)) for row in (order, export)] == [True, True], status
    assert SOME in asked(client, "push", order)
    set_order(export, "REJECTED")
    assert "The ERP may have" not in text_of(client, page_url(order)) + text_of(client, page_url(export))


def test_an_order_that_the_erp_cannot_have_is_not_doubted(client: Client, sent: ERPExport) -> None:
    export = give_up.give_up(sent, actor="ops", reason="nothing came")
    ERPExport.objects.filter(pk=export.pk).update(cause="UNREACHABLE")
    pages = {"order": lambda: text_of(client, page_url(export.draft_order)), **bulk_pages(client, export)}
    for name, page in pages.items():
        assert "The ERP may have" not in page(), name


def test_an_ack_after_the_rejection_is_named_wherever_the_order_can_be_sent_again(
    client: Client, sent: ERPExport, folder: Path
) -> None:
    ack = conflict(sent, folder, "error", "ack")
    export = ERPExport.objects.get(pk=sent.pk)
    said = (
        f"{ack.name} says that the ERP took this order, although it rejected it first. "
        "Decide on the file's page before you send it again."
    )
    pages = {
        "order": lambda: text_of(client, page_url(export.draft_order)),
        "a cause": lambda: text_of(client, reverse("retry_failures"), group_of(export)),
        **bulk_pages(client, export),
    }
    for name, page in pages.items():
        assert said in page(), name
    assert page_url(ack) in pages["order"]()
    watch()
    told = messages.what_to_do(Incident.objects.get(kind="FAILING", closed_at=None))
    assert told.startswith(f"{ack.name} says that the ERP took this order")
    # Decided, it warns nobody.
    client.post(page_url(ack, "do", "resolve"))
    for name, page in pages.items():
        assert "says that the ERP took" not in page(), name


def test_an_ack_that_comes_while_a_retry_is_confirmed_is_asked_about_again(
    client: Client, sent: ERPExport, folder: Path
) -> None:
    rejection = {"status": "FAILED", "error_code": "E42", "message": "No."}
    (folder / "acks" / f"error_{sent.filename}").write_text(json.dumps(rejection))
    ack_poller.poll(sent.connection_id)
    hidden = dict(client.post(list_url(ERPExport), chosen("retry", sent)).context["hidden"])
    (folder / "acks" / f"ack_{sent.filename}").write_text(json.dumps({"status": "ACKED", "erp_order_id": "SO-1"}))
    ack_poller.poll(sent.connection_id)
    assert AckFile.objects.filter(verdict="CONFLICT").exists()
    again = client.post(list_url(ERPExport), {**hidden, "confirmed": "yes"}).content.decode()
    assert "says that the ERP took this order" in again
    assert ERPExport.objects.count() == 1


def test_the_page_of_a_pushed_order_leads_to_the_rejection_that_contradicts_its_ack(
    client: Client, sent: ERPExport, folder: Path
) -> None:
    ack = conflict(sent, folder, "ack", "error")
    page = text_of(client, page_url(sent.draft_order))
    assert "contradicts the first acknowledgement" in page
    assert page_url(ack) in page


def test_a_retry_that_has_no_way_is_sent_over_another_connection_from_the_orders_page(
    client: Client, sent: ERPExport
) -> None:
    export = give_up.give_up(sent, actor="ops", reason="nothing came")
    ERPConnection.objects.update(status="DISABLED")
    page = " ".join(asked(client, "retry", export).split())
    assert "Retries go over the connection of before." in page
    assert "use Retry on the order's page and choose it there." in page
    assert "Many orders at once go over the default connection." not in page
    set_order(export, "APPROVED")
    assert "Many orders at once go over the default connection." in asked(client, "push", export.draft_order)
