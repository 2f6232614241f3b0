"""What a poll counted in an ack folder besides the acks, as the lane keeps it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Counted(StrEnum):
    """The counts that a connection's page shows."""

    UNREAD = "unread"
    TEMPORARY = "temporary"
    FOREIGN = "foreign"
    IRREGULAR = "irregular"
    TESTS = "tests"


# Beside the counts: how many of the FOREIGN ones are files of orders, which no person need look at.
DOCUMENTS = "documents"
# The error of the last poll, as the lane has it, where it concerns a single file: all others were read.
OF_A_FILE = "error_of_a_file"


def suspects(folder: Mapping[str, Any] | None) -> dict[Counted, int]:
    """How many files of each kind may be acks that were not recognised."""
    if not folder:
        return {}
    counts = {kind: int(folder["counts"].get(kind, 0)) for kind in (Counted.UNREAD, Counted.TEMPORARY, Counted.FOREIGN)}
    counts[Counted.FOREIGN] -= folder.get(DOCUMENTS, 0)
    return {kind: count for kind, count in counts.items() if count > 0}
