"""The ledger of answers: one row per file, and the one verdict that it had on its export."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from connectors.failpoints import Failpoint, reached
from connectors.models import ERPConnection
from connectors.ports import Ack, AckEntry
from exports.acks import growing
from exports.acks.effects import Answered, Effects
from exports.models import AckFile, ERPExport, Verdict
from exports.models.status import LIVE, ExportStatus
from orderflow.db.bulk import insert_each


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
    rows = AckFile.objects.filter(connection=connection, name__any_of=[entry.name for entry in entries], sha256="")
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
    known = AckFile.objects.filter(connection=connection, name__any_of=[answer.entry.name for answer in found])
    page = _Page(connection=connection, known={(row.name, row.sha256): row for row in known.defer("raw")})
    done, damaged = [], []
    for answer in found:
        verdict = page.verdict(answer, exports[answer.export_id])
        if verdict == Verdict.MALFORMED:
            damaged.append(answer.entry)
        elif verdict not in growing.STAYS:
            done.append(answer.entry)
    page.write()
    reached(Failpoint.LEDGER_WRITTEN)
    return done, damaged


def note_left(connection: ERPConnection, reasons: Mapping[str, str]) -> None:
    """Why files that are entered could not be moved, by name; empty for those that were. The next poll tries again."""
    names = defaultdict(list)
    for name, reason in reasons.items():
        names[reason].append(name)
    rows = AckFile.objects.filter(connection=connection).exclude(sha256="")
    for reason, left in names.items():
        rows.filter(name__any_of=left).update(left_because=reason[:500])


def _locked(ids: Collection[UUID]) -> dict[UUID, Answered]:
    rows = ERPExport.objects.locked(ids).values_list("pk", "status", "draft_order_id")
    found = {pk: (ExportStatus(status), order) for pk, status, order in rows}
    successors = _successors([pk for pk, (status, _) in found.items() if status not in LIVE])
    return {
        pk: Answered(pk=pk, status=status, draft_order_id=order, superseded_by=successors.get(pk))
        for pk, (status, order) in found.items()
    }


def _successors(ended: Collection[UUID]) -> dict[UUID, str]:
    """Of those that have one, its file name. While an export lives, there is no other of its order."""
    if not ended:
        return {}
    rows = ERPExport.objects.filter(supersedes__in=ended).values_list("supersedes", "filename")
    return {superseded: name for superseded, name in rows if superseded}


class _Judged(NamedTuple):
    """What a file came to."""

    export_id: UUID
    size: int
    modified_at: float
    verdict: str
    reason: str
    sha256: str
    raw: str


@dataclass(kw_only=True, slots=True)
class _Page:
    """The rows of one batch, in the order of the listing. `known` are those of earlier polls, by name and SHA-256."""

    connection: ERPConnection
    known: dict[tuple[str, str], AckFile]
    effects: Effects = field(default_factory=lambda: Effects(now=timezone.now()))
    new: dict[str, _Judged] = field(default_factory=dict)
    changed: list[AckFile] = field(default_factory=list)
    reused: list[AckFile] = field(default_factory=list)
    done_with: list[int] = field(default_factory=list)

    def verdict(self, answer: Answer, export: Answered) -> str:
        sha256 = answer.sha256
        row = self.known.get((answer.entry.name, sha256))
        if row:
            return self._known_verdict(row, answer.entry)
        # The one that a poll made before it could read the file.
        begun = self.known.get((answer.entry.name, ""))
        judged = self._judged(answer, sha256, export, begun)
        if begun:
            self._reuse(begun, judged, answer.entry)
        else:
            self.new[answer.entry.name] = judged
        return judged.verdict

    def _reuse(self, begun: AckFile, judged: _Judged, entry: AckEntry) -> None:
        is_news = (begun.verdict, judged.verdict) != (Verdict.UNREAD, Verdict.UNREAD)
        if judged.verdict == Verdict.INCOMPLETE and not growing.is_as_before(begun, entry):
            begun.seen_at = self.effects.now
        for name, value in judged._asdict().items():
            setattr(begun, name, value)
        begun.gone_at = None
        if is_news:
            # A person resolved what it was before, and has not seen what it is now.
            begun.resolved_at, begun.resolved_by = None, ""
        (self.reused if is_news else self.changed).append(begun)

    def write(self) -> None:
        self.effects.write()
        if self.done_with:
            AckFile.objects.filter(pk__in=self.done_with).delete()
        organization_id, connection_id = self.connection.organization_id, self.connection.pk
        shared = ("organization_id", "connection_id", "seen_at", "gone_at", "left_because", "name")
        own = (organization_id, connection_id, self.effects.now, None, "")
        rows = [(*own, name, *judged) for name, judged in self.new.items()]
        insert_each(AckFile.objects.db, AckFile, (*shared, *_Judged._fields), rows)
        written = (*_Judged._fields, "left_because", "gone_at", "seen_at")
        # Without the columns that a person may have just written.
        AckFile.objects.bulk_update(self.changed, written)
        AckFile.objects.bulk_update(self.reused, (*written, "resolved_at", "resolved_by"))

    def _known_verdict(self, row: AckFile, entry: AckEntry) -> str:
        if row.verdict == Verdict.MALFORMED and not growing.is_as_before(row, entry):
            # The ERP writes it again, and has come as far as when it was put aside.
            row.size, row.modified_at, row.seen_at = entry.size, entry.modified_at, self.effects.now
            self.changed.append(row)
            return Verdict.INCOMPLETE
        if row.verdict == Verdict.MALFORMED and not growing.is_settled(row, self.effects.now):
            return Verdict.INCOMPLETE
        if row.left_because:
            row.left_because = ""
            self.changed.append(row)
        begun = self.known.get((entry.name, ""))
        if begun:
            # It could not be read then; now it turns out to be one that has its row already.
            self.done_with.append(begun.pk)
        return row.verdict

    def _judged(self, answer: Answer, sha256: str, export: Answered, begun: AckFile | None) -> _Judged:
        if answer.ack is not None:
            verdict, reason = self.effects.apply(export, answer.ack, answer.entry.name)
            reason = f"{reason} {answer.ack.notes}".strip()[:500]
        else:
            verdict = growing.verdict(begun, answer.entry, self.effects.now)
            reason = growing.reason(answer.problem, begun, verdict)
        # One that may change has no place in the ledger by its bytes.
        content = ("", "") if verdict in growing.STAYS else (sha256, answer.text)
        return _Judged(export.pk, answer.entry.size, answer.entry.modified_at, verdict.value, reason, *content)
