"""The journal of a delivery: the witness of each file, committed before the file may appear under its final name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from connectors import health
from connectors.exceptions import ConnectorError
from connectors.failpoints import Failpoint, reached
from connectors.models import ERPConnection
from connectors.ports import Staged
from exports import history, lanes
from exports.history import Event
from exports.models import ERPExport, EventKind
from exports.transitions import ExportStatus


class BatchOutdated(ConnectorError):
    """Somebody changed the connection or settled an export while the batch was under way; nothing of it was sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneJournal:
    """Commits what is staged, for as long as the lane is ours and the connection is the one that we read."""

    lease: lanes.Lease
    connection: ERPConnection

    @transaction.atomic
    def staged(self, files: Mapping[UUID, Staged]) -> None:
        self._require_hold()
        own: dict[str, list[Any]] = {
            "staged_path": [file.path for file in files.values()],
            "document_sha256": [file.sha256 for file in files.values()],
            "document_size": [file.size for file in files.values()],
        }
        _require_all(ERPExport.objects.set_each(files.keys(), own, within=ExportStatus.PENDING), len(files))
        now = timezone.now()
        history.note(
            Event(pk, EventKind.STAGED.value, now, detail={"path": file.path, "bytes": file.size})
            for pk, file in files.items()
        )
        reached(Failpoint.JOURNAL_WRITTEN)

    @transaction.atomic
    def hand_over(self, export_ids: Sequence[UUID]) -> None:
        """Commit that a connector without a journal gets these: from then on, they may have been sent."""
        self._require_hold()
        rows = ERPExport.objects.filter(pk__any_of=export_ids, status=ExportStatus.PENDING)
        free = rows.filter(handed_over_at=None, undecided_since=None)
        _require_all(free.update(handed_over_at=timezone.now()), len(export_ids))

    @transaction.atomic
    def discarded(self, export_ids: Sequence[UUID]) -> None:
        self._require_hold()
        rows = ERPExport.objects.filter(pk__in=export_ids, status=ExportStatus.PENDING)
        _require_all(rows.update(staged_path=""), len(export_ids))

    def _require_hold(self) -> None:
        lanes.renew(self.lease)
        if not health.usable().filter(pk=self.connection.pk, revision=self.connection.revision).exists():
            raise BatchOutdated(f"Connection {self.connection.name!r} was changed. The batch starts over.")


def _require_all(found: int, count: int) -> None:
    if found != count:
        raise BatchOutdated("Somebody settled an export of the batch before it was sent. The batch starts over.")
