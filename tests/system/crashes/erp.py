"""The ERP at its side of the dropzone: takes orders, answers them, and remembers all that it ever saw."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

LOOKS_EVERY_S = 0.002
# Of three orders, the one that the ERP refuses when it is told to answer them all.
REFUSED = 1
# In the form of an answer, to nobody's export.
ORPHAN = "ack_sales_order_of_a_neighbour.json"


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """`written_ns` is when the file was last written to."""

    content: bytes
    written_ns: int


@dataclass(kw_only=True)
class StandInERP:
    """`others` are further folders that it takes orders from. `appearances` has every file that it ever took."""

    dropzone: Path
    answers: bool = False
    others: Sequence[Path] = ()
    arrived: Counter[str] = field(default_factory=Counter)
    arrivals: dict[str, Arrival] = field(default_factory=dict)
    appearances: list[tuple[str, bytes]] = field(default_factory=list)

    def take(self) -> None:
        inboxes = (self.dropzone / "in", *self.others)
        for path in sorted(chain.from_iterable(inbox.glob("*.json") for inbox in inboxes)):
            self.arrivals[path.name] = Arrival(content=path.read_bytes(), written_ns=path.stat().st_mtime_ns)
            path.unlink()
            self.arrived[path.name] += 1
            self.appearances.append((path.name, self.arrivals[path.name].content))
            if self.answers:
                _put(self.dropzone, f"ack_{path.name}", status="ACKED", erp_order_id=f"SO-{path.name[-13:-5]}")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Takes every order the moment it appears, or two milliseconds after it."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), name="ERP", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(LOOKS_EVERY_S):
            self.take()


def answer_to(filename: str, number: int) -> str:
    return f"{'error' if number == REFUSED else 'ack'}_{filename}"


def half_of(filename: str) -> str:
    """Under the second name that an answer may have."""
    return f"ack_{filename}.json"


def answer_all(dropzone: Path, filenames: Sequence[str]) -> None:
    """The same bytes whenever it is asked, and what else an ERP may leave there: half an answer, another's answer."""
    for number, filename in enumerate(filenames):
        name = answer_to(filename, number)
        if number == REFUSED:
            _put(dropzone, name, status="FAILED", error_code="ERP_VALIDATION", message="Unknown customer")
        else:
            _put(dropzone, name, status="ACKED", erp_order_id=f"SO-{number}")
    _put(dropzone, ORPHAN, status="ACKED")
    (dropzone / "acks" / half_of(filenames[0])).write_bytes(b'{"status": "ACK')


def answer_anew(dropzone: Path) -> bool:
    """Once more under the name of the first answer that was moved away, with other bytes. False when none was."""
    moved = sorted((dropzone / "acks" / "processed").glob("ack_*.json"))
    if moved:
        _put(dropzone, moved[0].name, status="ACKED", erp_order_id="SO-anew")
    return bool(moved)


def _put(dropzone: Path, name: str, **body: str) -> None:
    temporary = dropzone / "acks" / f"{name}.part"
    temporary.write_text(json.dumps(body))
    temporary.rename(temporary.with_name(name))
