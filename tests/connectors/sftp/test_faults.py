"""Servers that fail in the middle of a file."""

import errno
import os
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import asyncssh
import pytest

from connectors.exceptions import ConfigError, ConnectorError, InDoubtError, TargetExistsError, TransientError
from connectors.sftp import conversations
from connectors.sftp.session import SFTPSession
from tests.servers.asyncssh_server import AsyncSSHServer
from tests.servers.openssh import OpenSSHServer

Start = Callable[..., AsyncSSHServer]
Connect = Callable[..., SFTPSession]
CONTENT = bytes(range(256)) * 400


class DiskFull(asyncssh.SFTPServer):
    def write(self, file_obj: Any, offset: int, data: bytes) -> Any:
        if offset >= 65_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(file_obj, offset, data)


class DiskFullAtClose(asyncssh.SFTPServer):
    def close(self, file_obj: Any) -> None:
        super().close(file_obj)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class ShortWrites(asyncssh.SFTPServer):
    """Says that all is well, and keeps half of it."""

    def write(self, file_obj: Any, offset: int, data: bytes) -> int:
        super().write(file_obj, offset, data[: len(data) // 2])
        return len(data)


class RefusesToStat(asyncssh.SFTPServer):
    def fstat(self, _file: Any) -> Any:
        raise asyncssh.SFTPPermissionDenied("no")

    def lstat(self, _path: bytes) -> Any:
        raise asyncssh.SFTPPermissionDenied("no")


class EarlyFstat(asyncssh.SFTPServer):
    """As servers do that work in parallel: FSTAT is answered ahead of the writes before it."""

    def fstat(self, file_obj: Any) -> Any:
        return _with_size(super().fstat(file_obj), 0)


class ShortReads(asyncssh.SFTPServer):
    def read(self, file_obj: Any, offset: int, size: int) -> Any:
        return super().read(file_obj, offset, min(size, 1000))


class RenamesAndDies(asyncssh.SFTPServer):
    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        super().rename(oldpath, newpath)
        self.channel.get_connection().abort()


class RenamesAndSaysNo(asyncssh.SFTPServer):
    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        super().rename(oldpath, newpath)
        raise asyncssh.SFTPFailure("")


class CannotRename(asyncssh.SFTPServer):
    def rename(self, _old: bytes, _new: bytes) -> Any:
        raise asyncssh.SFTPFailure("")


class MayNotRename(asyncssh.SFTPServer):
    def rename(self, _old: bytes, _new: bytes) -> Any:
        raise asyncssh.SFTPPermissionDenied("Datei existiert bereits")


class OneOpenFile(asyncssh.SFTPServer):
    limit: ClassVar[int] = 1
    handles: ClassVar[int] = 0
    most: ClassVar[int] = 0
    _lock = threading.Lock()

    def open(self, path: bytes, pflags: int, attrs: Any) -> Any:
        cls = type(self)
        with self._lock:
            if cls.handles >= cls.limit:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            cls.handles += 1
            cls.most = max(cls.most, cls.handles)
        return super().open(path, pflags, attrs)

    def close(self, file_obj: Any) -> None:
        with self._lock:
            type(self).handles -= 1
        super().close(file_obj)


class FiveOpenFiles(OneOpenFile):
    limit = 5


def _with_size(attributes: Any, size: int) -> asyncssh.SFTPAttrs:
    changed = asyncssh.SFTPAttrs.from_local(attributes)
    changed.size = size
    return changed


def write(session: SFTPSession, path: str, content: bytes = CONTENT) -> ConnectorError | None:
    (outcome,) = session.run([conversations.write_file(path, content)])
    return outcome


@pytest.mark.parametrize("sftp_class", [DiskFull, DiskFullAtClose, ShortWrites])
def test_a_file_that_is_not_complete_is_an_error_and_removed(
    sftp_class: type[asyncssh.SFTPServer], start_asyncssh: Start, connect: Connect
) -> None:
    """F10, F11, F12."""
    server = start_asyncssh(sftp_class=sftp_class)
    assert isinstance(write(connect(server), "order.tmp"), TransientError)
    assert list(server.root.iterdir()) == []


def test_one_full_file_does_not_stop_the_others(start_asyncssh: Start, connect: Connect) -> None:
    """F10."""
    server = start_asyncssh(sftp_class=DiskFull)
    files = {"small": b"x", "large": CONTENT, "other": b"y"}
    outcomes = connect(server).run([conversations.write_file(name, body) for name, body in files.items()])
    assert [type(outcome) for outcome in outcomes] == [type(None), TransientError, type(None)]
    assert {file.name for file in server.root.iterdir()} == {"small", "other"}


def test_a_server_that_tells_no_sizes_needs_a_person(start_asyncssh: Start, connect: Connect) -> None:
    """F9."""
    server = start_asyncssh(sftp_class=RefusesToStat)
    outcome = write(connect(server), "order.tmp")
    assert isinstance(outcome, ConfigError)
    assert "check the size of order.tmp" in str(outcome)
    assert list(server.root.iterdir()) == []


def test_a_size_told_too_early_is_asked_for_again(start_asyncssh: Start, connect: Connect) -> None:
    server = start_asyncssh(sftp_class=EarlyFstat)
    assert write(connect(server), "order.tmp") is None
    assert (server.root / "order.tmp").read_bytes() == CONTENT


def test_short_answers_to_reads_still_give_the_whole_file(start_asyncssh: Start, connect: Connect) -> None:
    server = start_asyncssh(sftp_class=ShortReads)
    (server.root / "ack").write_bytes(CONTENT)
    assert connect(server).ask(conversations.read_file("ack", len(CONTENT))) == CONTENT


def test_a_file_that_grows_while_it_is_read_stays_within_the_limit(start_asyncssh: Start, connect: Connect) -> None:
    """A10."""

    class Growing(ShortReads):
        def lstat(self, path: bytes) -> Any:
            return _with_size(super().lstat(path), 5000)

    server = start_asyncssh(sftp_class=Growing)
    (server.root / "ack").write_bytes(CONTENT)
    with pytest.raises(ConnectorError, match="more than the 6000 bytes"):
        connect(server).ask(conversations.read_file("ack", 6000))


def test_a_rename_whose_answer_is_lost_is_in_doubt(start_asyncssh: Start, connect: Connect) -> None:
    """F2: the file was renamed, and nobody said so."""
    server = start_asyncssh(sftp_class=RenamesAndDies)
    (server.root / "order.tmp").write_bytes(b"x")
    (outcome,) = connect(server).run([conversations.rename("order.tmp", "order.json")])
    assert isinstance(outcome, InDoubtError)
    assert [file.name for file in server.root.iterdir()] == ["order.json"]


def test_a_rename_that_happened_and_was_denied_shows_in_the_target(start_asyncssh: Start, connect: Connect) -> None:
    """F4."""
    server = start_asyncssh(sftp_class=RenamesAndSaysNo)
    (server.root / "order.tmp").write_bytes(b"x")
    with pytest.raises(TargetExistsError):
        connect(server).ask(conversations.rename("order.tmp", "order.json"))


def test_a_rename_that_failed_without_a_cause_is_in_doubt(start_asyncssh: Start, connect: Connect) -> None:
    """F4, F7: neither words nor error number, and no sign of the target."""
    server = start_asyncssh(sftp_class=CannotRename)
    (server.root / "order.tmp").write_bytes(b"x")
    with pytest.raises(InDoubtError):
        connect(server).ask(conversations.rename("order.tmp", "order.json"))


def test_a_rename_that_is_not_permitted_needs_a_person(start_asyncssh: Start, connect: Connect) -> None:
    """F7, F13: whatever the words say."""
    server = start_asyncssh(sftp_class=MayNotRename)
    (server.root / "order.tmp").write_bytes(b"x")
    with pytest.raises(ConfigError, match="permission denied"):
        connect(server).ask(conversations.rename("order.tmp", "order.json"))


@pytest.mark.parametrize("sftp_class", [OneOpenFile, FiveOpenFiles])
def test_a_server_with_few_open_files_gets_all_of_them(
    sftp_class: type[OneOpenFile], start_asyncssh: Start, connect: Connect
) -> None:
    """And the window stays small for the rest of the session."""
    sftp_class.handles = sftp_class.most = 0
    server = start_asyncssh(sftp_class=sftp_class)
    session = connect(server)
    assert session.run([conversations.write_file(f"f{n}", b"x") for n in range(300)]) == [None] * 300
    assert len(list(server.root.iterdir())) == 300
    assert sftp_class.most <= sftp_class.limit
    assert session._window.size <= sftp_class.limit
    assert session.run([conversations.read_file(f"f{n}", 10) for n in range(300)]) == [b"x"] * 300


def test_openssh_out_of_handles_gets_all_files(start_openssh: Callable[..., OpenSSHServer], connect: Connect) -> None:
    server = start_openssh(open_files=40)
    session = connect(server)
    assert session.run([conversations.write_file(f"f{n}", b"x") for n in range(400)]) == [None] * 400
    assert len(list(server.root.iterdir())) == 400
    assert session._window.size < 40


def test_a_few_names_that_cannot_be_written_do_not_slow_the_session_down(
    shared_openssh: OpenSSHServer, connect: Connect
) -> None:
    """A folder of that name gets the same bare failure as one open file too many."""
    for n in range(3):
        (shared_openssh.root / f"taken{n}").mkdir()
    session = connect(shared_openssh)
    names = [f"taken{n}" for n in range(3)] + [f"free{n}" for n in range(300)]
    outcomes = session.run([conversations.write_file(name, b"x") for name in names])
    assert [isinstance(outcome, ConnectorError) for outcome in outcomes] == [True] * 3 + [False] * 300
    assert session._window.size == 256


def test_a_server_that_refuses_every_file_is_asked_once_for_each(start_asyncssh: Start, connect: Connect) -> None:
    asked = []

    class Broken(asyncssh.SFTPServer):
        def open(self, path: bytes, *_: Any) -> Any:
            asked.append(path)
            raise asyncssh.SFTPFailure("")

    session = connect(start_asyncssh(sftp_class=Broken))
    outcomes = session.run([conversations.write_file(f"f{n}", b"x") for n in range(500)])
    assert {type(outcome) for outcome in outcomes} == {TransientError}
    assert len(asked) == 500
    assert session._window.size == 256
