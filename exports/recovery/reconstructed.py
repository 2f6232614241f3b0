"""Exports that only their documents tell of: written again, and held."""

import hashlib
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from connectors.models import ERPConnection
from connectors.types.sales_order import SalesOrder
from exports.decisions import in_doubt
from exports.models import ERPExport, EventKind
from exports.models.status import LIVE, ExportStatus
from exports.recovery import decisions, orders
from exports.recovery.archive import Archive
from exports.recovery.orders import ACTOR, CannotRestore
from exports.recovery.report import Named, Report
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus

FOUND = "Its document was found, so it was about to be sent; whether it was is unknown."


def write(filename: str, content: bytes, connection: ERPConnection, archive: Archive, report: Report) -> None:
    """An order and a held export of that name, or an entry in the report that says why not."""
    try:
        with transaction.atomic():
            _write(filename, content, connection, archive, report)
    except CannotRestore as reason:
        report.unknown.append(Named(name=filename, why=str(reason)))


def _write(filename: str, content: bytes, connection: ERPConnection, archive: Archive, report: Report) -> None:
    found = orders.read(connection, content)
    others = ERPExport.objects.filter(draft_order=found.draft_order_id)
    live = _replaceable(others)
    order = _order(found, connection, report)
    values = {
        "filename": filename,
        "connection": connection,
        **in_doubt.columns(FOUND),
        "document_sha256": hashlib.sha256(content).hexdigest(),
        "document_size": len(content),
        "storage_key": f"exports/{connection.organization_id}/{filename}" if filename in archive.names else "",
    }
    if live and live.filename not in archive.names:
        _adopt(live, values, report)
        return
    if live:
        decisions.superseded(live, by=filename)
        report.ended.append(live.filename)
    _recreate(order, others.filter(superseded_by=None).order_by("-created_at").first(), values, report)


def _replaceable(exports: QuerySet[ERPExport]) -> ERPExport | None:
    """The live one of an order's `exports`, if there is one. Raises `CannotRestore` when it may have been sent."""
    live = exports.filter(status__in=LIVE).first()
    if live and (live.status != ExportStatus.PENDING or live.staged_path):
        raise CannotRestore(f"Export {live.filename} of the same order is {live.status}. Ask the ERP's administrator.")
    return live


def _order(found: SalesOrder, connection: ERPConnection, report: Report) -> DraftOrder:
    """The document's order, written again unless the database has it as pushed."""
    order = DraftOrder.objects.filter(pk=found.draft_order_id).first()
    if order is None or order.status not in (OrderStatus.PUSHING, OrderStatus.PUSHED):
        order = orders.write(found, connection.organization)
        report.orders.append(str(order.pk))
    return order


def _adopt(live: ERPExport, values: dict[str, Any], report: Report) -> None:
    """The live export takes the document over: it is a push that was repeated since, whose caller has its id."""
    ERPExport.objects.filter(pk=live.pk).update(**values)
    filename = values["filename"]
    report.adopted.append(filename)
    decisions.note(live.pk, EventKind.RECOVERED, f"The order was pushed before, as {filename}. {FOUND}", actor=ACTOR)


def _recreate(order: DraftOrder, last: ERPExport | None, values: dict[str, Any], report: Report) -> None:
    """A new export of the order, behind its `last` one."""
    filename = values["filename"]
    export = ERPExport.objects.create(
        id=_id_for(filename),
        organization_id=order.organization_id,
        draft_order=order,
        supersedes=last,
        requested_by=ACTOR,
        created_at=timezone.now(),
        **values,
    )
    decisions.note(export.pk, EventKind.RECOVERED, f"The database had lost it. {FOUND}", actor=ACTOR)
    orders.set_pushing(order)
    report.recreated.append(filename)


def claim(connection: ERPConnection, filenames: list[str]) -> None:
    """What lies at its place went over this connection; a document alone does not say over which."""
    rows = ERPExport.objects.filter(organization=connection.organization_id, filename__any_of=filenames)
    rows.filter(status=ExportStatus.PENDING, error_message__startswith=FOUND, staged_path="").update(
        connection=connection
    )


def _id_for(filename: str) -> UUID:
    """The name has the first digits of the id that is lost; a second run finds the same."""
    digest = hashlib.sha256(filename.encode()).hexdigest()
    start = filename.removesuffix(".json")[-8:]
    known = start if all(digit in "0123456789abcdef" for digit in start) and len(start) == 8 else digest[:8]
    return UUID(hex=known + digest[8:32], version=4)
