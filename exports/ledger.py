"""The ledger of answers: one row per file, and the one verdict that it had on its export."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from connectors.models import ERPConnection
from connectors.ports import Ack, AckEntry
from exports import answers
from exports.models import AckFile, ERPExport, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A file that answers `export`: an `ack`, or the `problem` that keeps it from being one."""

    entry: AckEntry
    export: ERPExport
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
    now = timezone.now()
    AckFile.objects.bulk_create(
        [
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
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def enter(connection: ERPConnection, found: Sequence[Answer]) -> tuple[list[AckEntry], list[AckEntry]]:
    """Write each answer down with its effect. Gives the files that may be moved: the done, and the damaged."""
    rows = AckFile.objects.filter(connection=connection, name__in=[answer.entry.name for answer in found])
    known = {(row.name, row.sha256): row for row in rows}
    done, damaged = [], []
    now = timezone.now()
    for answer in found:
        row = known.get((answer.entry.name, answer.sha256))
        if row is None:
            unread = known.get((answer.entry.name, ""))
            row = _judge(answer, unread or _new_row(connection, answer), now)
        if row.verdict == Verdict.MALFORMED:
            damaged.append(answer.entry)
        elif row.verdict != Verdict.INCOMPLETE:
            done.append(answer.entry)
    return done, damaged


def archived(connection: ERPConnection, entries: Sequence[AckEntry]) -> None:
    rows = AckFile.objects.filter(connection=connection, name__in=[entry.name for entry in entries], archived_at=None)
    rows.exclude(verdict__in=[Verdict.ORPHAN, Verdict.INCOMPLETE]).update(archived_at=timezone.now())


def _new_row(connection: ERPConnection, answer: Answer) -> AckFile:
    return AckFile(organization_id=connection.organization_id, connection=connection, name=answer.entry.name, size=-1)


def _judge(answer: Answer, row: AckFile, now: datetime) -> AckFile:
    stable = (row.size, row.modified_at) == (answer.entry.size, answer.entry.modified_at)
    row.export, row.seen_at = answer.export, row.seen_at or now
    row.size, row.modified_at = answer.entry.size, answer.entry.modified_at
    if answer.ack is not None:
        row.verdict, row.reason = answers.apply(answer.export, answer.ack, answer.entry.name, now)
    else:
        # It may still be growing; once it has stayed the same from one poll to the next, it is what it is.
        row.verdict = Verdict.MALFORMED if stable else Verdict.INCOMPLETE
        row.reason = answer.problem[:500]
    if row.verdict != Verdict.INCOMPLETE:
        row.sha256, row.raw = answer.sha256, answer.text
    row.save()
    return row
