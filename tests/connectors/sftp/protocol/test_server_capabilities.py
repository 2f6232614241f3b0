"""What is left to a server and what is not: real servers, with and without manners."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.dropzones.backends.base import OutgoingFile
from connectors.dropzones.backends.sftp import SFTPDropzone
from connectors.exceptions import TargetExistsError
from connectors.sftp.protocol import file_operations, rename_operations
from connectors.sftp.protocol.packets import U32, Answer, PacketType
from connectors.sftp.protocol.server_capabilities import NO_MANNERS, Manners, manners_of
from connectors.sftp.protocol.status import Status
from connectors.sftp.session import SFTPSession
from tests.conftest import SharedServer
from tests.servers.missing import program
from tests.servers.sftp import every
from tests.servers.sftp.openssh import OpenSSHServer
from tests.servers.sftp.quirks import QUIRKS
from tests.servers.sftp.ssh2_server import ssh2_server

Connect = Callable[..., SFTPSession]

CONTENT = {f"f{n}": bytes([n]) * 40_000 for n in range(20)}


@pytest.mark.parametrize("name", every.PARAMS)
def test_only_openssh_is_known_by_its_manners(name: str, shared_server: SharedServer, connect: Connect) -> None:
    is_openssh = name == "openssh"
    manners = connect(shared_server(name)).manners
    assert (manners.keeps_order, manners.never_replaces) == (is_openssh, is_openssh)


def test_another_program_behind_sshd_is_not_taken_for_openssh(
    start_openssh: Callable[..., OpenSSHServer], connect: Connect
) -> None:
    rclone = program("rclone", package="rclone")
    server = start_openssh(extra=f"ForceCommand {rclone} --config /dev/null serve sftp --stdio /tmp")
    assert connect(server).manners._replace(can_rename_posix=False) == NO_MANNERS


@pytest.mark.parametrize("name", every.PARAMS)
def test_a_plain_rename_replaces_where_it_is_known_to(name: str, shared_server: SharedServer, connect: Connect) -> None:
    """F5: why a server without manners is asked for the target first."""
    server = shared_server(name)
    source, target = server.root / f"{name}.tmp", server.root / f"{name}.json"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    (outcome,) = connect(server).run([rename_operations.rename(source.name, target.name)])
    if QUIRKS[name].rename_replaces:
        assert (outcome, target.read_bytes(), source.exists()) == (None, b"new", False)
    else:
        assert isinstance(outcome, TargetExistsError)
        assert (target.read_bytes(), source.read_bytes()) == (b"old", b"new")


def test_files_are_whole_on_a_server_that_carries_out_everything_at_once(tmp_path: Path, connect: Connect) -> None:
    """A file that is closed too early loses its bytes, or gets those of another one that goes by its handle."""
    with ssh2_server(tmp_path / "ssh2", delay_ms=10) as server:
        dropzone = SFTPDropzone(connect(server))
        files = [OutgoingFile(path=name, content=content) for name, content in CONTENT.items()]
        assert dropzone.write(files) == [None] * len(files)
        assert {path.name: path.read_bytes() for path in server.root.iterdir()} == CONTENT
        assert dropzone.read(list(CONTENT), limit=50_000) == list(CONTENT.values())


@pytest.mark.parametrize(("keeps_order", "bursts"), [(True, 2), (False, 3)])
def test_manners_save_a_round_trip(keeps_order: bool, bursts: int) -> None:
    conversation = file_operations.write_file("order", b"x", Manners(keeps_order=keeps_order))
    handle, done = Answer(PacketType.HANDLE, U32.pack(1) + b"h"), Answer(PacketType.STATUS, U32.pack(Status.OK))
    size = Answer(PacketType.ATTRS, U32.pack(1) + U32.pack(0) + U32.pack(1))
    answers = {PacketType.OPEN: handle, PacketType.WRITE: done, PacketType.FSTAT: size, PacketType.CLOSE: done}
    burst, seen = next(conversation), 1
    with contextlib.suppress(StopIteration):
        while True:
            burst = conversation.send([answers[PacketType(request.kind)] for request in burst])
            seen += 1
    assert seen == bursts


def test_a_server_whose_greeting_is_wrong_behind_the_version_offers_nothing() -> None:
    """And is spoken to all the same: the version is all that the protocol's core needs."""
    greeting = Answer(PacketType.VERSION, U32.pack(9) + b"cut")
    assert manners_of("SSH-2.0-OpenSSH_9.2", greeting) == NO_MANNERS
