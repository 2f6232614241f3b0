"""The ERP's side: what it ever saw under a final name, and the answers that it wrote."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

FOLDERS = ("in", "in2")
HALF = 20


@dataclass(kw_only=True, eq=False)
class Answer:
    """One file that the ERP wrote. `polls` counts those that began since."""

    path: Path
    export: str
    accepted: bool
    body: bytes
    is_whole: bool = True
    polls: int = 0

    @property
    def is_lying(self) -> bool:
        return self.path.is_file() and self.path.read_bytes() == self.body

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


# A connection test places its file under such a name for a moment.
NO_ORDER = f"sales_order_{UUID(int=0)}"


@dataclass(kw_only=True)
class ERP:
    """Looks into every place that an order may come to, and counts."""

    roots: tuple[Path, ...]
    arrivals: Counter[str] = field(default_factory=Counter)
    documents: dict[str, bytes] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    _inodes: dict[Path, int] = field(default_factory=dict)
    _orders: int = 0

    def look(self) -> None:
        """A file that was not there, or that is another one than was there, has arrived."""
        for path in self._files():
            inode = path.stat().st_ino
            if self._inodes.get(path) != inode:
                self._inodes[path] = inode
                self.arrivals[path.name] += 1
                self.documents[path.name] = path.read_bytes()

    def has_files(self) -> bool:
        return any(self._files())

    def take(self) -> None:
        self.look()
        for path in self._files():
            path.unlink()
            del self._inodes[path]

    def answer(self, folder: Path, export: str, *, accepted: bool, is_whole: bool = True, again: bool = False) -> None:
        """Under a second name with another `.json` where the first still lies there; not at all where both do."""
        name = f"{'ack' if accepted else 'error'}_{export}"
        path = next((p for p in (folder / name, folder / f"{name}.json") if not p.exists()), None)
        if path is None:
            return
        earlier = [a for a in self.answers if a.path == path and a.is_whole]
        body = earlier[-1].body if again and earlier else self._body(accepted=accepted)
        body = body if is_whole else body[:HALF]
        self._write(Answer(path=path, export=export, accepted=accepted, body=body, is_whole=is_whole))

    def complete(self, half: Answer) -> None:
        """Its writer goes on where it lies."""
        self.answers.remove(half)
        body = self._body(accepted=half.accepted)
        self._write(Answer(path=half.path, export=half.export, accepted=half.accepted, body=body))

    def halves(self) -> list[Answer]:
        """One a file: an ERP that was put off may have begun with the same bytes before."""
        return list({a.path: a for a in self.answers if not a.is_whole and a.is_lying}.values())

    def _write(self, answer: Answer) -> None:
        answer.path.write_bytes(answer.body)
        self.answers.append(answer)

    def _body(self, *, accepted: bool) -> bytes:
        self._orders += 1
        found = {"status": "ACKED", "erp_order_id": f"SO-{self._orders}"}
        refused = {"status": "FAILED", "error_code": "E1", "message": f"Refused {self._orders}"}
        return json.dumps(found if accepted else refused).encode()

    def _files(self) -> Iterator[Path]:
        for root in self.roots:
            for name in FOLDERS:
                yield from [path for path in (root / name).glob("sales_order_*.json") if NO_ORDER not in path.name]
