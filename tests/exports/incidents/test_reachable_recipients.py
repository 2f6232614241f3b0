"""Whether alerts reach people is on the dashboard of administrators, and a test e-mail shows it."""

import base64
import smtplib
from typing import Any

import pytest
from django.core.mail.message import sanitize_address

from connectors.connections import health
from connectors.models import ERPConnection
from exports.incidents import mail_server
from exports.incidents.models import MailFailure, Recipient
from exports.incidents.tasks import watch
from exports.models import ERPExport
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.exports.incidents.conftest import later
from tests.servers.ports import free_port
from tests.servers.smtp import Mailbox
from tests.support.tenants import log_in, log_in_superuser, page_url

NOBODY = "Nobody receives e-mail alerts"
NOT_ACCEPTED = "The last e-mail alert was not accepted for every recipient, at "


def dashboard(organization: Organization, role: Role = Role.ADMIN) -> str:
    return " ".join(log_in(organization, role).get("/admin/").content.decode().split())


def page(organization: Organization) -> str:
    return log_in(organization, Role.ADMIN).get(page_url(organization)).content.decode()


def send_test(organization: Organization, role: Role = Role.ADMIN) -> Any:
    return log_in(organization, role).post(page_url(organization, "do", "send_test_email"), follow=True)


@pytest.fixture
def blocked(connection: ERPConnection) -> ERPConnection:
    health.block(connection.pk, "The log-in was refused.")
    return connection


def test_administrators_see_that_nobody_receives_alerts(
    mailbox: Mailbox, organization: Organization, connection: ERPConnection
) -> None:
    shown = dashboard(organization)
    assert f"{NOBODY}. Add a recipient" in shown
    assert f'href="{page_url(organization)}"' in shown
    assert NOBODY in page(organization)
    for role in (Role.INTEGRATOR, Role.OPS, Role.VIEWER):
        assert NOBODY not in dashboard(organization, role)
    recipient = Recipient.objects.create(organization=organization, email="night@acme.example", failures=False)
    assert f"{NOBODY} about: exports that failed, are retried or in doubt. Add" in dashboard(organization)
    Recipient.objects.filter(pk=recipient.pk).update(failures=True)
    assert NOBODY not in dashboard(organization)
    assert NOBODY not in page(organization)


def test_without_a_mail_server_the_page_names_that_alone(organization: Organization, sent: ERPExport) -> None:
    shown = dashboard(organization)
    assert NOBODY not in shown
    assert "EMAIL_URL is not set" in shown


def test_the_gaps_of_another_organization_are_not_seen(mailbox: Mailbox, organization: Organization) -> None:
    """S1."""
    Recipient.objects.create(organization=organization, email="night@acme.example")
    globex = Organization.objects.create(name="Globex", slug="globex")
    Recipient.objects.create(organization=globex, email="day@globex.example", failures=False)
    mail_server.failed(globex.pk, ["day@globex.example"], "The mail server responded: 550 No.")
    assert NOBODY not in dashboard(organization)
    assert NOT_ACCEPTED not in dashboard(organization)
    everything = log_in_superuser().get("/admin/").content.decode()
    assert NOBODY in everything
    assert "550 No." in everything


@pytest.mark.usefixtures("recipient")
def test_an_alert_that_the_mail_server_rejects_is_on_the_dashboard_until_one_is_accepted(
    mailbox: Mailbox, organization: Organization, blocked: ERPConnection
) -> None:
    mailbox.refusing = "550 5.7.1 Relaying denied."
    watch()
    assert f"{NOT_ACCEPTED}" in dashboard(organization)
    assert "The mail server responded: 550 5.7.1 Relaying denied." in dashboard(organization)
    assert "550 5.7.1 Relaying denied." in page(organization)
    assert NOT_ACCEPTED not in dashboard(organization, Role.OPS)
    mailbox.refusing = ""
    later()
    watch()
    assert len(mailbox.mails) == 1
    assert NOT_ACCEPTED not in dashboard(organization)
    assert not MailFailure.objects.exists()


@pytest.mark.usefixtures("recipient")
def test_a_mail_server_that_is_away_is_on_the_dashboard(
    mailbox: Mailbox, organization: Organization, blocked: ERPConnection, settings: Any
) -> None:
    settings.EMAIL_PORT = free_port()
    watch()
    assert "The mail server cannot be used: " in dashboard(organization)
    settings.EMAIL_PORT = mailbox.port
    watch()
    assert NOT_ACCEPTED not in dashboard(organization)


def test_one_of_several_recipients_who_is_rejected_is_named_and_the_others_get_the_alert_once(
    mailbox: Mailbox, organization: Organization, blocked: ERPConnection
) -> None:
    for address in ("gone@acme.example", "night@acme.example"):
        Recipient.objects.create(organization=organization, email=address)
    mailbox.unknown = {"gone@acme.example": "550 5.1.1 No such user."}
    for _ in range(2):
        watch()
        later()
    assert len(mailbox.mails) == 1
    shown = dashboard(organization)
    assert "The mail server rejected gone@acme.example: 550 5.1.1 No such user." in shown
    assert "night@acme.example" not in shown


def test_an_administrator_sends_a_test_email_and_sees_the_answer(mailbox: Mailbox, organization: Organization) -> None:
    assert "Send a test e-mail" not in page(organization)
    for address in ("gone@acme.example", "night@acme.example"):
        Recipient.objects.create(organization=organization, email=address)
    assert "Send a test e-mail" in page(organization)
    mailbox.unknown = {"gone@acme.example": "550 5.1.1 No such user."}
    answer = send_test(organization).content.decode()
    assert "The mail server accepted the test e-mail to night@acme.example. Check that it arrives." in answer
    assert "The mail server rejected gone@acme.example: 550 5.1.1 No such user." in answer
    mailbox.unknown, mailbox.refusing = {}, "554 Blocked."
    assert "The mail server responded: 554 Blocked." in send_test(organization).content.decode()
    mailbox.refusing = ""
    answer = send_test(organization).content.decode()
    assert "to gone@acme.example, night@acme.example." in answer
    assert NOT_ACCEPTED not in answer
    assert mailbox.subjects == ["[OrderFlow] Acme: test e-mail"] * 2
    assert AuditEntry.objects.filter(action="send test e-mail", actor="admin@acme").count() == 3


@pytest.mark.usefixtures("recipient")
@pytest.mark.parametrize("role", [Role.INTEGRATOR, Role.OPS, Role.VIEWER])
def test_nobody_else_sends_one(mailbox: Mailbox, organization: Organization, role: Role) -> None:
    """S14."""
    assert send_test(organization, role).status_code == 403
    assert mailbox.asked == 0


def test_a_reason_repeats_no_password_and_begins_no_line(settings: Any) -> None:
    """S16."""
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "orders", "correct horse"
    sent_by_client = base64.b64encode(b"\0orders\0correct horse").decode()
    answer = f"5.7.8 bad: correct horse, {sent_by_client}\r\nPay here\x1b[31m"
    text = mail_server.reason(smtplib.SMTPAuthenticationError(535, answer.encode()))
    assert text.startswith("The mail server rejected the login of EMAIL_URL: 535 5.7.8 bad: ***, ***")
    assert "\n" not in text
    assert "\x1b" not in text
    assert "correct horse" not in text


def test_a_rejected_recipient_stays_on_the_dashboard_until_accepted_or_removed(
    mailbox: Mailbox, organization: Organization, blocked: ERPConnection
) -> None:
    gone = Recipient.objects.create(organization=organization, email="gone@acme.example", parts=False)
    mailbox.unknown = {"gone@acme.example": "550 5.1.1 No such user."}
    watch()
    assert "rejected gone@acme.example: 550" in dashboard(organization)
    later()
    Recipient.objects.create(organization=organization, email="night@acme.example")
    Recipient.objects.filter(pk=gone.pk).update(connections=False)
    watch()
    assert len(mailbox.mails) == 1
    assert "rejected gone@acme.example: 550" in dashboard(organization)
    gone.delete()
    assert NOT_ACCEPTED not in dashboard(organization)


def test_an_address_that_is_encoded_on_its_way_is_recognized(organization: Organization) -> None:
    for address in ("night@mühle.example", "day@acme.example"):
        Recipient.objects.create(organization=organization, email=address)
    refused = {sanitize_address("night@mühle.example", "utf-8"): (550, b"No such user.")}
    mail_server.accepted(organization.pk, ["night@mühle.example", "day@acme.example"], refused)
    assert list(MailFailure.objects.values_list("email", flat=True)) == ["night@mühle.example"]
