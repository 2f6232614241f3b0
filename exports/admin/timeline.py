"""An export's history for people: where it stands in one sentence, and each step with what is known of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import formats, timezone
from django.utils.timesince import timesince, timeuntil

from exports.acks import reading_obstacles
from exports.acks import unread as unread_acks
from exports.admin.durations import duration_text
from exports.decisions import next_attempt
from exports.models import ERPExport, EventKind, ExportEvent, installation
from exports.models.status import ExportStatus

S = ExportStatus

COLOURS = {
    EventKind.STAGED: "info",
    EventKind.SENT: "warning",
    EventKind.RETRY: "warning",
    EventKind.BLOCKED: "danger",
    EventKind.UNDECIDED: "danger",
    EventKind.FAILED: "danger",
    EventKind.GIVEN_UP: "danger",
    EventKind.WITHDRAWN: "danger",
    EventKind.CONFLICT: "danger",
    EventKind.LATE: "warning",
    EventKind.ACKED: "success",
    EventKind.RECOVERED: "warning",
    EventKind.ACKS_LEFT: "warning",
}

# In this order, whatever else there is behind them by its own name.
LABELS = {
    "try": "Try",
    "duration_ms": "Took",
    "path": "Remote path",
    "bytes": "Bytes",
    "sha256": "SHA-256",
    "next_attempt_at": "Next try at",
    "file": "Answer file",
    "erp_order_id": "ERP order id",
    "error_code": "Error code",
    "processed_at": "Processed at",
    "ack_place": "Acknowledgement expected in",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One event. `facts` are pairs of label and value."""

    at: datetime
    title: str
    colour: str
    actor: str
    message: str
    facts: tuple[tuple[str, str], ...]


def steps(export: ERPExport) -> list[Step]:
    return [_step(event) for event in export.events.all()]


def standing(export: ERPExport) -> str:
    """Where it stands, since when, and what comes next."""
    if export.status == S.ACKED:
        number = f" as {export.erp_order_id}" if export.erp_order_id else ""
        return f"The ERP has it{number}; it answered{_ago(export.settled_at)}."
    if export.status == S.FAILED:
        return f"It failed{_ago(export.settled_at)}. Nothing more happens by itself."
    if export.status == S.SENT:
        return f"It was put where the ERP picks it up{_ago(export.sent_at)}. {_answer(export)}"
    if export.undecided_since:
        began = _ago(export.undecided_since)
        return f"In doubt{began}: it may have arrived. A person decides; it is not sent again."
    return f"It waits, pushed{_ago(export.created_at)}. {_all_held() or next_attempt.sentence(export)}"


def _all_held() -> str:
    held = installation.held()
    return f"All deliveries are held: {held.held_because}" if held else ""


def _answer(export: ERPExport) -> str:
    due = export.answer_due_at
    if due is None:
        return "This ERP does not answer."
    if due < timezone.now():
        if why := reading_obstacles.obstacle(export.connection):
            return f"The answer is overdue for {timesince(due)}, and OrderFlow is not reading the answers. {why}"
        unread = unread_acks.named(unread_acks.waiting_for(ERPExport.objects.filter(pk=export.pk)))
        return f"The answer is overdue for {timesince(due)}{f'; {unread} could not be read' if unread else ''}."
    return f"The answer is due in {timeuntil(due)}."


def _ago(at: datetime | None) -> str:
    return f" {naturaltime(at)}" if at else ""


def _step(event: ExportEvent) -> Step:
    return Step(
        at=event.at,
        title=event.get_kind_display(),
        colour=COLOURS.get(EventKind(event.kind), ""),
        actor=event.actor,
        message=event.message,
        facts=tuple(_facts(event.detail)),
    )


def _facts(detail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in [*LABELS, *(name for name in detail if name not in LABELS)]:
        value = detail.get(name)
        if value not in (None, ""):
            yield LABELS.get(name, name), _told(name, value)


def _told(name: str, value: Any) -> str:
    if name == "duration_ms":
        return duration_text(timedelta(milliseconds=value))
    if name == "bytes":
        return f"{value:,}"
    if name in ("next_attempt_at", "processed_at"):
        return _local(value)
    return str(value)


def _local(text: str) -> str:
    """What an ERP wrote may be no time of ours."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return formats.localize(timezone.localtime(at)) if timezone.is_aware(at) else text
