import struct

import pytest

from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    MissingError,
    RejectedError,
    TargetExistsError,
    TransientError,
)
from connectors.sftp.protocol.file_operations import write_file
from connectors.sftp.protocol.packets import Answer, PacketType
from connectors.sftp.protocol.server_capabilities import Manners
from connectors.sftp.protocol.status import Status, failure, is_end, is_missing, is_ok, is_unexplained


def status(code: int, message: bytes = b"") -> Answer:
    return Answer(PacketType.STATUS, struct.pack(">II", code, len(message)) + message)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Status.NO_SUCH_FILE, MissingError),
        (Status.PERMISSION_DENIED, ConfigError),
        (Status.FAILURE, TransientError),
        (Status.BAD_MESSAGE, RejectedError),
        (Status.OP_UNSUPPORTED, ConfigError),
        (Status.NO_SPACE_ON_FILESYSTEM, TransientError),
        (4711, TransientError),
    ],
)
def test_the_code_decides_what_helps(code: int, kind: type[ConnectorError]) -> None:
    """F7."""
    assert type(failure(status(code), "write", "in/order.json")) is kind


def test_the_words_never_decide() -> None:
    """F7: a server may say what it likes, in any language."""
    error = failure(status(Status.FAILURE, b"Permission denied, no such file"), "write", "in/order.json")
    assert type(error) is TransientError


def test_the_error_names_path_cause_and_next_step() -> None:
    text = str(failure(status(Status.PERMISSION_DENIED, b"Zugriff verweigert"), "write", "in/order.json"))
    assert text == (
        "Cannot write in/order.json: permission denied (the server says: Zugriff verweigert). "
        "Give the user the right to it on the server, then test the connection."
    )


def test_hostile_words_are_tamed() -> None:
    """S16."""
    text = str(failure(status(Status.FAILURE, b"\x1b[31mred\r\nLog: forged" + b"x" * 2000), "write", "f"))
    assert "\x1b" not in text
    assert "\n" not in text
    assert len(text) < 700


def test_an_empty_message_is_replaced_by_the_code() -> None:
    """F7."""
    assert "status 4" in str(failure(status(Status.FAILURE), "write", "f"))


def test_codes_are_told_apart() -> None:
    assert is_ok(status(Status.OK))
    assert not is_ok(status(Status.FAILURE))
    assert is_missing(status(Status.NO_SUCH_FILE))
    assert not is_missing(status(Status.PERMISSION_DENIED))


@pytest.mark.parametrize("code", [Status.NO_SUCH_FILE, Status.NO_SUCH_PATH])
def test_each_of_the_codes_for_what_is_not_there_is_missing(code: int) -> None:
    """F7: servers of later protocol versions say "no such path"."""
    assert is_missing(status(code))


@pytest.mark.parametrize("code", [code for code in Status if code not in (Status.NO_SUCH_FILE, Status.NO_SUCH_PATH)])
def test_no_other_code_is_missing(code: int) -> None:
    assert not is_missing(status(code))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Status.NO_SUCH_PATH, MissingError),
        (Status.NOT_A_DIRECTORY, ConfigError),
        (Status.LINK_LOOP, ConfigError),
        (Status.WRITE_PROTECT, ConfigError),
        (Status.INVALID_FILENAME, RejectedError),
        (Status.NO_CONNECTION, TransientError),
        (Status.CONNECTION_LOST, TransientError),
        (Status.FILE_ALREADY_EXISTS, TargetExistsError),
        (Status.QUOTA_EXCEEDED, TransientError),
    ],
)
def test_the_codes_of_later_versions_mean_the_same(code: int, kind: type[ConnectorError]) -> None:
    """F7."""
    assert type(failure(status(code), "write", "in/order.json")) is kind


@pytest.mark.parametrize("code", [Status.NO_SPACE_ON_FILESYSTEM, Status.QUOTA_EXCEEDED, Status.NO_CONNECTION])
def test_a_flush_that_had_no_room_fails_the_file(code: Status) -> None:
    """F10: the code says it, whatever FSTAT said before."""
    talk = write_file("order.tmp", b"x", Manners(can_flush=True))
    next(talk)
    talk.send([Answer(PacketType.HANDLE, struct.pack(">I", 1) + b"h")])
    talk.send([status(Status.OK), Answer(PacketType.ATTRS, struct.pack(">IQ", 1, 1))])
    talk.send([status(code)])
    (removal,) = talk.send([status(Status.OK)])
    assert removal.kind == PacketType.REMOVE
    with pytest.raises(TransientError, match=r"Cannot write order\.tmp"):
        talk.send([status(Status.OK)])


def test_only_the_end_is_the_end_and_only_failure_is_unexplained() -> None:
    assert [code for code in Status if is_end(status(code))] == [Status.EOF]
    assert [code for code in Status if is_unexplained(status(code))] == [Status.FAILURE]
    assert not is_ok(Answer(PacketType.DATA, struct.pack(">I", Status.OK)))
