"""B32: no order is sent again, and no export given up, without a word on the files that may be about it."""

import json
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports import ack_poller
from exports.acks import unread as unread_acks
from exports.decisions import give_up, resolve
from exports.delivery import drain
from exports.incidents import messages
from exports.incidents.models import Incident
from exports.incidents.tasks import watch
from exports.models import AckFile, ERPExport, Lane
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.acks.test_unread import overdue
from tests.exports.conftest import Push
from tests.support.tenants import list_url, log_in, page_url

REJECTION = json.dumps({"status": "FAILED", "error_code": "E1", "message": "Unknown customer"})
WRITTEN = "The ERP has written {}, which could not be read."


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.OPS)


@pytest.fixture
def acks(folder: Path) -> Path:
    return folder / "acks"


def text_of(client: Client, url: str, data: Any = None) -> str:
    return unescape(client.get(url, data).content.decode())


def write(connection: ERPConnection, acks: Path, name: str, content: str = REJECTION) -> str:
    """Gives what the pages say of such a file."""
    (acks / name).write_text(content)
    ack_poller.poll(connection.pk)
    return WRITTEN.format(name)


def given_up(export: ERPExport) -> ERPExport:
    return give_up.give_up(ERPExport.objects.get(pk=export.pk), actor="ops", reason="nothing came")


def group_of(export: ERPExport) -> dict[str, str]:
    return {"connection": str(export.connection_id), "cause": export.cause, "code": export.error_code}


def chosen(action: str, *rows: ERPExport | DraftOrder, **data: str) -> dict[str, Any]:
    return {"action": action, "_selected_action": [str(row.pk) for row in rows], **data}


def asked(client: Client, action: str, row: ERPExport | DraftOrder) -> str:
    """The page that asks about a row that was chosen in the list."""
    return unescape(client.post(list_url(type(row)), chosen(action, row)).content.decode())


def test_a_failed_exports_pages_name_the_unread_file_wherever_it_can_be_retried(
    client: Client, sent: ERPExport, connection: ERPConnection, acks: Path
) -> None:
    export = given_up(sent)
    order = export.draft_order
    pages: dict[str, Callable[[], str]] = {
        "export": lambda: text_of(client, page_url(export)),
        "order": lambda: text_of(client, page_url(order)),
        "exports of a list": lambda: asked(client, "retry", export),
        "orders of a list": lambda: asked(client, "retry", order),
        "all exports of a list": lambda: text_of(client, f"{list_url(ERPExport)}all/retry/"),
        "all orders of a list": lambda: text_of(client, f"{list_url(DraftOrder)}all/retry/"),
        "a cause": lambda: text_of(client, reverse("retry_failures"), group_of(export)),
    }
    assert {name: "The ERP has written" in page() for name, page in pages.items()} == dict.fromkeys(pages, False)
    said = write(connection, acks, f"error_{export.filename}.xml")
    assert {name: said in page() for name, page in pages.items()} == dict.fromkeys(pages, True)
    # Whoever waits for an acknowledgement sees that it came.
    DraftOrder.objects.filter(pk=order.pk).update(status="PUSHED")
    assert said in text_of(client, page_url(order))
    # Edited and approved again, it would be pushed.
    DraftOrder.objects.filter(pk=order.pk).update(status="APPROVED")
    assert said in text_of(client, page_url(order))
    assert said in asked(client, "push", order)


def test_the_email_about_failed_exports_names_the_unread_file_before_it_advises_to_retry(
    sent: ERPExport, connection: ERPConnection, acks: Path
) -> None:
    written = write(connection, acks, f"{sent.filename}.xml")
    ERPExport.objects.filter(pk=sent.pk).update(status="PENDING", undecided_since=timezone.now())
    DraftOrder.objects.filter(pk=sent.draft_order_id).update(status="PUSHING")
    resolve.decide(ERPExport.objects.get(pk=sent.pk), delivered=False, actor="ops", reason="not in the ERP")
    watch()
    told = messages.what_to_do(Incident.objects.get(kind="FAILING", closed_at=None))
    assert 0 <= told.index(written) < told.index("retry")


def test_a_file_that_came_before_the_acknowledgement_that_was_read_warns_nobody(
    client: Client, sent: ERPExport, connection: ERPConnection, acks: Path
) -> None:
    said = write(connection, acks, f"error_{sent.filename}.xml")
    (acks / f"error_{sent.filename}").write_text(REJECTION)
    ack_poller.poll(connection.pk)
    sent.refresh_from_db()
    assert (sent.status, sent.cause) == ("FAILED", "ERP_REFUSED")
    assert AckFile.objects.filter(verdict="UNREAD", gone_at=None).count() == 1
    assert said not in text_of(client, page_url(sent))
    # One that came afterwards may say something else.
    assert write(connection, acks, f"ack_{sent.filename}.xml") in text_of(client, page_url(sent))


def test_the_list_asks_before_it_gives_up_what_an_unread_file_is_about(
    client: Client, push: Push, connection: ERPConnection, acks: Path
) -> None:
    exports = [push(), push()]
    drain.drain(connection.pk)
    said = write(connection, acks, f"ack_{exports[0].filename}.txt")
    data = chosen("give_up", *exports)
    question = client.post(list_url(ERPExport), data)
    assert said in question.content.decode()
    assert set(ERPExport.objects.values_list("status", flat=True)) == {"SENT"}
    # As a browser does: with what the page has, and nothing else.
    hidden = question.context["hidden"]
    sends = {name: [value for other, value in hidden if other == name] for name, _ in hidden}
    browser = Client()
    browser.force_login(User.objects.get(username="ops@acme"))
    answer = browser.post(list_url(ERPExport), {**sends, "confirmed": "yes", "reason": "Phone"}, follow=True)
    assert "2 exports given up." in answer.content.decode()
    assert said in text_of(client, page_url(exports[0]))
    assert set(ERPExport.objects.values_list("error_message", flat=True)) == {"Given up by ops@acme: Phone"}


@pytest.mark.parametrize("way", ["page", "list"])
def test_giving_up_always_asks_and_says_what_follows(client: Client, sent: ERPExport, way: str) -> None:
    assert "Give up…" in text_of(client, page_url(sent))
    url, data = page_url(sent, "do", "give_up"), dict[str, Any](reason="nothing came")
    if way == "list":
        url, data = list_url(ERPExport), chosen("give_up", sent)
    question = client.post(url, data).content.decode()
    assert "If the ERP has the order, a retry makes it a second one. Check in the ERP first." in question
    # Confirmed without a reason, it asks again.
    client.post(url, {**data, "confirmed": "yes", "reason": " "})
    sent.refresh_from_db()
    assert sent.status == "SENT"
    client.post(url, {**data, "confirmed": "yes", "reason": "nothing came"})
    sent.refresh_from_db()
    assert (sent.status, sent.error_message) == ("FAILED", "Given up by ops@acme: nothing came")


def test_an_export_that_expects_no_acknowledgement_has_no_button_to_give_it_up(client: Client, sent: ERPExport) -> None:
    ERPExport.objects.filter(pk=sent.pk).update(answer_due_at=None)
    assert "Give up…" not in text_of(client, page_url(sent))


@pytest.mark.parametrize("action", ["give_up", "retry"])
def test_a_file_that_came_after_the_page_was_loaded_keeps_its_buttons_from_working(
    client: Client, sent: ERPExport, connection: ERPConnection, acks: Path, action: str
) -> None:
    export = given_up(sent) if action == "retry" else sent
    seen = client.get(page_url(export)).context["seen"]
    write(connection, acks, f"ack_{export.filename}.xml")
    stale = client.post(page_url(export, "do", action), {"_seen": str(seen), "reason": "Phone"}, follow=True)
    assert "was changed since this page was loaded" in stale.content.decode()
    assert ERPExport.objects.count() == 1
    assert ERPExport.objects.get().status == export.status
    seen = client.get(page_url(export)).context["seen"]
    client.post(page_url(export, "do", action), {"_seen": str(seen), "reason": "Phone", "confirmed": "yes"})
    assert ERPExport.objects.order_by("-created_at")[0].status == ("PENDING" if action == "retry" else "FAILED")


def test_a_file_that_comes_while_people_confirm_is_asked_about_again(
    client: Client, sent: ERPExport, connection: ERPConnection, acks: Path
) -> None:
    export = given_up(sent)
    hidden = dict(client.post(list_url(ERPExport), chosen("retry", export)).context["hidden"])
    said = write(connection, acks, f"ack_{export.filename}.xml")
    again = client.post(list_url(ERPExport), {**hidden, "confirmed": "yes"})
    assert said in again.content.decode()
    assert ERPExport.objects.count() == 1
    hidden = dict(again.context["hidden"])
    client.post(list_url(ERPExport), {**hidden, "confirmed": "yes"})
    assert ERPExport.objects.count() == 2


def test_where_no_file_names_the_export_the_others_of_the_folder_are_counted(
    client: Client, push: Push, connection: ERPConnection, acks: Path
) -> None:
    export, other = push(), push()
    drain.drain(connection.pk)
    overdue(ERPExport.objects.get(pk=export.pk))
    assert "it also held" not in text_of(client, page_url(export))
    for name in ("ack_4711.json", "answer.json", "answer.xml", "tmp_answer.json", f"ack_{other.filename}.xml"):
        (acks / name).write_text(REJECTION)
    ack_poller.poll(connection.pk)
    page = text_of(client, page_url(export))
    assert "Ask the ERP's administrator whether the order arrived." in page
    counts = "1 not read, 1 with temporary names, 2 that are no acknowledgements, 1 that acknowledge no known export"
    assert f"it also held files that name none of them: {counts}." in page
    # The e-mail has the same.
    told = unread_acks.advice(ERPExport.objects.filter(pk=export.pk))
    assert told.startswith("Ask the ERP's administrator whether these orders arrived, and name the files. ")
    assert counts in told
    failed = given_up(export)
    for page in (text_of(client, page_url(failed)), text_of(client, page_url(failed.draft_order))):
        assert counts in page
    # The file that names an export is what counts for that one.
    overdue(ERPExport.objects.get(pk=other.pk))
    assert "it also held" not in text_of(client, page_url(other))


def test_other_files_say_nothing_about_an_order_that_was_never_sent(
    client: Client, push: Push, connection: ERPConnection, acks: Path
) -> None:
    export = push()
    (acks / "answer.json").write_text(REJECTION)
    ack_poller.poll(connection.pk)
    ERPExport.objects.filter(pk=export.pk).update(status="FAILED", cause="UNREACHABLE", settled_at=timezone.now())
    DraftOrder.objects.filter(pk=export.draft_order_id).update(status="ERROR")
    for row in (export, export.draft_order):
        assert "it also held" not in text_of(client, page_url(row))


def test_the_page_that_withdraws_says_nothing_about_files_that_cannot_concern_it(
    client: Client, connection: ERPConnection, acks: Path, push: Push
) -> None:
    """Nothing of an export that no attempt has journaled can be in the ERP; one that was staged may be."""
    export = push()
    (acks / "upload.tmp").write_text("{")
    ack_poller.poll(connection.pk)
    assert "it also held files" not in asked(client, "withdraw", export)
    ERPExport.objects.update(staged_path="in/.upload.tmp")
    connection_service.save(connection, ConnectionChanges(status="DISABLED"), actor="test")
    assert "it also held files" in asked(client, "stop_sending", export)


def test_order_files_in_a_folder_of_orders_and_acks_are_no_other_files(
    client: Client, sent: ERPExport, connection: ERPConnection
) -> None:
    connection_service.save(connection, ConnectionChanges(config={"ack_path": "in/"}, leave_acks=True), actor="test")
    ack_poller.poll(connection.pk)
    assert (Lane.objects.get(kind="ACKS").folder or {})["counts"] == {"foreign": 1}
    overdue(sent)
    assert "it also held" not in text_of(client, page_url(sent))
