"""Notices by e-mail, through a real SMTP server."""

import logging
import threading
from typing import Any

import pytest
from django.db import connections
from django.db.models import CharField, Value
from django.utils import timezone

from connectors.connections import health
from connectors.models import ERPConnection
from exports.incidents import mailer
from exports.incidents.models import Incident, Recipient
from exports.incidents.tasks import watch
from exports.models import ERPExport
from orderflow.tenancy.models import Organization
from tests.exports.conftest import Push
from tests.exports.incidents.conftest import later, make_overdue
from tests.servers.ports import free_port
from tests.servers.smtp import Mailbox


@pytest.fixture
def blocked(connection: ERPConnection, push: Push) -> ERPConnection:
    push()
    health.block(connection.pk, "The log-in was refused. Check user and password.")
    return connection


@pytest.fixture
def sent_and_overdue(sent: ERPExport) -> ERPExport:
    make_overdue(sent)
    return sent


def test_an_incident_is_told_once_and_once_when_it_is_over(
    mailbox: Mailbox, recipient: Recipient, blocked: ERPConnection, settings: Any
) -> None:
    settings.PUBLIC_URL, settings.DEFAULT_FROM_EMAIL = "https://orders.acme.example", "orderflow@acme.example"
    for _ in range(3):
        watch()
    assert mailbox.subjects == ["[OrderFlow] Acme, Folder: connection blocked"]
    (mail,) = mailbox.mails
    assert (mail["To"], mail["From"]) == ("night@acme.example", "orderflow@acme.example")
    body = mail.get_content()
    since = f"{ERPConnection.objects.get().blocked_at:%Y-%m-%d %H:%M} UTC"
    link = f"https://orders.acme.example/admin/connectors/erpconnection/{blocked.pk}/change/"
    order = ERPExport.objects.get()
    waiting = f"- Order {order.draft_order}, TOMSP Toms Spezialitäten: {order.filename}"
    for text in (since, "Reason: The log-in was refused.", waiting, "What to do: Correct", link):
        assert text in body
    health.release(blocked.pk, actor="ops", cause="A test passed.")
    for _ in range(3):
        watch()
    assert mailbox.subjects[1:] == ["[OrderFlow] Acme, Folder: resolved: connection blocked"]
    assert "Resolved at" in mailbox.mails[1].get_content()


def test_each_gets_what_was_ticked_for_the_own_organization(
    mailbox: Mailbox, organization: Organization, sent_and_overdue: ERPExport, blocked: ERPConnection
) -> None:
    """S1."""
    globex = Organization.objects.create(name="Globex", slug="globex")
    Recipient.objects.create(organization=globex, email="ops@globex.example")
    Recipient.objects.create(organization=organization, email="all@acme.example")
    Recipient.objects.create(organization=organization, email="it@acme.example", answers=False)
    Recipient.objects.create(organization=organization, email="sales@acme.example", connections=False)
    watch()
    told = {str(mail["Subject"]): str(mail["To"]) for mail in mailbox.mails}
    assert told == {
        "[OrderFlow] Acme, Folder: connection blocked": "all@acme.example, it@acme.example",
        "[OrderFlow] Acme, Folder: overdue acknowledgements: 1": "all@acme.example, sales@acme.example",
    }


def test_a_mail_that_is_refused_is_tried_again_and_logged(
    mailbox: Mailbox, recipient: Recipient, blocked: ERPConnection, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.refusing = "451 Come back later."
    with caplog.at_level(logging.WARNING):
        watch()
    assert (mailbox.asked, mailbox.mails) == (1, [])
    assert "is tried again" in caplog.text
    # Another worker might just be at it.
    watch()
    assert mailbox.asked == 1
    mailbox.refusing = ""
    later()
    watch()
    later()
    watch()
    assert len(mailbox.mails) == 1


def test_a_server_that_is_away_costs_no_mail(
    mailbox: Mailbox, recipient: Recipient, blocked: ERPConnection, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_PORT = free_port()
    with caplog.at_level(logging.WARNING):
        watch()
    assert "The mail server cannot be used" in caplog.text
    settings.EMAIL_PORT = mailbox.port
    watch()
    assert len(mailbox.mails) == 1


def test_what_came_and_went_while_the_server_was_away_is_told_in_order(
    mailbox: Mailbox, recipient: Recipient, blocked: ERPConnection, settings: Any
) -> None:
    settings.EMAIL_PORT = free_port()
    watch()
    health.release(blocked.pk, actor="ops", cause="A test passed.")
    watch()
    settings.EMAIL_PORT = mailbox.port
    for _ in range(3):
        watch()
    about = "[OrderFlow] Acme, Folder: "
    assert mailbox.subjects == [f"{about}connection blocked", f"{about}resolved: connection blocked"]


def test_a_worker_that_died_while_it_sent_is_followed_by_another(
    mailbox: Mailbox, recipient: Recipient, blocked: ERPConnection
) -> None:
    """At least once: nobody can tell whether the mail left before it died."""
    mailbox.refusing = "451 It will die now."
    watch()
    mailbox.refusing = ""
    Incident.objects.update(tried_at=timezone.now())
    watch()
    assert mailbox.mails == []
    later()
    watch()
    assert len(mailbox.mails) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_one_mail(mailbox: Mailbox, recipient: Recipient, blocked: ERPConnection) -> None:
    together = threading.Barrier(2)

    def work() -> None:
        try:
            together.wait(10)
            watch()
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert len(mailbox.mails) == 1
    assert Incident.objects.count() == 1


def test_without_recipients_or_a_server_nothing_is_sent_and_nothing_is_made_up_for(
    mailbox: Mailbox, organization: Organization, blocked: ERPConnection, settings: Any
) -> None:
    watch()
    Recipient.objects.create(organization=organization, email="late@acme.example")
    watch()
    assert mailbox.asked == 0
    assert Incident.objects.get().notified_at is not None
    url, settings.EMAIL_URL = settings.EMAIL_URL, ""
    health.release(blocked.pk, actor="ops", cause="A test passed.")
    watch()
    settings.EMAIL_URL = url
    watch()
    assert mailbox.asked == 0


def test_names_and_texts_of_servers_make_no_header_and_no_line(
    mailbox: Mailbox, recipient: Recipient, connection: ERPConnection
) -> None:
    """S16."""
    hostile = "Evil\r\nBcc: thief@evil.example\r\n\r\nPay here\x1b[31m"
    # An expression, for no value of such a name is stored.
    ERPConnection.objects.update(name=Value(hostile, output_field=CharField()))
    health.block(connection.pk, hostile)
    watch()
    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert str(mail["To"]) == "night@acme.example"
    assert mail["Subject"].startswith("[OrderFlow] Acme, Evil Bcc: thief@evil.example Pay here")
    lines = mail.get_content().splitlines()
    assert "\x1b" not in mail.get_content()
    assert not [line for line in lines if line.startswith(("Bcc", "Pay here"))]


def test_more_than_one_run_sends_are_left_for_the_next(
    mailbox: Mailbox,
    recipient: Recipient,
    monkeypatch: pytest.MonkeyPatch,
    sent_and_overdue: ERPExport,
    blocked: ERPConnection,
) -> None:
    monkeypatch.setattr(mailer, "AT_ONCE", 1)
    watch()
    assert len(mailbox.mails) == 1
    watch()
    assert len(mailbox.mails) == 2
