"""What a person decides where the ERP acknowledged an export and rejected it too: the first of the two files counts
until then."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from connectors.text.sanitize import tame
from exports.acks.unresolved import NotOpen, open_ones
from exports.models import AckFile, ERPExport, EventKind, ExportEvent, Verdict, event_lines
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus
from exports.webhooks import outbox
from orderflow.fields.identifiers import cleaned
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.audit import record

VERBS = {True: "took the order", False: "did not take the order"}
# In the audit log, whose column takes 40 characters.
ACTIONS = {True: "decide conflict: order taken", False: "decide conflict: order not taken"}
# The state that each decision leads to, of the export and of its order, and the one that it starts from.
EXPORT = {True: ExportStatus.ACKED, False: ExportStatus.FAILED}
ORDER = {True: OrderStatus.PUSHED, False: OrderStatus.ERROR}


def of_export(export: ERPExport) -> QuerySet[AckFile]:
    """The open contradicting files of the export, the oldest first."""
    return open_ones(AckFile.objects.filter(export=export, verdict=Verdict.CONFLICT)).order_by("pk")


def choice(ack: AckFile) -> bool | None:
    """What a person may decide besides leaving things as they are: that the ERP took the order (True), or that it did
    not (False). None where nothing can be changed."""
    export = ack.export
    if ack.verdict != Verdict.CONFLICT or ack.resolved_at or export is None or hasattr(export, "superseded_by"):
        return None
    return next((took for took in EXPORT if (export.status, export.draft_order.status) == _source(took)), None)


def decide(ack: AckFile, *, took: bool, actor: str, reason: str) -> None:
    """The ERP took the order after all, or did not: the export becomes ACKED, or FAILED so that its order can be
    retried, and its contradicting files are resolved. Raises `NotOpen`, and nothing is changed then."""
    export = ack.export
    if export is None or not of_export(export).filter(pk=ack.pk).exists():
        raise NotOpen(f"{ack.name} contradicts no acknowledgement, or was resolved before.")
    message = f"The ERP {VERBS[took]}, established by {actor}: {reason}"[:500]
    with transaction.atomic():
        _move(export, ack, message, took=took)
        now = timezone.now()
        detail = {"file": ack.name}
        ExportEvent.objects.create(
            export=export, kind=EventKind.DECIDED, actor=actor, message=message, detail=detail, at=now
        )
        of_export(export).update(resolved_at=now, resolved_by=actor)
        outbox.announce([export.pk])
        event_lines.step("ACKED" if took else "REJECTED", export, f"Decided by {actor}: {reason}")
        record(export.organization_id, actor, ACTIONS[took], export, file=ack.name)
        record(export.organization_id, actor, "resolve ack file", ack, verdict=ack.verdict)


def _move(export: ERPExport, ack: AckFile, message: str, *, took: bool) -> None:
    """Raises `NotOpen` unless both rows are where the decision starts from."""
    now, (status, order_status) = timezone.now(), _source(took)
    said = _said(export, ack)
    number, code = (cleaned(tame(said.get(name) or "")) for name in ("erp_order_id", "error_code"))
    if took:
        own: dict[str, Any] = {"cause": "", "error_code": "", "error_message": "", "erp_order_id": number[:120]}
        orders = {"error_message": "", "erp_order_id": number[:120]}
    else:
        own = {"cause": Cause.ERP_REFUSED, "error_code": code[:60], "error_message": message}
        orders = {"error_message": message, "erp_order_id": ""}
    rows = ERPExport.objects.filter(pk=export.pk, superseded_by=None)
    owners = DraftOrder.objects.filter(pk=export.draft_order_id)
    if not rows.move(status, EXPORT[took], settled_at=now, **own) or not owners.move(
        order_status, ORDER[took], updated_at=now, **orders
    ):
        raise NotOpen(
            f"Export {export} was retried, or its order was changed since. Look at the order: what it needs depends on "
            "where it is now."
        )


def _source(took: bool) -> tuple[ExportStatus, OrderStatus]:
    """Where export and order are while the first file says the opposite."""
    return EXPORT[not took], ORDER[not took]


def _said(export: ERPExport, ack: AckFile) -> dict[str, Any]:
    """What the file says of the order, as its poll noted it."""
    noted = export.events.filter(kind=EventKind.CONFLICT, detail__file=ack.name).order_by("-id").first()
    return noted.detail if noted else {}
