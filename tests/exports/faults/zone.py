"""A faulty server as the product and the ERP see it."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.models import ERPConnection
from exports.delivery import drain as delivery
from exports.models import ERPExport
from tests.exports.conftest import edit, names
from tests.servers.faulty.server import Fault
from tests.servers.sftp.asyncssh_server import AsyncSSHServer


@dataclass(frozen=True, kw_only=True)
class Zone:
    """What is in `faults` goes wrong."""

    server: AsyncSSHServer
    faults: list[Fault]
    connection: ERPConnection

    @property
    def folder(self) -> Path:
        return self.server.root / "in"

    @property
    def acks(self) -> Path:
        return self.server.root / "acks"

    @property
    def names(self) -> list[str]:
        """Half files and temporary ones too."""
        return names(self.folder)

    def arrived(self) -> Counter[str]:
        return Counter(self.names)

    def drain(self) -> None:
        delivery.drain(self.connection.pk)

    def drain_later(self) -> None:
        """As if the waits of the schedule, and the pauses, were over."""
        ERPExport.objects.filter(status="PENDING").update(next_attempt_at=None)
        ERPConnection.objects.update(paused_until=None)
        self.drain()

    def edit(self, **config: Any) -> None:
        edit(self.connection, **config)
