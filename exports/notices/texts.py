"""What a notice says: what is wrong, since when, how many orders wait, what to do, and where."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from connectors.hostile_text import tame
from exports import unread_acks
from exports.models import ERPExport
from exports.notices.models import Incident
from exports.transitions import ExportStatus

Kind = Incident.Kind

IS = {
    Kind.BLOCKED: "is blocked",
    Kind.PAUSED: "is paused, because its server cannot be used",
    Kind.FAILING: "has exports that fail",
    Kind.OVERDUE: "has answers that are overdue",
    Kind.HELD: "is held, as all connections are, because the database went back in time",
}
WAS = {
    Kind.BLOCKED: "was blocked",
    Kind.PAUSED: "was paused",
    Kind.FAILING: "had exports that failed",
    Kind.OVERDUE: "had answers that were overdue",
    Kind.HELD: "was held, as all connections were",
}
WHAT_TO_DO = {
    Kind.BLOCKED: "Correct the connection and test it. A test that passes lets the orders go.",
    Kind.PAUSED: "Nothing, if its server is known to be down: it is tried again. Otherwise test the connection.",
    Kind.FAILING: "Look at the causes on the dashboard, mend them, and retry the exports there.",
    Kind.HELD: "Run `manage.py recover` on the server. Orders can be pushed, and wait until then.",
    Kind.OVERDUE: "Ask the ERP's operator whether the orders arrived. What did not can be given up and retried.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """`subject` is one line, whatever the names in it."""

    subject: str
    body: str


def opening(incident: Incident) -> Text:
    what = IS[Kind(incident.kind)]
    return Text(
        subject=_subject(incident, what),
        body=_paragraphs(
            f"{_name(incident)} {what}, since {_time(incident.opened_at)}.",
            _reason(incident),
            _orders(incident),
            f"What to do: {_what_to_do(incident)}",
            _link(incident),
            "You get one more message, when this is over.",
        ),
    )


def closing(incident: Incident) -> Text:
    what, took = WAS[Kind(incident.kind)], timesince(incident.opened_at, incident.closed_at)
    return Text(
        subject=_subject(incident, f"over, it {what}"),
        body=_paragraphs(
            f"{_name(incident)} {what}, since {_time(incident.opened_at)}.",
            f"That is over since {_time(incident.closed_at)}, after {took}.",
            _orders(incident),
            _link(incident),
        ),
    )


def _subject(incident: Incident, what: str) -> str:
    return tame(f"[OrderFlow] {incident.organization}, {incident.connection}: {what}")


def _name(incident: Incident) -> str:
    return tame(f"Connection {incident.connection.name!r} of {incident.organization}")


def _reason(incident: Incident) -> str:
    if incident.kind == Kind.BLOCKED:
        return f"Why: {tame(incident.connection.blocked_reason)}"
    return ""


def _what_to_do(incident: Incident) -> str:
    advice = unread_acks.advice(_overdue(incident)) if incident.kind == Kind.OVERDUE else ""
    return advice or WHAT_TO_DO[Kind(incident.kind)]


def _overdue(incident: Incident) -> QuerySet[ERPExport]:
    rows = ERPExport.objects.filter(connection=incident.connection, status=ExportStatus.SENT)
    return rows.filter(answer_due_at__lt=timezone.now())


def _orders(incident: Incident) -> str:
    rows = ERPExport.objects.filter(connection=incident.connection)
    waiting = rows.filter(status=ExportStatus.PENDING).count()
    told = [f"Orders that wait to be sent: {waiting}."]
    if incident.kind == Kind.FAILING:
        failed = rows.filter(status=ExportStatus.FAILED, settled_at__gte=incident.opened_at)
        told.append(f"Failed since it began: {failed.count()}.")
    if incident.kind == Kind.OVERDUE:
        told.append(f"Sent, and not answered in time: {_overdue(incident).count()}.")
    return " ".join(told)


def _link(incident: Incident) -> str:
    if incident.kind == Kind.FAILING:
        return f"{settings.PUBLIC_URL}{reverse('admin:index')}"
    page = reverse("admin:connectors_erpconnection_change", args=[incident.connection_id])
    return f"{settings.PUBLIC_URL}{page}"


def _time(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M %Z}" if at else ""


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text) + "\n"
