"""The acks of a third-party connector: whatever its inbox raises, the poll ends with an error that people see."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.exceptions import ConnectorError, RejectedError
from connectors.ports import AccountingInbox, Ack, AckEntry, AckInbox, AckOutcome, OtherFile, OtherKind
from connectors.text.sanitize import tame
from connectors.third_party.errors import fault, guarded


@dataclass(frozen=True, slots=True)
class GuardedInbox:
    """An `AckInbox` around the connector's own."""

    inbox: AckInbox
    connector_type: str

    def entries(self) -> Generator[AckEntry, None, None]:
        with guarded(self.connector_type):
            yield from self.inbox.entries()

    def all_files(self) -> Generator[AckEntry | OtherFile, None, None]:
        """Only the entries, where the connector's inbox tells of nothing else."""
        with guarded(self.connector_type):
            if isinstance(self.inbox, AccountingInbox):
                for file in self.inbox.all_files():
                    yield file if isinstance(file, AckEntry) else _checked_file(file)
            else:
                yield from self.inbox.entries()

    def read(self, entries: Sequence[AckEntry]) -> list[bytes | ConnectorError | None]:
        with guarded(self.connector_type):
            return self.inbox.read(entries)

    def parse(self, entry: AckEntry, raw: bytes) -> Ack:
        """A file over which the parser falls over is one that cannot be read: it holds no other up."""
        try:
            return _checked(self.inbox.parse(entry, raw))
        except ConnectorError:
            raise
        except Exception as error:
            raise RejectedError(str(fault(self.connector_type, error))) from error

    def archive(self, entries: Sequence[AckEntry], *, quarantine: bool = False) -> list[ConnectorError | None]:
        with guarded(self.connector_type):
            return self.inbox.archive(entries, quarantine=quarantine)


def _checked(ack: Any) -> Ack:
    """With texts that can be stored. Raises `TypeError` for what is no ack."""
    if not isinstance(ack, Ack) or not isinstance(ack.outcome, AckOutcome):
        raise TypeError(f"parse returned {type(ack).__name__}, not an Ack")
    if not isinstance(ack.processed_at, datetime | None):
        raise TypeError("processed_at is no datetime")
    erp_order_id, error_code = _text(ack.erp_order_id, 120), _text(ack.error_code, 120)
    message, notes = _text(ack.message, 500), _text(ack.notes, 500) or ""
    return replace(ack, erp_order_id=erp_order_id, error_code=error_code, message=message, notes=notes)


def _checked_file(file: Any) -> OtherFile:
    """With a reason that can be stored. Raises `TypeError` for what is no file of the folder."""
    if not isinstance(file, OtherFile) or not isinstance(file.kind, OtherKind):
        raise TypeError(f"all_files gave {type(file).__name__}, neither an AckEntry nor an OtherFile")
    if not isinstance(file.name, str) or not isinstance(file.export_filename, str | None):
        raise TypeError("A name of an OtherFile is no text")
    return replace(file, reason=_text(file.reason, 500) or "") if file.reason else file


def _text(value: Any, length: int) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"A text of an ack is {type(value).__name__}")
    return value if value is None or (len(value) <= length and value.isprintable()) else tame(value)[:length]
