"""The orders and files that an open incident is about: what its e-mails list and link to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat, Now, Replace
from django.urls import reverse
from django.utils import timezone

from connectors.text.sanitize import tame
from exports.acks import unresolved as unresolved_acks
from exports.admin import filters as open_filters
from exports.admin.filters import OPEN
from exports.decisions import failure_groups, next_attempt
from exports.documents import archive
from exports.incidents.detectors import certificates, components, retrying, waiting, webhooks
from exports.incidents.models import Incident, IncidentItem
from exports.models import AckFile, ERPExport
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus
from orderflow.api.models import ApiToken

Kind = Incident.Kind

# In one e-mail.
LISTED = 20
# No more are counted and remembered as listed.
COUNTED = 5_000
LINE = 300
# What is added while these are open is reported too.
STAGED = (Kind.TOKEN, Kind.CERT)
DIGESTED = (
    *(Kind.FAILING, Kind.IN_DOUBT, Kind.OVERDUE, Kind.ACKS, Kind.DISABLED, Kind.WAITING, Kind.RETRYING, Kind.HOOKLOST),
    *STAGED,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """`keys` of all that no e-mail about the incident has listed or counted, `lines` about the first of them."""

    keys: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def count(self) -> str:
        return f"{COUNTED:,} or more" if len(self.keys) >= COUNTED else f"{len(self.keys):,}"

    @property
    def left(self) -> int:
        return len(self.keys) - len(self.lines)


def untold(incident: Incident) -> Contents:
    if incident.kind in STAGED:
        return _stages(incident)
    found = _rows(incident)
    if found is None:
        return Contents()
    rows, line = found
    told = IncidentItem.objects.filter(incident=incident, key=OuterRef("item_key"))
    new = rows.annotate(item_key=_key(incident)).filter(~Exists(told))
    first = list(new[:LISTED])
    keys = dict.fromkeys((*(row.item_key for row in first), *new.values_list("item_key", flat=True)[:COUNTED]))
    return Contents(keys=tuple(keys)[:COUNTED], lines=tuple(line(row)[:LINE] for row in first))


def page(incident: Incident) -> str:
    """The path of what the e-mail links to: the list of the orders or files, or the page of what is concerned."""
    of_connection = {"connection__id__exact": incident.connection_id}
    unsent = {"status__exact": ExportStatus.PENDING, "undecided_since__isnull": True, **of_connection}
    pages: dict[str, Callable[[], str]] = {
        Kind.PAUSED: lambda: open_filters.exports_url(status__exact=ExportStatus.PENDING, **of_connection),
        Kind.FAILING: lambda: open_filters.exports_url(**{OPEN: open_filters.FAILED}, **of_connection),
        Kind.OVERDUE: lambda: open_filters.exports_url(**{OPEN: open_filters.OVERDUE}, **of_connection),
        Kind.IN_DOUBT: lambda: open_filters.exports_url(undecided_since__isnull=False, **of_connection),
        Kind.ACKS: lambda: open_filters.acks_url(**{OPEN: open_filters.TO_CHECK}, **of_connection),
        Kind.WEBHOOK: lambda: reverse("admin:exports_webhookendpoint_change", args=[incident.subject]),
        Kind.TOKEN: lambda: reverse("admin:api_apitoken_changelist"),
        Kind.DISABLED: lambda: open_filters.exports_url(**unsent),
        Kind.WAITING: lambda: open_filters.exports_url(**unsent),
        Kind.RETRYING: lambda: open_filters.exports_url(**unsent),
        Kind.HOOKDOWN: lambda: webhooks.endpoint_page(incident),
        Kind.HOOKPART: lambda: webhooks.endpoint_page(incident),
        Kind.HOOKLOST: lambda: webhooks.messages_page(incident),
        Kind.JOURNAL: lambda: reverse("admin:notices_incident_change", args=[incident.pk]),
        Kind.CERT: lambda: reverse("admin:notices_incident_change", args=[incident.pk]),
        Kind.ARCHIVE: lambda: reverse("admin:notices_incident_change", args=[incident.pk]),
    }
    if incident.kind in pages:
        return pages[incident.kind]()
    if incident.connection_id:
        return reverse("admin:connectors_erpconnection_change", args=[incident.connection_id])
    return reverse("admin:index")


def _rows(incident: Incident) -> tuple[QuerySet[Any], Callable[[Any], str]] | None:
    """The rows of the incident and how one reads; None where it has none."""
    exports = ERPExport.objects.select_related("draft_order__customer")
    ours = exports.filter(connection=incident.connection_id)
    in_line = pending(incident).select_related("draft_order__customer").order_by("created_at"), _waiting
    # Both columns, so that the index of open files leads to them.
    acks = AckFile.objects.filter(organization=incident.organization_id, connection=incident.connection_id)
    acks = acks.select_related("export__draft_order").defer("raw")
    late = archive.missing(components.ARCHIVE_LATE).filter(organization=incident.organization_id)
    found: dict[str, tuple[QuerySet[Any], Callable[[Any], str]]] = {
        Kind.BLOCKED: in_line,
        Kind.PAUSED: in_line,
        Kind.FAILING: (failure_groups.alerting(ours).order_by("-settled_at"), _failed),
        Kind.IN_DOUBT: (ours.filter(undecided_since__isnull=False).order_by("undecided_since"), _failed),
        Kind.OVERDUE: (overdue(incident).order_by("answer_due_at"), _overdue),
        Kind.ACKS: (unresolved_acks.open_ones(acks).order_by("-pk"), _ack),
        Kind.DISABLED: (_unsent(waiting.unsent(ours)), _waiting),
        Kind.WAITING: (_unsent(waiting.for_long(ours)), _delayed),
        Kind.RETRYING: (_unsent(waiting.failing(ours)), _retried),
        Kind.ARCHIVE: (late.select_related("draft_order__customer").order_by("sent_at"), _waiting),
    }
    if incident.kind == Kind.HOOKLOST:
        return webhooks.messages(incident), webhooks.line
    return found.get(incident.kind)


def _unsent(rows: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    """With what a line about each needs."""
    return rows.select_related("connection").defer("connection__config_encrypted").order_by("created_at")


def pending(incident: Incident) -> QuerySet[ERPExport]:
    """The exports that have yet to leave over the incident's connection."""
    return ERPExport.objects.filter(connection=incident.connection_id, status=ExportStatus.PENDING)


def overdue(incident: Incident) -> QuerySet[ERPExport]:
    """Of the incident's connection, the sent exports whose acknowledgement is late."""
    sent = ERPExport.objects.filter(connection=incident.connection_id, status=ExportStatus.SENT)
    return sent.filter(answer_due_at__lt=Now()).select_related("draft_order__customer")


def failing(incident: Incident) -> QuerySet[ERPExport]:
    """Of the incident's connection, the failed exports whose orders are still in ERROR."""
    return failure_groups.alerting(ERPExport.objects.filter(connection=incident.connection_id))


def _stages(incident: Incident) -> Contents:
    if incident.kind == Kind.CERT:
        stages = certificates.stages_reached(incident)
    else:
        token = ApiToken.objects.filter(pk=incident.subject).first()
        stages = components.stages_reached(token, timezone.now()) if token else []
    told = set(IncidentItem.objects.filter(incident=incident).values_list("key", flat=True))
    return Contents(keys=tuple(key for key in map(str, stages) if key not in told))


def _order(export: ERPExport) -> str:
    customer = export.draft_order.customer
    return f"Order {export.draft_order}" + (f", {customer}" if customer else "")


def _waiting(export: ERPExport) -> str:
    return tame(f"{_order(export)}: {export.filename}")


def _delayed(export: ERPExport) -> str:
    why = " ".join(text for text in (export.error_message, next_attempt.sentence(export)) if text)
    return tame(f"{_order(export)}, pushed {_time(export.created_at)}: {why}")


def _retried(export: ERPExport) -> str:
    return f"{tame(_order(export))}: {retrying.line(export)}"


def _failed(export: ERPExport) -> str:
    cause = Cause(export.cause).label if export.cause else ""
    why = ": ".join(text for text in (cause, export.error_code, export.error_message) if text)
    return tame(f"{_order(export)}: {why}")


def _overdue(export: ERPExport) -> str:
    return tame(f"{_order(export)}: {export.filename}, sent {_time(export.sent_at)}, due {_time(export.answer_due_at)}")


def _ack(ack: AckFile) -> str:
    order = f" (order {ack.export.draft_order})" if ack.export else ""
    return tame(f"{ack.name}{order}: {ack.get_verdict_display()}. {ack.reason}")


def _time(at: Any) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M %Z}" if at else "at an unknown time"


def _key(incident: Incident) -> Any:
    """Of an `IncidentItem`. A file with another verdict than before is a new item."""
    key = Replace(Cast("pk", CharField(max_length=40)), Value("-"), Value(""))
    return Concat(key, Value("-"), "verdict") if incident.kind == Kind.ACKS else key
