"""The folder that the model delivers to: the product's own, with each operation on a file a step of the worker."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from connectors.dropzones.backends.base import Entry, Move, OutgoingFile
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.exceptions import ConnectorError, InDoubtError, TransientError
from connectors.fencing import Fence
from tests.system.model.actors.erp import ERP
from tests.system.model.steps import Mishap, Workers

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - an item


class WatchedDropzone(LocalDropzone):
    """Its session may be lost, as one over a network, before a request leaves or before its answer comes."""

    def __init__(self, root: str | Path, *, fence: Fence | None = None, workers: Workers, erp: ERP) -> None:
        super().__init__(root, fence=fence)
        self._workers = workers
        self._erp = erp
        self._is_lost = False

    def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
        return self._each(super().write, files, InDoubtError)

    def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
        outcomes = self._each(super().rename, moves, InDoubtError)
        self._erp.look()
        return outcomes

    def stat(self, paths: Sequence[str]) -> list[Entry | ConnectorError | None]:
        return self._each(super().stat, paths, TransientError)

    def read(self, paths: Sequence[str], *, limit: int) -> list[bytes | ConnectorError | None]:
        read = super().read
        return self._each(lambda one: read(one, limit=limit), paths, TransientError)

    def remove(self, paths: Sequence[str]) -> list[ConnectorError | None]:
        return self._each(super().remove, paths, InDoubtError)

    def make_directory(self, path: str, mode: int | None = None) -> None:
        self._require_session()
        if self._step():
            self._require_session()
        super().make_directory(path, mode)

    def _each(
        self, work: Callable[[Sequence[I]], list[T | ConnectorError]], items: Sequence[I], lost: type[TransientError]
    ) -> list[T | ConnectorError]:
        self._require_session()
        outcomes: list[T | ConnectorError] = []
        for item in items:
            mishap = None if self._is_lost else self._step()
            if not self._is_lost:
                outcomes += work([item])
                continue
            if mishap is Mishap.ANSWER_LOST:
                work([item])
            outcomes.append(lost("The session was lost."))
        return outcomes

    def _step(self) -> Mishap | None:
        mishap = self._workers.file()
        self._is_lost = self._is_lost or mishap is not None
        return mishap

    def _require_session(self) -> None:
        if self._is_lost:
            raise TransientError("The session was lost before.")

    def list(self, directory: str) -> Iterator[Entry]:
        self._require_session()
        if self._step():
            self._require_session()
        yield from super().list(directory)
