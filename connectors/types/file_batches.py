"""Files by the batch, as many as a worker should hold of them."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

BATCH = 2000
# To read damaged ones takes several times as much. A larger file comes alone.
BATCH_BYTES = 4 * 1024 * 1024
# No answer of an ERP's is that large.
LARGE_BYTES = 64 * 1024
# Of the large ones, so many are held back.
HELD_BACK = 10_000


class Sized(Protocol):
    @property
    def size(self) -> int: ...


F = TypeVar("F", bound=Sized)


def large_last(files: Iterable[F]) -> Iterator[F]:
    """As they come, but for the large ones: those take long to read, and what the others say is worth more."""
    large: list[F] = []
    for file in files:
        if file.size > LARGE_BYTES and len(large) < HELD_BACK:
            large.append(file)
        else:
            yield file
    yield from large


def batches(files: Iterable[F], *, first: int | None = None) -> Iterator[list[F]]:
    """The first has at most `first` files, each one after it twice as many as the one before."""
    batch: list[F] = []
    size, most = 0, min(first or BATCH, BATCH)
    for file in files:
        if batch and (len(batch) == most or size + file.size > BATCH_BYTES):
            yield batch
            batch, size, most = [], 0, min(2 * most, BATCH)
        batch.append(file)
        size += file.size
    if batch:
        yield batch
