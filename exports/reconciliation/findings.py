"""What can differ between the database, the dropzone and the stored copies; what each means, and what mends it."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Repair(StrEnum):
    COPIES = "copies"
    TEMPORARIES = "temporaries"
    STATES = "states"
    ANSWERS = "answers"

    @property
    def does(self) -> str:
        return _DOES[self]


class Kind(StrEnum):
    ARRIVED = "arrived"
    IN_DOUBT = "in_doubt"
    UNDECIDED = "undecided"
    MISSING = "missing"
    FAILED_BUT_THERE = "failed_but_there"
    DIFFERENT = "different"
    COPY_MISSING = "copy_missing"
    COPY_DIFFERENT = "copy_different"
    UNEXPECTED = "unexpected"
    ORPHANED_TEMPORARY = "orphaned_temporary"
    ANSWER_NOT_ARCHIVED = "answer_not_archived"
    ANSWER_NOT_READ = "answer_not_read"
    ANSWER_NOT_RECORDED = "answer_not_recorded"

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]

    @property
    def repair(self) -> Repair | None:
        """None: only a person can tell what to do."""
        return _REPAIRS.get(self)


_DOES = {
    Repair.COPIES: "Renders the order again and stores that, if it is what was sent by its SHA-256.",
    Repair.TEMPORARIES: "Removes the file.",
    Repair.STATES: "Plans the next try for now: it looks at both names and records what became of the file.",
    Repair.ANSWERS: "Moves the file to where the poll would have moved it.",
}

_MEANINGS = {
    Kind.ARRIVED: "The export is PENDING, and its file has its final name: it arrived, and that was not recorded.",
    Kind.IN_DOUBT: "The export is PENDING, and a try staged its file: it may have been published. The next try tells.",
    Kind.UNDECIDED: (
        "The export is in doubt and is not sent again. Check in the ERP whether the order arrived, then mark the "
        "export as delivered or not delivered."
    ),
    Kind.MISSING: (
        "The export is SENT, its file is gone and its answer is overdue: the ERP took the file and does not answer, "
        "or somebody removed it. Ask the ERP's administrator."
    ),
    Kind.FAILED_BUT_THERE: (
        "The export is FAILED without an answer that says so, and its file has its final name: the ERP may still take "
        "it. Look there before the order is pushed again."
    ),
    Kind.DIFFERENT: "The file under the final name is not the one that was recorded. Look who wrote it.",
    Kind.COPY_MISSING: "The order was sent, and no copy of its document is stored.",
    Kind.COPY_DIFFERENT: "The stored copy is not what was sent. Look who changed it.",
    Kind.UNEXPECTED: (
        "The name has the form of ours, and no export of this organization has it: it comes from another installation, "
        "from a database that was set back, or from somebody's hand."
    ),
    Kind.ORPHANED_TEMPORARY: "A try left it behind, and its export ended over a day ago: nothing will look for it.",
    Kind.ANSWER_NOT_ARCHIVED: "The answer is recorded, and its file was not moved. The next poll moves it too.",
    Kind.ANSWER_NOT_READ: "It has the name of an answer to this export and was not read. See whether poll_acks can.",
    Kind.ANSWER_NOT_RECORDED: (
        "An answer to this export lies among those that were read, and it was not. Move it back to have it read."
    ),
}

_REPAIRS = {
    Kind.ARRIVED: Repair.STATES,
    Kind.IN_DOUBT: Repair.STATES,
    Kind.COPY_MISSING: Repair.COPIES,
    Kind.ORPHANED_TEMPORARY: Repair.TEMPORARIES,
    Kind.ANSWER_NOT_ARCHIVED: Repair.ANSWERS,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """`file` is a path at the place, or a key in the storage of copies. `problem` is why a repair that was asked for
    could not be had."""

    kind: Kind
    file: str
    export_id: UUID | None = None
    repaired: bool = False
    problem: str = ""
