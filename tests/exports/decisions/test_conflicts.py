"""Two acknowledgements that contradict each other end by a person's decision, from the pages alone."""

import json
import logging
import re
from html import unescape
from pathlib import Path

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.test import Client

from connectors.models import ERPConnection
from exports import ack_poller, push_service
from exports.acks import unresolved as unresolved_acks
from exports.acks.unresolved import NotOpen
from exports.admin import verdicts
from exports.decisions import conflicts, give_up
from exports.delivery import drain
from exports.incidents.models import Incident
from exports.incidents.tasks import watch
from exports.models import AckFile, ERPExport
from exports.push_service import PushRequest
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push, names
from tests.support.tenants import list_url, log_in, page_url

ACKED = {"status": "ACKED", "erp_order_id": "SO-1"}
REJECTED = {"status": "FAILED", "error_code": "E42", "message": "Unknown customer"}
BODIES = {"ack": ACKED, "error": REJECTED}


def conflict(sent: ERPExport, folder: Path, first: str, then: str) -> AckFile:
    for kind in (first, then):
        (folder / "acks" / f"{kind}_{sent.filename}").write_text(json.dumps(BODIES[kind]))
        ack_poller.poll(sent.connection_id)
    return AckFile.objects.get(verdict="CONFLICT")


def states(export: ERPExport) -> tuple[str, str]:
    rows = ERPExport.objects.filter(pk=export.pk)
    return rows.values_list("status", "draft_order__status").get()


@pytest.fixture
def browser(organization: Organization) -> Client:
    """Sends what the pages have in their forms, and nothing else."""
    user = User.objects.get(pk=log_in(organization, Role.OPS).session["_auth_user_id"])
    client = Client()
    client.force_login(user)
    return client


def press(browser: Client, page: str, label: str, **more: str) -> str:
    """Send the form of `page` that has a button with this label."""
    (form,) = (each for each in re.findall(r"<form.*?</form>", page, re.DOTALL) if label in unescape(each))
    action = re.search(r'action="([^"]+)"', form.partition(">")[0])
    tags = re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", form)
    fields = {
        name[1]: unescape(value[1]) if value else ""
        for tag in tags
        if (name := re.search(r'name="([^"]+)"', tag))
        for value in [re.search(r'value="([^"]*)"', tag)]
    }
    url = unescape(action[1]) if action else browser.last_url  # type: ignore[attr-defined] # set below
    response = browser.post(url, {**fields, **more}, follow=True)
    browser.last_url = response.redirect_chain[-1][0] if response.redirect_chain else url  # type: ignore[attr-defined]
    return response.content.decode()


@pytest.mark.parametrize("way", ["the file's page", "the export's page"])
def test_an_order_that_the_erp_rejected_after_its_ack_is_sent_again(
    way: str, sent: ERPExport, connection: ERPConnection, folder: Path, browser: Client
) -> None:
    """The whole way that the page advises, from the contradiction to the second file."""
    ack = conflict(sent, folder, "ack", "error")
    watch()
    assert Incident.objects.get(closed_at=None).kind == "ACKS"
    if way == "the export's page":
        page = browser.get(page_url(sent)).content.decode()
        assert "contradicts the first acknowledgement" in unescape(page)
        assert page_url(ack) in page
    question = press(browser, browser.get(page_url(ack)).content.decode(), "The ERP did not take the order…")
    assert "goes to ERROR, so that it can be corrected, retried or rejected" in question
    done = press(browser, question, "The ERP did not take the order", reason="no SO-1 there")
    assert "1 acknowledgement file decided: the ERP did not take the order." in done
    export = ERPExport.objects.get()
    told = "The ERP did not take the order, established by ops@acme: no SO-1 there"
    assert (states(export), export.cause, export.error_code) == (("FAILED", "ERROR"), "ERP_REFUSED", "E42")
    assert export.error_message == told
    order = DraftOrder.objects.get()
    assert (order.error_message, order.erp_order_id) == (told, "")
    event = export.events.get(kind="DECIDED")
    assert (event.actor, event.message, event.detail) == ("ops@acme", told, {"file": ack.name})
    assert AuditEntry.objects.filter(actor="ops@acme", action="decide conflict: order not taken").exists()
    ack.refresh_from_db()
    assert (ack.verdict, ack.resolved_by) == ("CONFLICT", "ops@acme")
    assert not verdicts.is_rejection(export.ack_files.get(verdict="MATCHED"))
    watch()
    # Its order failed, so that this is open now, and the acknowledgement is not.
    assert [each.kind for each in Incident.objects.filter(closed_at=None)] == ["FAILING"]
    press(browser, browser.get(page_url(export)).content.decode(), "Retry")
    drain.drain(connection.pk)
    newer = ERPExport.objects.get(supersedes=export)
    assert newer.status == "SENT"
    assert newer.filename in names(folder / "in")


def test_an_order_that_the_erp_took_after_its_rejection_is_not_sent_again(
    sent: ERPExport, folder: Path, browser: Client
) -> None:
    ack = conflict(sent, folder, "error", "ack")
    assert states(sent) == ("FAILED", "ERROR")
    question = press(browser, browser.get(page_url(ack)).content.decode(), "The ERP took the order…")
    press(browser, question, "The ERP took the order", reason="SO-1 is there")
    export = ERPExport.objects.get()
    assert states(export) == ("ACKED", "PUSHED")
    assert (export.erp_order_id, export.cause, export.error_code, export.error_message) == ("SO-1", "", "", "")
    assert verdicts.is_rejection(export.ack_files.get(verdict="MATCHED"))
    order = DraftOrder.objects.get()
    assert (order.erp_order_id, order.error_message) == ("SO-1", "")
    watch()
    assert not Incident.objects.filter(closed_at=None).exists()


def test_an_ack_of_an_export_that_was_given_up_can_be_counted(sent: ERPExport, folder: Path, browser: Client) -> None:
    give_up.give_up(sent, actor="eva", reason="no answer")
    (folder / "acks" / f"ack_{sent.filename}").write_text(json.dumps(ACKED))
    ack_poller.poll(sent.connection_id)
    ack = AckFile.objects.get(verdict="CONFLICT")
    question = press(browser, browser.get(page_url(ack)).content.decode(), "The ERP took the order…")
    press(browser, question, "The ERP took the order", reason="SO-1 is there")
    assert states(sent) == ("ACKED", "PUSHED")


@pytest.mark.parametrize("order", [("ack", "error"), ("error", "ack")])
def test_what_is_left_as_it_is_needs_nobody(
    order: tuple[str, str], sent: ERPExport, folder: Path, browser: Client
) -> None:
    ack = conflict(sent, folder, *order)
    before = states(sent)
    page = press(browser, browser.get(page_url(ack)).content.decode(), "Leave it as it is")
    assert "1 acknowledgement file marked as resolved" in page
    assert states(sent) == before
    event = sent.events.get(kind="DECIDED")
    assert event.message == f"Left as it is by ops@acme: {ack.name} changes nothing."
    assert not unresolved_acks.open_ones(AckFile.objects.all()).exists()
    assert "The ERP" not in re.sub("<[^>]*>", "", browser.get(page_url(ack)).content.decode()).partition("Open")[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("order", "took", "line"), [(("error", "ack"), True, "ACKED"), (("ack", "error"), False, "REJECTED")]
)
def test_a_decision_is_in_the_log(  # noqa: PLR0917
    order: tuple[str, str],
    took: bool,
    line: str,
    sent: ERPExport,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ack = conflict(sent, folder, *order)
    with caplog.at_level(logging.INFO, logger="exports.models.event_lines"):
        conflicts.decide(ack, took=took, actor="eva", reason="seen there")
    (told,) = (record.getMessage() for record in caplog.records if record.name == "exports.models.event_lines")
    assert told.startswith(f"{line}: order {sent.draft_order.external_order_number}, export {sent.filename}")
    assert told.endswith("Decided by eva: seen there")


def test_the_lists_action_leaves_what_contradicts_to_its_page(
    sent: ERPExport, folder: Path, organization: Organization
) -> None:
    ack = conflict(sent, folder, "error", "ack")
    chosen = {"action": "resolve", ACTION_CHECKBOX_NAME: [str(ack.pk)]}
    page = log_in(organization, Role.OPS).post(list_url(AckFile), chosen, follow=True).content.decode()
    assert "1 file contradicts another one: decide it on its page." in page
    assert conflicts.of_export(sent).get() == ack


def test_a_decision_is_made_once(sent: ERPExport, folder: Path) -> None:
    ack = conflict(sent, folder, "ack", "error")
    conflicts.decide(ack, took=False, actor="eva", reason="none there")
    for took in (True, False):
        with pytest.raises(NotOpen, match="was resolved before"):
            conflicts.decide(ack, took=took, actor="bob", reason="again")
    assert states(sent) == ("FAILED", "ERROR")
    assert sent.events.filter(kind="DECIDED").count() == 1


def test_what_the_first_file_says_already_is_not_decided(sent: ERPExport, folder: Path) -> None:
    ack = conflict(sent, folder, "ack", "error")
    with pytest.raises(NotOpen):
        conflicts.decide(ack, took=True, actor="eva", reason="it is there")
    assert states(sent) == ("ACKED", "PUSHED")
    assert unresolved_acks.open_ones(AckFile.objects.all()).get() == ack
    assert not sent.events.filter(kind="DECIDED").exists()


def test_an_order_that_went_on_is_left_alone(sent: ERPExport, folder: Path, organization: Organization) -> None:
    """It was retried while the file was open: counting the first export would hide the second."""
    ack = conflict(sent, folder, "error", "ack")
    newer = push_service.retry(PushRequest(order=sent.draft_order, actor="ops"))
    with pytest.raises(NotOpen, match="was retried"):
        conflicts.decide(ack, took=True, actor="eva", reason="SO-1 is there")
    newer.refresh_from_db()
    assert (states(sent)[0], newer.status) == ("FAILED", "PENDING")
    page = log_in(organization, Role.OPS).get(page_url(ack)).content.decode()
    assert "The ERP took the order…" not in page
    assert "Leave it as it is" in page
    assert "so nothing can be decided here" in page
    assert "use the buttons on this file" not in unescape(page)


def test_an_order_that_was_edited_since_is_left_alone(sent: ERPExport, folder: Path) -> None:
    """Both rows move, or neither does."""
    ack = conflict(sent, folder, "error", "ack")
    DraftOrder.objects.update(status="READY")
    with pytest.raises(NotOpen, match="its order was changed"):
        conflicts.decide(ack, took=True, actor="eva", reason="SO-1 is there")
    assert states(sent) == ("FAILED", "READY")


def test_a_page_that_is_out_of_date_decides_nothing(sent: ERPExport, folder: Path, browser: Client) -> None:
    ack = conflict(sent, folder, "ack", "error")
    question = press(browser, browser.get(page_url(ack)).content.decode(), "The ERP did not take the order…")
    unresolved_acks.resolve(ack, actor="bob")
    page = press(browser, question, "The ERP did not take the order", reason="none there")
    assert "Nothing was done" in page
    assert states(sent) == ("ACKED", "PUSHED")


def test_several_are_decided_in_the_list(
    push: Push, connection: ERPConnection, folder: Path, browser: Client, organization: Organization
) -> None:
    exports = [push(), push()]
    drain.drain(connection.pk)
    for kind in ("ack", "error"):
        for export in exports:
            (folder / "acks" / f"{kind}_{export.filename}").write_text(json.dumps(BODIES[kind]))
        ack_poller.poll(connection.pk)
    found = AckFile.objects.filter(verdict="CONFLICT")
    chosen = {"action": "mark_not_taken", ACTION_CHECKBOX_NAME: [str(ack.pk) for ack in found]}
    question = log_in(organization, Role.OPS).post(list_url(AckFile), chosen).content.decode()
    browser.last_url = list_url(AckFile)  # type: ignore[attr-defined] # where the form without an action goes
    assert question.count('name="_selected_action"') == 2
    hidden = re.findall(r'name="(_[^"]+)" value="([^"]*)"', question)
    sent = {"action": "mark_not_taken", "reason": "none there", ACTION_CHECKBOX_NAME: chosen[ACTION_CHECKBOX_NAME]}
    sent |= {"confirmed": "yes", **{name: unescape(value) for name, value in hidden if name.startswith("_seen")}}
    page = browser.post(list_url(AckFile), sent, follow=True).content.decode()
    assert "2 acknowledgement files decided: the ERP did not take the order." in page
    assert set(ERPExport.objects.values_list("status", "draft_order__status")) == {("FAILED", "ERROR")}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.INTEGRATOR])
def test_who_may_not_push_does_not_decide(
    role: Role, sent: ERPExport, folder: Path, organization: Organization
) -> None:
    ack = conflict(sent, folder, "ack", "error")
    client = log_in(organization, role)
    assert "The ERP did not take the order…" not in client.get(page_url(ack)).content.decode()
    response = client.post(page_url(ack, "do", "mark_not_taken"), {"reason": "none there"})
    assert response.status_code == 403
    assert states(sent) == ("ACKED", "PUSHED")
