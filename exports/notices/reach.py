"""Whether e-mails about incidents reach people: alerts that nobody receives, rejected ones, and a test e-mail."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core import mail
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from connectors.hostile_text import tame
from exports.notices import mail_server
from exports.notices.models import Recipient
from orderflow.tenancy.models import Organization

SWITCHES = ("connections", "failures", "answers", "parts")


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
    lacking = ~Q(**dict.fromkeys(received, True)) | Q(mail_failure__isnull=False)
    rows = organizations.annotate(**received).filter(lacking).select_related("mail_failure")
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


def _failure(row: Any) -> str:
    failure = getattr(row, "mail_failure", None)
    if failure is None:
        return ""
    at = f"{timezone.localtime(failure.failed_at):%Y-%m-%d %H:%M %Z}"
    next_step = "Correct the address or EMAIL_URL, then send a test e-mail from the page of the organization."
    return f"The last e-mail alert was not accepted for every recipient, at {at}. {tame(failure.reason)} {next_step}"


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
        mail_server.failed([organization.pk], mail_server.reason(error))
        return [], mail_server.reason(error)
    mail_server.accepted(organization.pk, refused)
    return [each for each in addresses if each not in refused], mail_server.rejected(refused)
