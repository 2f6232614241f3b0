"""The ledger of answers: one row per file, and the one verdict that it had on its export."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from connectors.models import ERPConnection
from connectors.ports import Ack, AckEntry
from exports.answers import Effects
from exports.models import AckFile, ERPExport, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A file that answers an export: an `ack`, or the `problem` that keeps it from being one."""

    entry: AckEntry
    export_id: UUID
    raw: bytes = b""
    ack: Ack | None = None
    problem: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def text(self) -> str:
        """As it came, for people; what is no text is shown escaped."""
        return self.raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def note_orphans(connection: ERPConnection, entries: Sequence[AckEntry]) -> None:
    """Once each; the files stay, they may be a neighbour's."""
    rows = AckFile.objects.filter(connection=connection, name__in=[entry.name for entry in entries], sha256="")
    noted = set(rows.values_list("name", flat=True))
    now = timezone.now()
    AckFile.objects.bulk_create(
        AckFile(
            organization_id=connection.organization_id,
            connection=connection,
            name=entry.name,
            size=entry.size,
            modified_at=entry.modified_at,
            verdict=Verdict.ORPHAN,
            reason="No export of this connection has that file name.",
            seen_at=now,
        )
        for entry in entries
        if entry.name not in noted
    )


@transaction.atomic
def enter(connection: ERPConnection, found: Sequence[Answer]) -> tuple[list[AckEntry], list[AckEntry]]:
    """Write each answer down with its effect. Gives the files that may be moved: the done, and the damaged."""
    exports = _locked([answer.export_id for answer in found])
    known = AckFile.objects.filter(connection=connection, name__in=[answer.entry.name for answer in found])
    page = _Page(connection=connection, known={(row.name, row.sha256): row for row in known})
    done, damaged = [], []
    for answer in found:
        verdict = page.verdict(answer, exports[answer.export_id])
        if verdict == Verdict.MALFORMED:
            damaged.append(answer.entry)
        elif verdict != Verdict.INCOMPLETE:
            done.append(answer.entry)
    page.write()
    return done, damaged


def archived(connection: ERPConnection, entries: Sequence[AckEntry]) -> None:
    rows = AckFile.objects.filter(connection=connection, name__in=[entry.name for entry in entries], archived_at=None)
    rows.exclude(verdict__in=[Verdict.ORPHAN, Verdict.INCOMPLETE]).update(archived_at=timezone.now())


def _locked(ids: Collection[UUID]) -> dict[UUID, ERPExport]:
    rows = ERPExport.objects.locked(ids).select_related("superseded_by")
    return {export.pk: export for export in rows.only("status", "draft_order", "superseded_by__filename")}


@dataclass(kw_only=True, slots=True)
class _Page:
    """The rows of one batch, in the order of the listing. `known` are those of earlier polls, by name and SHA-256."""

    connection: ERPConnection
    known: dict[tuple[str, str], AckFile]
    effects: Effects = field(default_factory=lambda: Effects(now=timezone.now()))
    new: list[AckFile] = field(default_factory=list)
    changed: list[AckFile] = field(default_factory=list)

    def verdict(self, answer: Answer, export: ERPExport) -> str:
        row = self.known.get((answer.entry.name, answer.sha256))
        if row is None:
            row = self._row(answer.entry.name)
            self._judge(answer, row, export)
        return row.verdict

    def write(self) -> None:
        self.effects.write()
        AckFile.objects.bulk_create(self.new)
        AckFile.objects.bulk_update(
            self.changed, ["export", "size", "modified_at", "verdict", "reason", "sha256", "raw"]
        )

    def _row(self, name: str) -> AckFile:
        """The one that a poll made before it could read the file, or a new one."""
        row = self.known.get((name, ""))
        if row:
            self.changed.append(row)
            return row
        organization_id, now = self.connection.organization_id, self.effects.now
        row = AckFile(organization_id=organization_id, connection=self.connection, name=name, size=-1, seen_at=now)
        self.new.append(row)
        return row

    def _judge(self, answer: Answer, row: AckFile, export: ERPExport) -> None:
        stable = (row.size, row.modified_at) == (answer.entry.size, answer.entry.modified_at)
        row.export, row.size, row.modified_at = export, answer.entry.size, answer.entry.modified_at
        if answer.ack is not None:
            row.verdict, row.reason = self.effects.apply(export, answer.ack, answer.entry.name)
        else:
            # It may still be growing; once it has stayed the same from one poll to the next, it is what it is.
            row.verdict = Verdict.MALFORMED if stable else Verdict.INCOMPLETE
            row.reason = answer.problem[:500]
        if row.verdict != Verdict.INCOMPLETE:
            row.sha256, row.raw = answer.sha256, answer.text
