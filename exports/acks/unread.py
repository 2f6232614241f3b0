"""Files of the ERP's that name an export and could not be read: the ack log's rows of them, and who waits for them."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db.models import BooleanField, F, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from connectors.models import ERPConnection
from connectors.ports import OtherFile
from connectors.text.sanitize import tame
from exports.acks import reading_obstacles
from exports.acks.folder_counts import Counted, suspects
from exports.models import AckFile, ERPExport, Lane, Verdict
from exports.models.failure_cause import DOUBTFUL, Cause
from exports.models.status import ExportStatus

BATCH = 2000
# What the columns take.
LARGEST = 2**63 - 1
LONGEST_NAME = 255
# Still in the folder, and not read.
OPEN = (Verdict.INCOMPLETE, Verdict.UNREAD)
# Spelled out: SQLite takes a partial index only for what is no parameter.
_IS_OPEN = RawSQL("verdict IN ('INCOMPLETE', 'UNREAD')", (), output_field=BooleanField())
_BY_ACK = Q(export__status=ExportStatus.ACKED) | Q(export__cause=Cause.ERP_REFUSED)
# Of a file: an acknowledgement that came later, or a corrected copy, decided its export.
ANSWERED_SINCE = _BY_ACK & Q(export__settled_at__gte=F("seen_at"))
OTHERS = {
    Counted.UNREAD: "{:,} not read",
    Counted.TEMPORARY: "{:,} with temporary names",
    Counted.FOREIGN: "{:,} that are no acknowledgements",
}


class Logged(NamedTuple):
    """A row's key and verdict, and the size and time that the file had."""

    pk: int
    size: int
    modified_at: float
    verdict: str


def waiting_for(exports: QuerySet[ERPExport]) -> QuerySet[AckFile]:
    """The files that name one of `exports` and that nobody has read: still in the folder, or set aside as damaged, and
    no acknowledgement that was read decided the export since. As long as there is one, what the ERP said of that export
    is unknown, and sending the order again may duplicate it."""
    unread = Q(verdict__in=OPEN, gone_at=None) | Q(verdict=Verdict.MALFORMED)
    return AckFile.objects.filter(unread, export__in=exports.order_by()).exclude(ANSWERED_SINCE).order_by("name")


def failed_last(order_ids: Collection[UUID]) -> QuerySet[ERPExport]:
    """The failed exports that the next push of these orders would supersede."""
    rows = ERPExport.objects.filter(draft_order__pk__any_of=list(order_ids))
    return rows.filter(status=ExportStatus.FAILED, superseded_by=None)


def still_there() -> QuerySet[AckFile]:
    """The files that lay unread in their folders at the last poll, from the index of these by connection."""
    return AckFile.objects.filter(_IS_OPEN, gone_at=None).order_by()


def logged(connection: ERPConnection) -> dict[str, Logged]:
    """The files that lay unread in the connection's folder at its last poll, by name."""
    rows = still_there().filter(connection=connection)
    return {name: Logged(*row) for name, *row in rows.values_list("name", *Logged._fields)}


def stored_name(name: str) -> str:
    """As the ack log has it: a name that is not UTF-8, or too long, in a form that can be stored."""
    stored = name.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
    if len(stored) <= LONGEST_NAME:
        return stored
    digest = hashlib.sha256(stored.encode()).hexdigest()[:8]
    return f"{stored[: LONGEST_NAME - 9]}…{digest}"


def enter(connection: ERPConnection, found: Sequence[tuple[OtherFile, UUID]]) -> None:
    """A row for each file, which comes with the id of the export that it names; a file that has one keeps it."""
    files = {stored_name(file.name): (file, export_id) for file, export_id in found}
    names = list(files)
    known: dict[str, AckFile] = {}
    for start in range(0, len(names), BATCH):
        rows = AckFile.objects.filter(connection=connection, name__any_of=names[start : start + BATCH], sha256="")
        known |= {row.name: row for row in rows}
    for name, row in known.items():
        _fill(row, *files[name])
    AckFile.objects.bulk_update(known.values(), FILLED, batch_size=200)
    AckFile.objects.bulk_create(
        _fill(AckFile(organization_id=connection.organization_id, connection=connection, name=name), *files[name])
        for name in names
        if name not in known
    )


FILLED = (
    *("export_id", "size", "modified_at", "verdict", "reason", "seen_at", "gone_at"),
    *("resolved_at", "resolved_by"),
)


def _fill(row: AckFile, file: OtherFile, export_id: UUID) -> AckFile:
    row.export_id, row.size, row.modified_at = export_id, min(file.size, LARGEST), file.modified_at
    row.verdict, row.reason = Verdict.UNREAD, file.reason[:500]
    row.seen_at, row.gone_at = timezone.now(), None
    # A file that changed, or came back, is open again.
    row.resolved_at, row.resolved_by = None, ""
    return row


def note_gone(keys: Collection[int]) -> None:
    """These files were renamed, moved or removed."""
    ordered, now = sorted(keys), timezone.now()
    for start in range(0, len(ordered), BATCH):
        rows = AckFile.objects.filter(pk__any_of=ordered[start : start + BATCH], verdict__in=OPEN, gone_at=None)
        rows.update(gone_at=now)


def named(files: QuerySet[AckFile], most: int = 3) -> str:
    """The names of the first few, and how many more there are, for a sentence; empty where there is none."""
    names = [tame(name) for name in files.values_list("name", flat=True)[:most]]
    more = files.count() - most if len(names) == most else 0
    return ", ".join(names) + (f" and {more:,} more" if more > 0 else "")


ASK = "Ask the ERP's administrator whether these orders arrived, and name the files."


def advice(exports: QuerySet[ERPExport], *, ask: str = ASK) -> str:
    """What to do about `exports` before their orders are sent again or given up, where the ack folder holds a file that
    may be about them, or OrderFlow does not read it; else empty. `ask` is what to do where no file names any of
    them."""
    about_them = unread_about(exports)
    others = "" if about_them else _others(exports)
    if not others:
        return about_them
    return (
        f"{ask} When the acknowledgement folder was last read, it also held files that name none of them: {others}. "
        "Check first whether one of these is an acknowledgement under another name."
    ).lstrip()


def unread_about(exports: QuerySet[ERPExport]) -> str:
    """What to do about the files that name one of `exports` and were not read, and about what keeps OrderFlow from
    reading their acknowledgements; empty where there is none."""
    hindered, names = reading_obstacles.advice(exports), named(waiting_for(exports))
    if not names:
        return hindered
    return (
        f"{hindered} The ERP has written {names}, which could not be read. The list of acknowledgement files says why. "
        "Have that corrected first: an order that is sent again may arrive twice."
    ).lstrip()


def _others(exports: QuerySet[ERPExport]) -> str:
    """How many files in the ack folders may be about those of `exports` that the ERP may have."""
    may_have = exports.exclude(Q(status=ExportStatus.FAILED) & ~Q(cause__in=DOUBTFUL))
    connections = list(may_have.order_by().values_list("connection", flat=True).distinct())
    counts: Counter[Counted] = Counter()
    for folder in Lane.objects.filter(connection__in=connections, kind=Lane.Kind.ACKS).values_list("folder", flat=True):
        counts.update(suspects(folder))
    found = [words.format(counts[kind]) for kind, words in OTHERS.items() if counts[kind]]
    orphans = AckFile.objects.filter(connection__in=connections, verdict=Verdict.ORPHAN, resolved_at=None).count()
    return ", ".join([*found, *([f"{orphans:,} that acknowledge no known export"] if orphans else [])])
