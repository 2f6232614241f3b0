"""Whether e-mails about incidents reach people: alerts that nobody receives, rejected ones, and a test e-mail."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core import mail
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from connectors.text.sanitize import tame
from exports.incidents import mail_server
from exports.incidents.models import MailFailure, Recipient
from orderflow.tenancy.models import Organization

SWITCHES = ("connections", "failures", "answers", "parts")
# So many reasons are given.
NAMED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """An organization whose alerts do not reach everybody or anybody; `text` says why and what to do."""

    organization: Organization
    text: str

    @property
    def url(self) -> str:
        return reverse("admin:tenancy_organization_change", args=[self.organization.pk])


def gaps(organizations: QuerySet[Organization], most: int) -> list[Gap]:
    """Of the first organizations that have any, `most` at most; none while no e-mail leaves the server at all."""
    if not settings.EMAIL_URL:
        return []
    received: dict[str, Any] = {
        f"has_{name}": Exists(Recipient.objects.filter(organization=OuterRef("pk"), **{name: True}))
        for name in SWITCHES
    }
    lacking = ~Q(**dict.fromkeys(received, True)) | Exists(_failures(OuterRef("pk")))
    rows = organizations.annotate(**received).filter(lacking)
    found = [Gap(organization=row, text=text) for row in rows[:most] for text in (_nobody(row), _failure(row)) if text]
    return found[:most]


def _nobody(row: Any) -> str:
    lacking = [name for name in SWITCHES if not getattr(row, f"has_{name}")]
    if not lacking:
        return ""
    fields = (Recipient._meta.get_field(name) for name in lacking)
    about = "; ".join(str(getattr(field, "verbose_name", "")) for field in fields)
    what = "Nobody receives e-mail alerts" + ("" if len(lacking) == len(SWITCHES) else f" about: {about}")
    return f"{what}. Add a recipient on the page of the organization."


def _failures(organization: Any) -> QuerySet[MailFailure]:
    """Of its present recipients, the last failure first."""
    recipients = Recipient.objects.filter(organization=OuterRef("organization"), email=OuterRef("email"))
    rows = MailFailure.objects.filter(Exists(recipients), organization=organization)
    return rows.order_by("-failed_at", "email")


def _failure(row: Any) -> str:
    failures = list(_failures(row.pk))
    if not failures:
        return ""
    at = f"{timezone.localtime(failures[0].failed_at):%Y-%m-%d %H:%M %Z}"
    # One that concerned all of them is said once.
    reasons = list(dict.fromkeys(tame(failure.reason) for failure in failures))
    more = f" {len(reasons) - NAMED:,} more." if len(reasons) > NAMED else ""
    next_step = "Correct the address or EMAIL_URL, then send a test e-mail from the page of the organization."
    return (
        f"The last e-mail alert was not accepted for every recipient, at {at}. {' '.join(reasons[:NAMED])}{more} "
        f"{next_step}"
    )


def send_test(organization: Organization, *, actor: str) -> tuple[list[str], str]:
    """An e-mail to all recipients of the organization. Gives those for whom the mail server accepted it, and in words
    what it rejected, which is kept as for an alert."""
    addresses = list(organization.notice_recipients.values_list("email", flat=True))
    if not addresses:
        return [], "There is no recipient. Add one and save the page first."
    subject = tame(f"[OrderFlow] {organization}: test e-mail")
    body = tame(f"{actor} sent this e-mail to check that alerts of {organization} arrive. No incident is behind it.")
    try:
        with mail_server.session() as (server, refused):
            mail.EmailMessage(subject, f"{body}\n", to=addresses, connection=server).send()
    except OSError as error:
        mail_server.failed(organization.pk, addresses, mail_server.reason(error))
        return [], mail_server.reason(error)
    mail_server.accepted(organization.pk, addresses, refused)
    return [each for each in addresses if not mail_server.answer_about(each, refused)], mail_server.rejected(refused)
