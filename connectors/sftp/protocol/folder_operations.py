"""What there is to say to a server about folders."""

from itertools import takewhile

from connectors.exceptions import ConfigError
from connectors.sftp.protocol import requests
from connectors.sftp.protocol.file_operations import Conversation, encoded
from connectors.sftp.protocol.packets import Answer, PacketType
from connectors.sftp.protocol.responses import Attributes, attributes_of, handle_of, names_of
from connectors.sftp.protocol.status import failure, is_end, is_ok, is_unexplained
from connectors.text.sanitize import tame


def open_directory(path: str) -> Conversation[bytes]:
    (answer,) = yield [requests.open_directory(encoded(path))]
    if answer.kind == PacketType.HANDLE:
        return handle_of(answer)
    if is_unexplained(answer):
        (found,) = yield [requests.stat(encoded(path))]
        _require_no_file(found, path)
    raise failure(answer, "list", path)


def read_directory(handle: bytes, path: str, waves: int) -> Conversation[tuple[list[tuple[str, Attributes]], bool]]:
    """The next entries, asked for `waves` times at once, and whether these were the last."""
    answers = yield [requests.read_directory(handle)] * waves
    named = list(takewhile(lambda a: a.kind == PacketType.NAME, answers))
    entries = [entry for answer in named for entry in names_of(answer)]
    if len(named) == len(answers):
        return entries, False
    if not is_end(answers[len(named)]):
        raise failure(answers[len(named)], "list", path)
    return entries, True


def close_directory(handle: bytes) -> Conversation[None]:
    yield [requests.close(handle)]


def make_directory(path: str) -> Conversation[None]:
    """Servers refuse an existing folder in as many ways as there are servers, so the folder itself decides."""
    made, found = yield [requests.make_directory(encoded(path)), requests.stat(encoded(path))]
    if not is_ok(made):
        _require_no_file(found, path)
        if found.kind != PacketType.ATTRS:
            raise failure(made, "make the folder", path)


def _require_no_file(found: Answer, path: str) -> None:
    """Many servers have no words for it. Raises `ConfigError`."""
    if found.kind == PacketType.ATTRS and not attributes_of(found).is_directory:
        raise ConfigError(f"{tame(path)} is there, but is no folder. Remove it or correct the path.")
