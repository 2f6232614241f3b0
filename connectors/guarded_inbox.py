"""The acks of a third-party connector: whatever its inbox raises, the poll ends with an error that people see."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from connectors.exceptions import ConnectorError, RejectedError
from connectors.ports import Ack, AckEntry, AckInbox
from connectors.third_party import fault, guarded


@dataclass(frozen=True, slots=True)
class GuardedInbox:
    """An `AckInbox` around the connector's own."""

    inbox: AckInbox
    connector_type: str

    def entries(self) -> Generator[AckEntry, None, None]:
        with guarded(self.connector_type):
            yield from self.inbox.entries()

    def read(self, entries: Sequence[AckEntry]) -> list[bytes | ConnectorError | None]:
        with guarded(self.connector_type):
            return self.inbox.read(entries)

    def parse(self, entry: AckEntry, raw: bytes) -> Ack:
        """A file over which the parser falls over is one that cannot be read: it holds no other up."""
        try:
            return self.inbox.parse(entry, raw)
        except ConnectorError:
            raise
        except Exception as error:
            raise RejectedError(str(fault(self.connector_type, error))) from error

    def archive(self, entries: Sequence[AckEntry], *, quarantine: bool = False) -> list[ConnectorError | None]:
        with guarded(self.connector_type):
            return self.inbox.archive(entries, quarantine=quarantine)
