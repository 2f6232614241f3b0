"""Servers that fail in the middle of a file."""

from collections.abc import Callable

import asyncssh
import pytest

from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    InDoubtError,
    RejectedError,
    TargetExistsError,
    TransientError,
)
from connectors.sftp.protocol import file_operations, rename_operations
from connectors.sftp.protocol.flow_control import WIDEST
from connectors.sftp.protocol.packets import Answer
from connectors.sftp.protocol.server_capabilities import Manners
from connectors.sftp.session import SFTPSession
from tests.servers.faulty.faults import (
    BARE_FAILURE,
    Dawdles,
    DeniedStat,
    DiskFull,
    Fails,
    FewHandles,
    LosesAnswers,
    NoSecondNames,
    QuotaAtClose,
    ShortReads,
    ShortWrites,
    TakesFiles,
    TellsSize,
)
from tests.servers.faulty.server import Call, Fault
from tests.servers.sftp.asyncssh_server import AsyncSSHServer
from tests.servers.sftp.openssh import OpenSSHServer

Start = Callable[..., AsyncSSHServer]
Connect = Callable[..., SFTPSession]
CONTENT = bytes(range(256)) * 400
RENAME, FLUSH = frozenset({"rename"}), frozenset({"fsync"})


def write(session: SFTPSession, path: str, content: bytes = CONTENT) -> ConnectorError | None:
    (outcome,) = session.run([file_operations.write_file(path, content)])
    return outcome


@pytest.mark.parametrize("fault", [DiskFull(at=65_000), QuotaAtClose(), ShortWrites()], ids=str)
def test_a_file_that_is_not_complete_is_an_error_and_removed(
    fault: Fault, start_faulty: Start, connect: Connect
) -> None:
    """F10, F11, F12."""
    server = start_faulty(fault)
    assert isinstance(write(connect(server), "order.tmp"), TransientError)
    assert list(server.root.iterdir()) == []


def test_one_full_file_does_not_stop_the_others(start_faulty: Start, connect: Connect) -> None:
    """F10."""
    server = start_faulty(DiskFull(at=65_000))
    files = {"small": b"x", "large": CONTENT, "other": b"y"}
    outcomes = connect(server).run([file_operations.write_file(name, body) for name, body in files.items()])
    assert [type(outcome) for outcome in outcomes] == [type(None), TransientError, type(None)]
    assert {file.name for file in server.root.iterdir()} == {"small", "other"}


def test_a_server_that_tells_no_sizes_needs_a_person(start_faulty: Start, connect: Connect) -> None:
    """F9."""
    server = start_faulty(DeniedStat())
    outcome = write(connect(server), "order.tmp")
    assert isinstance(outcome, ConfigError)
    assert "check the size of order.tmp" in str(outcome)
    assert list(server.root.iterdir()) == []


def test_a_file_is_on_the_servers_disk_before_anybody_hears_of_it(start_faulty: Start, connect: Connect) -> None:
    flushes = Dawdles(operations=FLUSH, seconds=0)
    session = connect(start_faulty(flushes))
    assert session.run([file_operations.write_file(f"f{n}", CONTENT, session.manners) for n in range(3)]) == [None] * 3
    assert flushes.struck == 3


@pytest.mark.parametrize("error", [BARE_FAILURE, asyncssh.SFTPOpUnsupported("no")], ids=["failure", "unsupported"])
def test_a_disk_that_does_not_flush_is_written_to_without(
    error: Exception, start_faulty: Start, connect: Connect
) -> None:
    """F7: no code tells a storage that cannot from one that failed, and the file is compared."""
    server = start_faulty(Fails(operations=FLUSH, error=error))
    refusals: list[Answer] = []
    write_flushed = file_operations.write_file("order.tmp", CONTENT, Manners(can_flush=True), refusals.append)
    assert connect(server).run([write_flushed]) == [None]
    assert (server.root / "order.tmp").read_bytes() == CONTENT
    assert len(refusals) == 1


def test_a_server_that_offers_no_flush_is_not_asked_for_it(
    start_faulty: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncssh.sftp.SFTPServerHandler, "_extensions", [])
    session = connect(start_faulty())
    assert not session.manners.can_flush


def test_a_size_told_too_early_is_asked_for_again(start_faulty: Start, connect: Connect) -> None:
    server = start_faulty(TellsSize())
    assert write(connect(server), "order.tmp") is None
    assert (server.root / "order.tmp").read_bytes() == CONTENT


def test_short_answers_to_reads_still_give_the_whole_file(start_faulty: Start, connect: Connect) -> None:
    server = start_faulty(ShortReads())
    (server.root / "ack").write_bytes(CONTENT)
    assert connect(server).ask(file_operations.read_file("ack", len(CONTENT))) == CONTENT


def test_a_file_that_grows_while_it_is_read_stays_within_the_limit(start_faulty: Start, connect: Connect) -> None:
    """A10."""
    server = start_faulty(ShortReads(), TellsSize(operations=frozenset({"lstat"}), size=5000))
    (server.root / "ack").write_bytes(CONTENT)
    with pytest.raises(ConnectorError, match="more than the 6000 bytes"):
        connect(server).ask(file_operations.read_file("ack", 6000))


def test_a_rename_whose_answer_is_lost_is_in_doubt(start_faulty: Start, connect: Connect) -> None:
    """F2: the file was renamed, and nobody said so."""
    server = start_faulty(LosesAnswers(hangs_up_after_s=0))
    (server.root / "order.tmp").write_bytes(b"x")
    (outcome,) = connect(server).run([rename_operations.rename("order.tmp", "order.json")])
    assert isinstance(outcome, InDoubtError)
    assert [file.name for file in server.root.iterdir()] == ["order.json"]


def test_a_rename_that_happened_and_was_denied_shows_in_the_target(start_faulty: Start, connect: Connect) -> None:
    """F4."""
    server = start_faulty(Fails(operations=RENAME, carried_out=True))
    (server.root / "order.tmp").write_bytes(b"x")
    with pytest.raises(TargetExistsError):
        connect(server).ask(rename_operations.rename("order.tmp", "order.json"))


def test_a_rename_that_failed_without_a_cause_is_judged_by_both_names(start_faulty: Start, connect: Connect) -> None:
    """F4, F7: neither words nor error number; with the old name there and the new one not, nothing has happened."""
    server = start_faulty(Fails(operations=RENAME))
    (server.root / "order.tmp").write_bytes(b"x")
    with pytest.raises(TransientError) as error:
        connect(server).ask(rename_operations.rename("order.tmp", "order.json"))
    assert not isinstance(error.value, InDoubtError)


def test_a_rename_that_failed_without_a_cause_is_in_doubt(start_faulty: Start, connect: Connect) -> None:
    """F4, F7: neither of the names is there, so the ERP may have taken the file."""
    erp = TakesFiles()
    server = start_faulty(erp, Fails(operations=RENAME, carried_out=True))
    (server.root / "order.tmp").write_bytes(b"x")
    with pytest.raises(InDoubtError):
        connect(server).ask(rename_operations.rename("order.tmp", "order.json"))
    assert erp.taken == {"order.json": 1}


def test_a_rename_that_failed_without_a_cause_gets_no_second_kind(start_faulty: Start, connect: Connect) -> None:
    """F8: a rename in two steps, and an ERP that takes the file between them."""
    server = start_faulty(failing := Fails(operations=RENAME))
    (server.root / "order.tmp").write_bytes(b"x")
    session = connect(server)
    with pytest.raises(TransientError):
        session.ask(rename_operations.rename("order.tmp", "order.json", session.manners))
    assert failing.struck == 1


def test_the_other_rename_replaces_nothing(start_faulty: Start, connect: Connect) -> None:
    """F5."""
    server = start_faulty(NoSecondNames())
    (server.root / "order.tmp").write_bytes(b"new")
    (server.root / "order.json").write_bytes(b"old")
    session = connect(server)
    with pytest.raises(TargetExistsError):
        session.ask(rename_operations.rename("order.tmp", "order.json", session.manners))
    assert (server.root / "order.json").read_bytes() == b"old"


def test_a_rename_that_is_not_permitted_needs_a_person(start_faulty: Start, connect: Connect) -> None:
    """F7, F13: whatever the words say."""
    server = start_faulty(Fails(operations=RENAME, error=asyncssh.SFTPPermissionDenied("Datei existiert bereits")))
    (server.root / "order.tmp").write_bytes(b"x")
    with pytest.raises(ConfigError, match="permission denied"):
        connect(server).ask(rename_operations.rename("order.tmp", "order.json"))


@pytest.mark.parametrize("limit", [1, 5])
def test_a_server_with_few_open_files_gets_all_of_them(limit: int, start_faulty: Start, connect: Connect) -> None:
    """And the window stays small for the rest of the session."""
    handles = FewHandles(limit=limit)
    server = start_faulty(handles)
    session = connect(server)
    assert session.run([file_operations.write_file(f"f{n}", b"x") for n in range(300)]) == [None] * 300
    assert len(list(server.root.iterdir())) == 300
    assert handles.most <= limit
    assert session._window.size <= limit
    assert session.run([file_operations.read_file(f"f{n}", 10) for n in range(300)]) == [b"x"] * 300


def test_openssh_out_of_handles_gets_all_files(start_openssh: Callable[..., OpenSSHServer], connect: Connect) -> None:
    server = start_openssh(open_files=40)
    session = connect(server)
    assert session.run([file_operations.write_file(f"f{n}", b"x") for n in range(400)]) == [None] * 400
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
    outcomes = session.run([file_operations.write_file(name, b"x") for name in names])
    assert [isinstance(outcome, ConnectorError) for outcome in outcomes] == [True] * 3 + [False] * 300
    assert session._window.size == WIDEST


def test_a_server_that_refuses_every_file_is_asked_once_for_each(start_faulty: Start, connect: Connect) -> None:
    broken = Fails(operations=frozenset({"open"}))
    session = connect(start_faulty(broken))
    outcomes = session.run([file_operations.write_file(f"f{n}", b"x") for n in range(500)])
    assert {type(outcome) for outcome in outcomes} == {TransientError}
    assert broken.struck == 500
    assert session._window.size == WIDEST


SIZES = frozenset({"fstat", "lstat"})


def test_a_server_that_tells_everything_but_the_size_needs_a_person(start_faulty: Start, connect: Connect) -> None:
    """F9: nobody can know that the file is complete, so it does not stay."""
    server = start_faulty(TellsSize(operations=SIZES, size=None))
    with pytest.raises(ConfigError, match="does not tell the size of order"):
        connect(server).ask(file_operations.write_file("order", CONTENT))
    assert list(server.root.iterdir()) == []


def test_a_look_that_is_refused_is_not_taken_for_a_file_that_is_gone(start_faulty: Start, connect: Connect) -> None:
    """F9: gone and gone means that the ERP took it."""
    server = start_faulty(DeniedStat())
    (server.root / "order").write_bytes(b"x")
    with pytest.raises(ConfigError, match="Cannot look at order: permission denied"):
        connect(server).ask(file_operations.lstat("order"))


def test_a_file_of_unknown_size_is_read_to_its_end_and_not_beyond_the_limit(
    start_faulty: Start, connect: Connect
) -> None:
    """A10."""
    reads = Dawdles(operations=frozenset({"read"}), seconds=0)
    server = start_faulty(TellsSize(operations=SIZES, size=None), reads)
    session = connect(server)
    (server.root / "ack").write_bytes(CONTENT)
    assert session.ask(file_operations.read_file("ack", len(CONTENT))) == CONTENT
    (server.root / "ack").write_bytes(CONTENT * 20)
    reads.struck = 0
    with pytest.raises(RejectedError, match="more than the 1000 bytes"):
        session.ask(file_operations.read_file("ack", 1000))
    assert reads.struck == 1


def test_a_read_that_fails_in_the_middle_gives_no_half(start_faulty: Start, connect: Connect) -> None:
    """A2."""

    class FailsLater(Fails):
        def is_about(self, call: Call) -> bool:
            return bool(call.arguments[1] > 0)

    broken = FailsLater(operations=frozenset({"read"}))
    server = start_faulty(TellsSize(operations=SIZES, size=None), broken)
    (server.root / "ack").write_bytes(CONTENT)
    with pytest.raises(TransientError, match="Cannot read ack"):
        connect(server).ask(file_operations.read_file("ack", len(CONTENT)))
    assert broken.struck


def test_a_name_with_a_nul_is_no_request(start_faulty: Start, connect: Connect) -> None:
    """A7: a server that is written in C would cut it off there, and write another file."""
    opened = Dawdles(operations=frozenset({"open"}), seconds=0)
    session = connect(start_faulty(opened))
    with pytest.raises(RejectedError, match="not a name"):
        session.ask(file_operations.write_file("a\0b", b"x"))
    assert opened.struck == 0
