"""What a batch puts on the wire and takes from it, with a server that responds to one request at a time."""

from collections import deque
from collections.abc import Sequence
from itertools import count

import pytest

from connectors.exceptions import ConnectorError, InDoubtError, TransientError
from connectors.sftp.protocol import requests
from connectors.sftp.protocol.file_operations import Conversation
from connectors.sftp.protocol.flow_control import FAR_BYTES, Window
from connectors.sftp.protocol.packets import HEADER, U32, Answer, PacketType, ProtocolError
from connectors.sftp.protocol.pipeline import Batch
from connectors.sftp.protocol.status import Status

OK = Answer(PacketType.STATUS, U32.pack(Status.OK))


class OneByOne:
    """`most` is how many bytes were on their way at once. `also` comes with the first response."""

    def __init__(self, also: Sequence[tuple[int, Answer]] = ()) -> None:
        self.waiting: deque[tuple[int, int]] = deque()
        self.most = 0
        self._also = list(also)

    def send(self, data: bytes) -> None:
        while data:
            length, _, request_id = HEADER.unpack_from(data)
            self.waiting.append((request_id, 4 + length))
            data = data[4 + length :]
        self.most = max(self.most, sum(size for _, size in self.waiting))

    def receive(self) -> Sequence[tuple[int, Answer]]:
        request_id, _ = self.waiting.popleft()
        also, self._also = self._also, []
        return [*also, (request_id, OK)]


def write(content: bytes) -> Conversation[None]:
    for request in requests.writes(b"handle", content):
        yield [request]


def look() -> Conversation[None]:
    yield [requests.lstat(b"in/order")]


def run(line: OneByOne, conversations: Sequence[Conversation[None]]) -> list[ConnectorError | None]:
    batch = Batch(line, Window(), count(1), conversations)
    batch.run()
    return batch.outcomes("Lost.")


def test_no_more_bytes_are_on_their_way_than_the_window_takes() -> None:
    line = OneByOne()
    assert run(line, [write(b"x" * 30_000) for _ in range(200)]) == [None] * 200
    # One request may go beyond it.
    assert FAR_BYTES - 32_000 < line.most < FAR_BYTES + 32_000


def test_a_response_to_nothing_that_was_asked_is_no_sftp() -> None:
    with pytest.raises(ProtocolError, match="nothing that was asked"):
        run(OneByOne(also=[(4711, OK)]), [look()])


def test_only_a_request_that_may_have_changed_something_is_in_doubt() -> None:
    """F2: what was only looked at is simply looked at again."""

    class Silent(OneByOne):
        def receive(self) -> Sequence[tuple[int, Answer]]:
            raise ConnectionError

    batch = Batch(Silent(), Window(), count(1), [write(b"x"), look()])
    with pytest.raises(ConnectionError):
        batch.run()
    first, second = batch.outcomes("Lost.")
    assert (type(first), type(second)) == (InDoubtError, TransientError)
