"""The journal of a delivery: the witness of each file, committed before the file may appear under its final name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from connectors.connections import health
from connectors.exceptions import ConnectorError
from connectors.failpoints import Failpoint, reached
from connectors.models import ERPConnection
from connectors.ports import Staged
from exports.lanes import leases
from exports.models import ERPExport, EventKind, event_log
from exports.models.event_log import Event
from exports.models.status import ExportStatus
from exports.rollback import guard
from exports.rollback.entries import Line, Mark


class BatchOutdated(ConnectorError):
    """Somebody changed the connection or settled an export while the batch was under way; nothing of it was sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneJournal:
    """Commits what is staged, for as long as the lane is ours and the connection is the one that we read.

    `exports` has the batch as it was read: of a journal entry, only columns that never change.
    """

    lease: leases.Lease
    connection: ERPConnection
    exports: Sequence[ERPExport]
    check: guard.Check

    def require_present(self) -> None:
        """Before the dropzone is touched: a temporary file that is written by a database in the past would look like
        one that a forgotten delivery left. Raises `LaneLost`."""
        try:
            self.check.require()
        except guard.Held as held:
            raise leases.LaneLost(str(held)) from held

    def staged(self, files: Mapping[UUID, Staged]) -> None:
        try:
            mark, lines = self._commit(files)
        except guard.Held as held:
            raise leases.LaneLost(str(held)) from held
        reached(Failpoint.JOURNAL_COMMITTED)
        guard.publishable(self.check, mark, lines)

    @transaction.atomic
    def _commit(self, files: Mapping[UUID, Staged]) -> tuple[Mark, list[Line]]:
        self._require_hold()
        own: dict[str, list[Any]] = {
            "staged_path": [file.path for file in files.values()],
            "document_sha256": [file.sha256 for file in files.values()],
            "document_size": [file.size for file in files.values()],
        }
        _require_all(ERPExport.objects.set_each(files.keys(), own, within=ExportStatus.PENDING), len(files))
        now = timezone.now()
        event_log.note(
            Event(pk, EventKind.STAGED.value, now, detail={"path": file.path, "bytes": file.size})
            for pk, file in files.items()
        )
        lines = self._lines(files)
        mark = guard.number()
        reached(Failpoint.JOURNAL_WRITTEN)
        return mark, lines

    def hand_over(self, export_ids: Sequence[UUID]) -> None:
        """Commit that a connector without a journal gets these: from then on, they may have been sent."""
        try:
            mark = self._commit_handover(export_ids)
        except guard.Held as held:
            raise leases.LaneLost(str(held)) from held
        guard.publishable(self.check, mark)

    @transaction.atomic
    def _commit_handover(self, export_ids: Sequence[UUID]) -> Mark:
        self._require_hold()
        rows = ERPExport.objects.filter(pk__any_of=export_ids, status=ExportStatus.PENDING)
        free = rows.filter(handed_over_at=None, undecided_since=None)
        _require_all(free.update(handed_over_at=timezone.now()), len(export_ids))
        return guard.number()

    @transaction.atomic
    def unwitnessed(self, export_ids: Sequence[UUID]) -> None:
        """A crash does not put these in doubt, it has them written again. But from now on they may have been sent, so
        that nobody withdraws them."""
        self._require_hold()
        rows = ERPExport.objects.filter(pk__any_of=export_ids, status=ExportStatus.PENDING, undecided_since=None)
        _require_all(rows.update(unwitnessed_since=timezone.now()), len(export_ids))

    def discarded(self, export_ids: Sequence[UUID]) -> None:
        """A database that forgot this would take the file's removal for a delivery, so it is kept outside too."""
        try:
            mark, lines = self._discard(export_ids)
        except guard.Held as held:
            raise leases.LaneLost(str(held)) from held
        guard.publishable(self.check, mark, lines)

    @transaction.atomic
    def _discard(self, export_ids: Sequence[UUID]) -> tuple[Mark, list[Line]]:
        self._require_hold()
        rows = ERPExport.objects.filter(pk__in=export_ids, status=ExportStatus.PENDING)
        none = {
            pk: Staged(path="", sha256=sha256, size=size or 0)
            for pk, sha256, size in rows.values_list("pk", "document_sha256", "document_size")
        }
        _require_all(rows.update(staged_path=""), len(export_ids))
        lines = self._lines(none)
        return guard.number(), lines

    def _lines(self, files: Mapping[UUID, Staged]) -> list[Line]:
        return [_line(export, files[export.pk]) for export in self.exports if export.pk in files]

    def _require_hold(self) -> None:
        leases.renew(self.lease)
        if not health.usable().filter(pk=self.connection.pk, revision=self.connection.revision).exists():
            raise BatchOutdated(f"Connection {self.connection.name!r} was changed. The batch starts over.")


def _require_all(found: int, count: int) -> None:
    if found != count:
        raise BatchOutdated("Somebody settled an export of the batch before it was sent. The batch starts over.")


def _line(export: ERPExport, file: Staged) -> Line:
    return Line(
        export_id=export.pk,
        order_id=export.draft_order_id,
        organization_id=export.organization_id,
        connection_id=export.connection_id,
        supersedes_id=export.supersedes_id,
        filename=export.filename,
        staged_path=file.path,
        sha256=file.sha256,
        size=file.size,
        created_at=export.created_at,
        requested_by=export.requested_by,
        idempotency_key=export.idempotency_key,
        request_hash=export.request_hash,
    )
