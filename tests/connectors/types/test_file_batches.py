import pytest

from connectors.ports import AckEntry
from connectors.types import file_batches


def test_files_are_taken_in_batches_of_bounded_number_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A14."""
    monkeypatch.setattr(file_batches, "BATCH", 3)
    monkeypatch.setattr(file_batches, "BATCH_BYTES", 250)
    sizes = [100, 100, 100, 900, 1, 1, 1, 1]
    entries = [AckEntry(name="ack_x", export_filename="x", size=size, modified_at=0) for size in sizes]
    batches = [[entry.size for entry in batch] for batch in file_batches.batches(entries)]
    assert batches == [[100, 100], [100], [900], [1, 1, 1], [1]]


def test_large_files_come_last_and_are_held_back_in_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A14."""
    monkeypatch.setattr(file_batches, "LARGE_BYTES", 250)
    monkeypatch.setattr(file_batches, "HELD_BACK", 2)
    sizes = [900, 1, 800, 700, 2]
    entries = [AckEntry(name="ack_x", export_filename="x", size=size, modified_at=0) for size in sizes]
    assert [entry.size for entry in file_batches.large_last(entries)] == [1, 700, 2, 900, 800]


def test_batches_grow_from_the_first_up_to_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_batches, "BATCH", 5)
    entries = [AckEntry(name="ack_x", export_filename="x", size=1, modified_at=0)] * 20
    assert [len(batch) for batch in file_batches.batches(entries, first=2)] == [2, 4, 5, 5, 4]
    assert [len(batch) for batch in file_batches.batches(entries, first=9)] == [5, 5, 5, 5]
