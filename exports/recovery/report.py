"""What a recovery found and did, for people and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

MEANINGS = {
    "restored": "Exports that had lost their journal. The next delivery looks at the dropzone and records the state",
    "recreated": "Exports that the database had lost",
    "adopted": "Pushes repeated since then: each stands for the export that was sent",
    "orders": "Orders written again from their documents",
    "ended": "Exports that a later one of the same order supersedes; how they ended was lost",
    "acks": "Acknowledgements in processed/ that were recorded again",
    "sent": "Exports whose file lies at the dropzone: SENT",
    "held": "Held, a person decides (recover --sent NAME, or --send NAME)",
    "unknown": "Sent, and cannot be restored: ask the ERP's administrator",
    "problems": "Could not be read",
}
# The rest of a long list is in the file that --report names.
SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A file name, and what is known of it."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@dataclass(kw_only=True)
class Report:
    """`lost` counts the journal entries that the database does not know, `gaps` are numbers that no place has."""

    dry_run: bool = False
    lost: int = 0
    gaps: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    recreated: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    acks: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    held: list[Named] = field(default_factory=list)
    unknown: list[Named] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    released: bool = False

    @property
    def needs_a_person(self) -> bool:
        return bool(self.held or self.unknown or self.problems)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self, *, shown: int = SHOWN) -> Iterator[str]:
        yield f"Journal entries that the database had lost: {self.lost}."
        if self.gaps:
            yield f"Numbers that no place has: {', '.join(self.gaps)}. What was sent under them is judged by the files."
        for name, meaning in MEANINGS.items():
            found = getattr(self, name)
            if found:
                yield f"{meaning}: {len(found)}"
                yield from (f"  {each}" for each in found[:shown])
                if len(found) > shown:
                    yield f"  and {len(found) - shown} more, see --report"
        if self.dry_run:
            yield "Nothing was changed: this was a dry run."
        elif self.released:
            yield "Deliveries and polls go on."
