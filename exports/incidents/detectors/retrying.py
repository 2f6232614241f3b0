"""Orders whose own attempts fail while others of their connection leave: nothing is paused or FAILED, and the schedule
of attempts goes on for 17 hours."""

from collections.abc import Iterator
from typing import Any

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from connectors.models import ERPConnection
from connectors.text.sanitize import tame
from exports.decisions import next_attempt
from exports.incidents.detectors import waiting
from exports.incidents.detectors.connections import Trouble
from exports.incidents.models import Incident
from exports.models import ERPExport, EventKind, ExportEvent, installation

NAMED = 3


def troubles() -> Iterator[Trouble]:
    """From the third failed attempt of an order until it is SENT or FAILED. It begins only if nothing else explains the
    failures: those of a connection that is paused or blocked have an incident."""
    first = waiting.failing(ERPExport.objects.filter(connection=OuterRef("pk"))).order_by("created_at")
    # As a value for each connection: one look into the index of what is pending.
    rows = ERPConnection.objects.annotate(failing=Subquery(first.values("pk")[:1])).filter(failing__isnull=False)
    found = list(rows.order_by().only("organization", "status", "blocked_at", "failures_in_a_row"))
    explained = waiting.explained({row.organization_id for row in found})
    is_held = bool(found) and installation.held() is not None
    for row in found:
        yield _of(row, begins=waiting.is_usable(row, explained) and not is_held)


def sentence(incident: Incident) -> str:
    """The first orders, each with what its last attempt met and when the next one is."""
    rows = waiting.failing(ERPExport.objects.filter(connection=incident.connection_id)).order_by("created_at")
    listed = rows.select_related("draft_order", "connection").defer("connection__config_encrypted")
    named = " ".join(f"Order {tame(str(each.draft_order))}: {line(each)}" for each in listed[:NAMED])
    more = max(rows.count() - NAMED, 0)
    return f"{named} {more:,} more." if more else named


def line(export: ERPExport) -> str:
    """What comes from a server is last: it may be long, and is cut."""
    cause = f" The last one: {tame(export.error_message)}" if export.error_message else ""
    return f"{export.tries} attempts failed. {next_attempt.sentence(export)}{cause}"


def _of(row: Any, *, begins: bool) -> Trouble:
    export = ERPExport.objects.filter(pk=row.failing).only("error_message").first()
    failed = ExportEvent.objects.filter(export=row.failing, kind=EventKind.RETRY).order_by("id")
    since = failed.values_list("at", flat=True).first() or timezone.now()
    return Trouble(
        organization_id=row.organization_id,
        kind=Incident.Kind.RETRYING,
        since=since,
        connection_id=row.pk,
        subject=str(row.pk),
        reason=export.error_message if export else "",
        begins=begins,
    )
