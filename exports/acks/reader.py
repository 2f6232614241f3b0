"""The wire's side of a poll: while the database takes one batch of answers, the next is read and the last moved."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import islice
from types import TracebackType
from typing import Self
from uuid import UUID

from connectors.documents.naming import is_of_test
from connectors.exceptions import ConnectorError, RejectedError, TransientError
from connectors.failpoints import Failpoint, reached
from connectors.models import ERPConnection
from connectors.ports import AckEntry
from connectors.third_party.inbox import GuardedInbox
from connectors.types.file_batches import batches as batches_of
from connectors.types.file_batches import large_last
from exports.acks import recorder as ack_recorder
from exports.acks.folder_summary import FolderAccount
from exports.acks.recorder import Answer
from exports.models import ERPExport

# While the first batch is read the database has nothing to do.
FIRST = 250

# How many files were moved, and why others were not, by name.
Moved = tuple[int, dict[str, ConnectorError]]


class AnswerReader:
    """A context to iterate over: batches of answers, each to be written down and then put away.

    An inbox is for one thread at a time. Here that is a thread of its own, which does in turn what it is asked for.
    `account` gets the files of the folder that are no acks, `hold` opens a transaction in which only the lane's holder
    can write.
    `archived` and `errors` are complete when the context has ended. `skip` are files that an earlier poll has passed
    and left there; they do not keep this one from the rest.
    """

    def __init__(
        self,
        connection: ERPConnection,
        inbox: GuardedInbox,
        account: FolderAccount,
        *,
        hold: Callable[[], AbstractContextManager[None]] = nullcontext,
        skip: int = 0,
    ) -> None:
        self.archived = 0
        self.errors: list[ConnectorError] = []
        self._connection = connection
        self._inbox = inbox
        self._hold = hold
        self._account = account
        self._entries = inbox.all_files()
        self._skip = skip
        self._listed = 0
        self._stopped = self._has_more = False
        self._wire = ThreadPoolExecutor(1, thread_name_prefix="inbox")
        self._moving: deque[Future[Moved]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._note_moved(self._moving)
        finally:
            self._wire.shutdown(cancel_futures=True)
            with suppress(ConnectorError):
                self._entries.close()

    @property
    def passed(self) -> int:
        """What the next poll may skip: 0 when this one came to the end."""
        return self._skip + self._listed - self.archived if self._has_more else 0

    def stop(self) -> None:
        """Begin with no further batch."""
        self._stopped = True

    def __iter__(self) -> Iterator[list[Answer]]:
        """One batch ahead: a batch is given when the next one has been asked for."""
        coming: Future[list[Answer]] | None = None
        for started in self._started():
            if coming:
                yield coming.result()
            coming = started
        if coming:
            yield coming.result()

    def put_away(self, done: Sequence[AckEntry], damaged: Sequence[AckEntry]) -> None:
        """Only what the ledger has. A crash before the move leaves files that the next poll knows by their hash."""
        self._note_moved(moving for moving in list(self._moving) if moving.done())
        self._moving.append(self._wire.submit(self._move, done, damaged))

    def _started(self) -> Iterator[Future[list[Answer]]]:
        acks = self._account.sift(self._entries)
        batches = batches_of(islice(large_last(acks), self._skip, None), first=FIRST)
        nothing: list[AckEntry] = []
        last: deque[Collection[str]] = deque(maxlen=2)
        listed = self._wire.submit(next, batches, nothing)
        while files := listed.result():
            found = {entry.name: entry for entry in files}
            # A file that is replaced while the folder is read may be named twice, and be under way already.
            batch = [entry for name, entry in found.items() if not any(name in names for names in last)]
            last.append(found.keys())
            reached(Failpoint.ANSWERS_LISTED)
            if self._stopped:
                self._has_more = True
                return
            self._listed += len(files)
            rows = ERPExport.objects.filter(
                connection=self._connection, filename__any_of=[e.export_filename for e in batch]
            )
            exports = dict(rows.values_list("filename", "pk"))
            reading = self._wire.submit(self._read, [e for e in batch if e.export_filename in exports], exports)
            listed = self._wire.submit(next, batches, nothing)
            self._of_no_export([entry for entry in batch if entry.export_filename not in exports])
            yield reading

    def _of_no_export(self, entries: Sequence[AckEntry]) -> None:
        """Acks of connection tests are moved away with the next batch; the others are orphans, and stay."""
        tests = [entry for entry in entries if is_of_test(entry.export_filename)]
        if tests:
            self._account.of_tests(len(tests))
            self.put_away(tests, [])
        if orphans := [entry for entry in entries if entry not in tests]:
            with self._hold():
                ack_recorder.note_orphans(self._connection, orphans)
            reached(Failpoint.ORPHANS_NOTED)

    def _read(self, entries: Sequence[AckEntry], exports: Mapping[str, UUID]) -> list[Answer]:
        answers = []
        for entry, raw in zip(entries, self._inbox.read(entries), strict=True):
            if isinstance(raw, TransientError):
                raise raw
            if isinstance(raw, ConnectorError) and not isinstance(raw, RejectedError):
                self.errors.append(raw)
                self._account.not_readable(entry, raw)
            elif raw is not None:
                answers.append(self._answer(entry, raw, exports[entry.export_filename]))
        return answers

    def _answer(self, entry: AckEntry, raw: bytes | RejectedError, export_id: UUID) -> Answer:
        if isinstance(raw, RejectedError):
            return Answer(entry=entry, export_id=export_id, problem=str(raw))
        try:
            return Answer(entry=entry, export_id=export_id, raw=raw, ack=self._inbox.parse(entry, raw))
        except RejectedError as error:
            return Answer(entry=entry, export_id=export_id, raw=raw, problem=str(error))

    def _move(self, done: Sequence[AckEntry], damaged: Sequence[AckEntry]) -> Moved:
        outcomes = [*self._inbox.archive(done), *self._inbox.archive(damaged, quarantine=True)]
        reached(Failpoint.ANSWERS_MOVED)
        errors = {e.name: error for e, error in zip([*done, *damaged], outcomes, strict=True) if error is not None}
        return len(outcomes) - len(errors), errors

    def _note_moved(self, moving: Iterable[Future[Moved]]) -> None:
        for future in list(moving):
            moved, errors = future.result()
            self._moving.remove(future)
            self.archived += moved
            self.errors += errors.values()
            with self._hold() if errors else nullcontext():
                ack_recorder.note_left(self._connection, {name: str(error) for name, error in errors.items()})
            reached(Failpoint.MOVES_NOTED)
