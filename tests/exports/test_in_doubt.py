"""The server renames and then the connection dies: nobody heard the answer, and no order may arrive twice."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from connectors.models import ERPConnection
from exports import delivery
from exports.models import ERPExport
from orderflow.tenancy.models import Organization
from tests.exports.conftest import Push, connect_to
from tests.servers.asyncssh_server import AsyncSSHServer, asyncssh_server


class DiesAfterRenames(asyncssh.SFTPServer):
    """Carries out three renames, answers none of them, and is gone; but only once."""

    renames = 0

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        super().rename(oldpath, newpath)
        type(self).renames += 1
        if type(self).renames == 3:
            self.channel.get_connection().abort()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AsyncSSHServer]:
    DiesAfterRenames.renames = 0
    for name in ("in", "acks"):
        (tmp_path / "erp" / name).mkdir(parents=True)
    with asyncssh_server(tmp_path / "erp", sftp_class=DiesAfterRenames) as server:
        yield server


@pytest.fixture
def connection(organization: Organization, server: AsyncSSHServer, dropzone_root: Path) -> ERPConnection:
    return connect_to(server, organization, export_path="/in", ack_path="")


def take(server: AsyncSSHServer) -> list[str]:
    """As an ERP does: what lies there is gone."""
    taken = list((server.root / "in").glob("*.json"))
    for path in taken:
        path.unlink()
    return [path.name for path in taken]


@pytest.mark.parametrize("erp_is_quick", [True, False])
def test_a_lost_answer_to_the_rename_never_sends_an_order_twice(
    push: Push, connection: ERPConnection, server: AsyncSSHServer, erp_is_quick: bool
) -> None:
    """F2, F8."""
    exports = [push() for _ in range(10)]
    arrived: Counter[str] = Counter()
    delivery.drain(connection.pk)
    in_doubt = ERPExport.objects.filter(status="PENDING").exclude(staged_path="")
    assert in_doubt.exists()
    if erp_is_quick:
        arrived.update(take(server))

    ERPExport.objects.update(next_attempt_at=None)
    delivery.drain(connection.pk)
    arrived.update(take(server))
    assert arrived == Counter(export.filename for export in exports)
    assert set(ERPExport.objects.values_list("status", flat=True)) == {"SENT"}
    assert not list((server.root / "in").iterdir())
