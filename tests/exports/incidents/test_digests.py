"""What the e-mails about failed and overdue orders list, and how many there are."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from connectors.connections import health
from connectors.models import ERPConnection
from exports.incidents import mailer
from exports.incidents.models import Incident, IncidentItem, Recipient
from exports.incidents.tasks import watch
from exports.models import ERPExport
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.exports.conftest import Push
from tests.exports.incidents.conftest import digest_time, fail, later, make_overdue
from tests.servers.ports import free_port
from tests.servers.smtp import Mailbox
from tests.support.tenants import log_in, page_url

ABOUT = "[OrderFlow] Acme, Folder: "


def texts(mailbox: Mailbox) -> list[str]:
    return [mail.get_content() for mail in mailbox.mails]


def fixed(*exports: ERPExport) -> None:
    for export in exports:
        DraftOrder.objects.filter(pk=export.draft_order_id).move(OrderStatus.ERROR, OrderStatus.REJECTED)


def linked(organization: Organization, text: str) -> str:
    """The page that the e-mail links to."""
    (link,) = (line for line in text.splitlines() if line.startswith(django_settings.PUBLIC_URL))
    url = urlsplit(link)
    answer = log_in(organization, Role.OPS).get(f"{url.path}?{url.query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_one_rejected_order_is_told_with_its_customer_and_the_erps_words(
    mailbox: Mailbox, recipient: Recipient, push: Push, organization: Organization
) -> None:
    message = "Debitor K1O002 existiert nicht"
    export = fail(push, error_code="UNKNOWN_CUSTOMER", error_message=message)
    other = fail(push, cause=Cause.GIVEN_UP)
    watch()
    assert mailbox.subjects == [f"{ABOUT}failed orders: 1"]
    (text,) = texts(mailbox)
    rejected = Cause.ERP_REFUSED.label
    assert f"- Order {export.draft_order}, TOMSP Toms Spezialitäten: {rejected}: UNKNOWN_CUSTOMER: {message}" in text
    assert str(other.draft_order) not in text
    listed = linked(organization, text)
    assert page_url(export) in listed


def test_resolved_is_told_only_when_no_order_is_left_in_error(
    mailbox: Mailbox, recipient: Recipient, push: Push
) -> None:
    """Not when some minutes have passed without a further failure."""
    exports = [fail(push, ago=timedelta(hours=hours)) for hours in (1, 60)]
    watch()
    fixed(exports[0])
    for _ in range(3):
        digest_time()
        watch()
    assert mailbox.subjects == [f"{ABOUT}failed orders: 2"]
    fixed(exports[1])
    watch()
    assert mailbox.subjects[1:] == [f"{ABOUT}resolved: failed orders"]
    assert not IncidentItem.objects.exists()


def test_a_burst_is_one_mail_and_what_is_added_one_more_after_a_while(
    mailbox: Mailbox, recipient: Recipient, push: Push
) -> None:
    first = [fail(push) for _ in range(30)]
    watch()
    added = [fail(push) for _ in range(25)]
    for _ in range(5):
        watch()
    assert mailbox.subjects == [f"{ABOUT}failed orders: 30"]
    assert texts(mailbox)[0].count("- Order ") == 20
    assert "and 10 more." in texts(mailbox)[0]
    digest_time()
    for _ in range(3):
        watch()
    assert mailbox.subjects[1:] == [f"{ABOUT}more failed orders: 25"]
    told = texts(mailbox)[1]
    assert "and 5 more." in told
    listed = {line.partition(",")[0] for line in told.splitlines() if line.startswith("- ")}
    assert listed <= {f"- Order {export.draft_order}" for export in added}
    digest_time()
    watch()
    assert len(mailbox.mails) == 2
    fixed(*first, *added)
    watch()
    assert len(mailbox.mails) == 3


def test_an_addition_after_a_quiet_time_is_told_within_two_minutes(
    mailbox: Mailbox, recipient: Recipient, push: Push, settings: Any
) -> None:
    fail(push)
    watch()
    digest_time()
    watch()
    fail(push)
    # Nothing new was found a moment ago; the incident is looked at again after a minute.
    last = timezone.now() - timedelta(seconds=settings.ALERT_DIGEST_S + 1)
    assert Incident.objects.get().digest_at < last + timedelta(seconds=62)  # type: ignore[operator] # it was told
    Incident.objects.update(digest_at=last)
    watch()
    assert mailbox.subjects[1:] == [f"{ABOUT}more failed orders: 1"]


def test_what_an_addition_lists_is_not_lost_when_the_mail_is_refused(
    mailbox: Mailbox, recipient: Recipient, push: Push
) -> None:
    fail(push)
    watch()
    added = fail(push)
    digest_time()
    mailbox.refusing = "451 Come back later."
    watch()
    mailbox.refusing = ""
    later()
    watch()
    assert mailbox.subjects[1:] == [f"{ABOUT}more failed orders: 1"]
    assert str(added.draft_order) in texts(mailbox)[1]


def test_overdue_orders_are_named_with_their_files_and_the_list(
    mailbox: Mailbox, recipient: Recipient, sent: ERPExport, push: Push, organization: Organization
) -> None:
    make_overdue(sent)
    waiting = push()
    watch()
    assert mailbox.subjects == [f"{ABOUT}overdue acknowledgements: 1"]
    (text,) = texts(mailbox)
    assert f"- Order {sent.draft_order}, TOMSP Toms Spezialitäten: {sent.filename}, sent " in text
    listed = linked(organization, text)
    assert page_url(sent) in listed
    assert page_url(waiting) not in listed


def test_a_pause_is_told_with_its_reason_and_the_orders_that_wait(
    mailbox: Mailbox, recipient: Recipient, push: Push, connection: ERPConnection, organization: Organization
) -> None:
    port = free_port()
    exports = [push() for _ in range(4)]
    for _ in range(min(health.PAUSES)):
        health.record_failure(connection.pk, f"127.0.0.1:{port} refused the connection.")
    watch()
    assert mailbox.subjects == [f"{ABOUT}connection paused, server unreachable"]
    (text,) = texts(mailbox)
    assert f"127.0.0.1:{port} refused the connection." in text
    assert all(f"{export.draft_order}, " in text and export.filename in text for export in exports)
    listed = linked(organization, text)
    assert all(page_url(export) in listed for export in exports)


def test_texts_of_an_erp_begin_no_line(mailbox: Mailbox, recipient: Recipient, push: Push) -> None:
    """S16."""
    hostile = "x\r\n\r\nPay here: https://evil.example\x1b[31m" + "y" * 400
    fail(push, error_code="A B", error_message=hostile)
    watch()
    (text,) = texts(mailbox)
    assert "\x1b" not in text
    assert not [line for line in text.splitlines() if line.startswith(("Pay here", "A B"))]
    assert max(map(len, text.splitlines())) < 320


def test_who_is_added_later_gets_what_is_open_with_the_next_digest(
    mailbox: Mailbox, organization: Organization, push: Push
) -> None:
    export = fail(push)
    watch()
    Recipient.objects.create(organization=organization, email="late@acme.example")
    watch()
    assert mailbox.mails == []
    digest_time()
    watch()
    assert str(export.draft_order) in texts(mailbox)[0]


def test_an_order_that_fails_again_after_a_retry_is_told_again(
    mailbox: Mailbox, recipient: Recipient, push: Push, make_order: MakeOrder
) -> None:
    export = fail(push)
    watch()
    again = push(make_order(external_order_number="PO-77"))
    DraftOrder.objects.filter(pk=export.draft_order_id).move(OrderStatus.ERROR, OrderStatus.REJECTED)
    watch()
    ERPExport.objects.filter(pk=again.pk).move(ExportStatus.PENDING, ExportStatus.FAILED, settled_at=timezone.now())
    DraftOrder.objects.filter(pk=again.draft_order_id).move(OrderStatus.PUSHING, OrderStatus.ERROR)
    watch()
    about = [subject.removeprefix(ABOUT) for subject in mailbox.subjects]
    assert about == ["failed orders: 1", "resolved: failed orders", "failed orders: 1"]
    assert "PO-77" in texts(mailbox)[2]


def test_a_program_that_retries_what_is_rejected_again_and_again_causes_few_mails(
    mailbox: Mailbox, recipient: Recipient, push: Push
) -> None:
    for _ in range(10):
        export = fail(push)
        watch()
        fixed(export)
        watch()
    assert len(mailbox.mails) == 2 * mailer.OPENINGS
    last = fail(push)
    watch()
    assert len(mailbox.mails) == 2 * mailer.OPENINGS
    digest_time()
    watch()
    assert mailbox.subjects[-1] == f"{ABOUT}failed orders: 1"
    assert str(last.draft_order) in texts(mailbox)[-1]


@pytest.mark.parametrize("switch", ["failures", "answers", "connections", "parts"])
def test_each_kind_has_the_switch_that_names_it(
    mailbox: Mailbox, organization: Organization, push: Push, switch: str
) -> None:
    switches = dict.fromkeys(("failures", "answers", "connections", "parts"), False) | {switch: True}
    Recipient.objects.create(organization=organization, email="one@acme.example", **switches)
    fail(push)
    watch()
    assert len(mailbox.mails) == (switch == "failures")
