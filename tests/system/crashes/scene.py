"""One case's own corner: an organization in a database, a dropzone, a folder for copies and messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.sftp.sftp_server import SFTPServer
from tests.system.crashes.table import ERP, Row

LOCAL = "local"


@dataclass(frozen=True, kw_only=True)
class Case:
    row: Row
    server: str
    erp: ERP

    def __str__(self) -> str:
        return f"{self.row}, {self.server}, the ERP {self.erp}"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a child process gets to know. `database` is Django's description of one, `dropzone` the ERP's side of it."""

    case: Case
    database: Mapping[str, Any]
    slug: str
    folder: Path
    dropzone: Path
    config: Mapping[str, Any]

    @property
    def storage(self) -> Path:
        return self.folder / "storage"

    @property
    def broker(self) -> str:
        return f"embedded://{self.folder / 'broker'}"


def scene(case: Case, *, server: SFTPServer | None, database: Mapping[str, Any], folder: Path, slug: str) -> Scene:
    """Makes the dropzone, at `server` or in a folder of this machine."""
    dropzone = server.root / slug if server else folder / "dropzones" / slug
    for name in ("in", "acks"):
        (dropzone / name).mkdir(parents=True)
    config = _sftp(server, slug) if server else {"mode": "filesystem", "export_path": "in", "ack_path": "acks"}
    return Scene(case=case, database=database, slug=slug, folder=folder, dropzone=dropzone, config=config)


def _sftp(server: SFTPServer, slug: str) -> dict[str, Any]:
    login = {"private_key": server.private_key} if server.private_key else {"password": server.password}
    place = {"mode": "sftp", "host": server.host, "port": server.port, "username": server.username}
    paths = {"export_path": f"{slug}/in", "ack_path": f"{slug}/acks"}
    return {**place, **login, **paths, "host_key": server.host_key, "timeout_s": 60}


@dataclass(frozen=True, kw_only=True)
class OrderSeen:
    """An order with its newest export, as the database has them. `copy` is what lies in the storage."""

    number: str
    status: str
    export: str = ""
    filename: str = ""
    journaled: bool = False
    # The name that the journal gives the temporary file.
    staged: str = ""
    exports: int = 0
    pushes: int = 0
    events: Mapping[str, int] = field(default_factory=dict)
    sha256: str = ""
    error: str = ""
    copy: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class AnswerSeen:
    """A row of the ledger."""

    name: str
    verdict: str
    left_because: str = ""


@dataclass(frozen=True, kw_only=True)
class Seen:
    orders: tuple[OrderSeen, ...]
    answers: tuple[AnswerSeen, ...]
