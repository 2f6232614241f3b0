import pytest

from connectors.ports import AckEntry
from exports import file_batches


def test_files_are_taken_in_batches_of_bounded_number_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A14."""
    monkeypatch.setattr(file_batches, "BATCH", 3)
    monkeypatch.setattr(file_batches, "BATCH_BYTES", 250)
    sizes = [100, 100, 100, 900, 1, 1, 1, 1]
    entries = [AckEntry(name="ack_x", export_filename="x", size=size, modified_at=0) for size in sizes]
    batches = [[entry.size for entry in batch] for batch in file_batches.batches(entries)]
    assert batches == [[100, 100], [100], [900], [1, 1, 1], [1]]
