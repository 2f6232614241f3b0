"""One batch of conversations on its way through the pipeline."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from time import monotonic
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from connectors.exceptions import ConnectorError, InDoubtError, TransientError
from connectors.sftp.protocol.file_operations import Conversation
from connectors.sftp.protocol.flow_control import Window
from connectors.sftp.protocol.packets import Answer, ProtocolError, Request, encode
from connectors.sftp.protocol.status import is_unexplained

T = TypeVar("T")


class Line(Protocol):
    """Both raise `ConnectionLost`."""

    def send(self, data: bytes) -> None: ...

    def receive(self) -> Sequence[tuple[int, Answer]]: ...


class _Talk(Generic[T]):
    """One conversation: the answers to its present requests, and whether the server may have changed anything."""

    __slots__ = ("answers", "awaited", "changing", "conversation", "index", "refused")

    def __init__(self, index: int, conversation: Conversation[T]) -> None:
        self.index = index
        self.conversation = conversation
        self.answers: list[Any] = []
        self.awaited = 0
        self.changing = False
        self.refused: _Sent[T] | None = None


class _Sent(NamedTuple, Generic[T]):
    """A request under way: which of its conversation's burst, how wide the window was, its bytes and the answer's."""

    talk: _Talk[T]
    position: int
    request: Request
    window: int
    cost: int


class Batch(Generic[T]):
    def __init__(
        self, line: Line, window: Window, ids: Iterator[int], conversations: Iterable[Conversation[T]]
    ) -> None:
        self._line = line
        self._window = window
        self._ids = ids
        self._talks = [_Talk(index, conversation) for index, conversation in enumerate(conversations)]
        self._waiting = deque(self._talks)
        self._outbox: deque[tuple[_Talk[T], int, Request]] = deque()
        self._sent: dict[int, _Sent[T]] = {}
        self._under_way = 0
        self._in_flight = 0
        self._answered = False
        self._handles_given = False
        self._refusals: list[tuple[_Sent[T], Answer]] = []
        self._outcomes: dict[int, T | ConnectorError] = {}

    def outcomes(self, lost: str | None) -> list[T | ConnectorError]:
        """One per conversation, in order; `lost` is a sentence on why some have no answer."""
        return [self._outcome(talk, lost) for talk in self._talks]

    def run(self) -> None:
        """Round by round: what was refused a handle is asked again when all handles of the round are back."""
        while self._waiting or self._under_way:
            self._handles_given = False
            self._run_round()
            self._reconsider_refusals()

    def _run_round(self) -> None:
        while self._waiting or self._under_way:
            while self._waiting and self._under_way < self._window.size:
                self._start(self._waiting.popleft())
            self._send()
            if self._sent:
                self._receive()

    def _start(self, talk: _Talk[T]) -> None:
        self._under_way += 1
        if talk.refused:
            self._outbox.append((talk, talk.refused.position, talk.refused.request))
        else:
            self._go_on(talk, None)

    def _go_on(self, talk: _Talk[T], answers: list[Answer] | None) -> None:
        try:
            # The first thing sent to a generator is None, which its type cannot say.
            burst = talk.conversation.send(answers)  # type: ignore[arg-type]
        except StopIteration as end:
            self._end(talk, end.value)
        except ConnectorError as error:
            self._end(talk, error)
        else:
            talk.awaited = len(burst)
            talk.answers = [None] * talk.awaited
            self._outbox.extend([(talk, position, request) for position, request in enumerate(burst)])

    def _end(self, talk: _Talk[T], outcome: T | ConnectorError) -> None:
        self._outcomes[talk.index] = outcome
        self._under_way -= 1

    def _send(self) -> None:
        """All that is ready, joined, as far as the window goes."""
        pieces: list[bytes | memoryview] = []
        most, width, outbox = self._window.bytes, self._window.size, self._outbox
        while outbox and self._in_flight < most:
            talk, position, request = outbox.popleft()
            request_id = next(self._ids)
            cost = len(request.body) + len(request.payload) + request.reply_size
            self._sent[request_id] = _Sent(talk, position, request, width, cost)
            self._in_flight += cost
            if request.changes:
                talk.changing = True
            pieces += encode(request, request_id)
        if pieces:
            self._line.send(b"".join(pieces))

    def _receive(self) -> None:
        asked_at = monotonic()
        answers = self._line.receive()
        if not self._answered:
            self._window.answered_after(monotonic() - asked_at)
            self._answered = True
        for request_id, answer in answers:
            self._take(request_id, answer)

    def _take(self, request_id: int, answer: Answer) -> None:
        sent = self._sent.pop(request_id, None)
        if sent is None:
            raise ProtocolError("an answer to nothing that was asked")
        self._in_flight -= sent.cost
        if not (sent.request.opens and self._is_one_too_many(sent, answer)):
            self._deliver(sent, answer)

    def _deliver(self, sent: _Sent[T], answer: Answer) -> None:
        talk = sent.talk
        talk.answers[sent.position] = answer
        talk.awaited -= 1
        if not talk.awaited:
            self._go_on(talk, talk.answers)

    def _is_one_too_many(self, sent: _Sent[T], answer: Answer) -> bool:
        """No code says "too many open files": with others under way, an unexplained failure may mean it."""
        if not is_unexplained(answer):
            self._handles_given = True
            if sent.talk.refused:
                self._window.confirm()
            return False
        if self._under_way == 1:
            return False
        self._window.shrink(sent.window)
        self._refusals.append((sent, answer))
        self._under_way -= 1
        return True

    def _reconsider_refusals(self) -> None:
        """The first of a round met a server that held no handle of ours: if nobody got one, the refusals stand."""
        refusals, self._refusals = self._refusals, []
        if self._handles_given:
            self._ask_again(refusals)
        else:
            self._window.restore()
            self._accept(refusals)

    def _ask_again(self, refusals: Sequence[tuple[_Sent[T], Answer]]) -> None:
        for sent, _ in refusals:
            sent.talk.refused = sent
            self._waiting.append(sent.talk)

    def _accept(self, refusals: Sequence[tuple[_Sent[T], Answer]]) -> None:
        for sent, answer in refusals:
            self._under_way += 1
            self._deliver(sent, answer)

    def _outcome(self, talk: _Talk[T], lost: str | None) -> T | ConnectorError:
        if talk.index in self._outcomes:
            return self._outcomes[talk.index]
        if talk.changing:
            return InDoubtError(f"{lost} Whether it carried the request out is not known: look before you ask again.")
        return TransientError(f"{lost} Nothing was changed.")
