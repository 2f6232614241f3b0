"""The rows of exports, restored from the journal outside the database.

Each is PENDING with its journal, as after a crash behind the journal's commit: the next delivery looks at the dropzone
and records what became of the file, and an acknowledgement settles it before that.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from connectors.models import ERPConnection
from connectors.ports import ExportAttempt
from exports.decisions import in_doubt
from exports.models import ERPExport, EventKind, ExportEvent
from exports.models.status import LIVE, ExportStatus
from exports.recovery import decisions, documents, orders
from exports.recovery.orders import ACTOR, CannotRestore
from exports.recovery.report import Named, Report
from exports.rollback.entries import Line
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.audit import record

CHANGED = "The order differs from what was sent, and its document is gone. Compare it with the ERP's."


@dataclass(kw_only=True)
class Restoring:
    """`names` are the file names by id of all exports in the lost part of the journal."""

    report: Report
    names: Mapping[UUID, str]
    _connections: dict[UUID, ERPConnection] = field(default_factory=dict)

    @transaction.atomic
    def restore(self, lines: Sequence[Line]) -> None:
        """Idempotent: what was restored by an earlier run is left as it is."""
        ids = [line.connection_id for line in lines]
        rows = ERPConnection.objects.select_related("organization").filter(pk__in=ids)
        self._connections = {row.pk: row for row in rows}
        # By name, because a push that was repeated since has another id.
        found = ERPExport.objects.filter(connection__in=set(ids), filename__any_of=[line.filename for line in lines])
        known = dict(found.values_list("filename", "pk"))
        contents = documents.of_lines(self._needing_documents(lines, known), self.report)
        for line in lines:
            if line.filename in known:
                self._restore_journal(known[line.filename], line)
            else:
                self._recreate(line, contents.get(line.filename))

    def _needing_documents(self, lines: Sequence[Line], known: Collection[str]) -> list[Line]:
        return [line for line in lines if line.filename not in known and not self._order_as_sent(line)]

    def _order_as_sent(self, line: Line) -> DraftOrder | None:
        connection = self._connections.get(line.connection_id)
        order = DraftOrder.objects.select_related("customer", "organization").filter(pk=line.order_id).first()
        if order is None or connection is None:
            return None
        attempt = ExportAttempt(export_id=line.export_id, created_at=line.created_at)
        return order if orders.rendered_sha256(order, connection, attempt) == line.sha256 else None

    def _restore_journal(self, export_id: UUID, line: Line) -> None:
        rows = ERPExport.objects.filter(pk=export_id, status=ExportStatus.PENDING)
        if rows.exclude(**_journal(line)).update(**_journal(line), **in_doubt.RESOLVED, next_attempt_at=None):
            became = "may have been published" if line.staged_path else "was removed and has to be written again"
            _note(export_id, f"The journal outside the database says that its file {became}.")
            self.report.restored.append(line.filename)

    def _recreate(self, line: Line, content: bytes | None) -> None:
        try:
            order, held = self._order(line, content)
        except CannotRestore as reason:
            self.report.unknown.append(Named(name=line.filename, why=str(reason)))
            return
        live = ERPExport.objects.filter(draft_order=order, status__in=LIVE).first()
        if live is None or self._ended(live, line):
            self._create(line, held)
        elif live.status == ExportStatus.PENDING and not live.staged_path and live.filename not in self.names.values():
            self._adopt(live, line, held)
        else:
            why = (
                f"Export {live.filename} of the same order is {live.status}. Ask the ERP's administrator which it has."
            )
            self.report.unknown.append(Named(name=line.filename, why=why))
            return
        orders.set_pushing(order)

    def _order(self, line: Line, content: bytes | None) -> tuple[DraftOrder, str]:
        """The order as it was sent, or as it is, and why it has to be held then. Raises `CannotRestore`."""
        connection = self._connections.get(line.connection_id)
        if connection is None:
            self._stop_order(line)
            raise CannotRestore(f"It went over a connection that is lost, {line.connection_id}. Enter the order again.")
        if order := self._order_as_sent(line):
            orders.require_number(order)
            return order, ""
        if content is not None:
            order = orders.write(orders.read(connection, content), connection.organization)
            self.report.orders.append(str(order.pk))
            return order, ""
        known = DraftOrder.objects.filter(pk=line.order_id).first()
        if known is None:
            raise CannotRestore(f"Order {line.order_id} is lost, and no copy of its document is left.")
        orders.require_number(known)
        return known, CHANGED

    def _stop_order(self, line: Line) -> None:
        """An order that may be pushed over another connection would arrive twice."""
        orders.stop(line.order_id, f"It was sent as {line.filename} over a connection that the database lost.")

    def _ended(self, live: ERPExport, line: Line) -> bool:
        """Whether `live` is the one that this export was the retry of; it has failed then."""
        superseded = self._superseded(line)
        if superseded is None or live.pk != superseded.pk:
            return False
        decisions.superseded(live, by=line.filename)
        self.report.ended.append(live.filename)
        return True

    def _superseded(self, line: Line) -> ERPExport | None:
        """By its id, or by its file where a repeated push has taken its place."""
        if line.supersedes_id is None:
            return None
        rows = ERPExport.objects.filter(draft_order=line.order_id)
        name = self.names.get(line.supersedes_id, "")
        return rows.filter(pk=line.supersedes_id).first() or rows.filter(filename=name).first()

    def _create(self, line: Line, held: str) -> None:
        key = line.idempotency_key
        taken = ERPExport.objects.filter(draft_order=line.order_id, idempotency_key=key).exists() if key else False
        superseded = self._superseded(line)
        is_taken = superseded is None or ERPExport.objects.filter(supersedes=superseded).exists()
        export = ERPExport.objects.create(
            id=line.export_id,
            organization_id=line.organization_id,
            draft_order_id=line.order_id,
            connection_id=line.connection_id,
            supersedes=None if is_taken else superseded,
            idempotency_key=None if taken else key,
            request_hash=line.request_hash,
            requested_by=line.requested_by,
            created_at=line.created_at,
            filename=line.filename,
            **(in_doubt.columns(held) if held else {}),
            **_journal(line),
        )
        requested = {"kind": EventKind.REQUESTED, "actor": line.requested_by, "at": line.created_at}
        ExportEvent.objects.create(export=export, **requested)
        _note(export.pk, "The database had lost it; it was restored from the journal outside the database.")
        record(line.organization_id, ACTOR, "recover export", export)
        self.report.recreated.append(line.filename)

    def _adopt(self, live: ERPExport, line: Line, held: str) -> None:
        """Somebody pushed the order again since then: the caller has that id and that key, the ERP has this file."""
        values: dict[str, Any] = {
            "filename": line.filename,
            "connection_id": line.connection_id,
            "next_attempt_at": None,
        }
        values |= in_doubt.columns(held) if held else in_doubt.RESOLVED
        ERPExport.objects.filter(pk=live.pk).update(**values, **_journal(line))
        _note(live.pk, f"The order had been sent before as {line.filename}, which the database had lost.")
        self.report.adopted.append(line.filename)


def _journal(line: Line) -> Mapping[str, Any]:
    return {"staged_path": line.staged_path, "document_sha256": line.sha256, "document_size": line.size}


def _note(export_id: UUID, message: str) -> None:
    ExportEvent.objects.create(
        export_id=export_id, kind=EventKind.RECOVERED, actor=ACTOR, message=message[:500], at=timezone.now()
    )
