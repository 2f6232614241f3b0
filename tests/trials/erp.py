"""A stand-in ERP that keeps no order: it takes files when it likes, answers when it likes, and remembers every one."""

import heapq
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOKS_AFTER_S = (0.005, 0.2)
ANSWERS_AFTER_S = (0.0, 1.0)
TAKES = 0.6
REFUSES = 0.15


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """Accepted under a number of the ERP's own, or refused: then there is none."""

    number: str

    @property
    def status(self) -> str:
        return "ACKED" if self.number else "FAILED"


class ERP:
    """`names` and `orders` count what came, by file name and by the order in the document; `said` by file name."""

    def __init__(self, folders: Sequence[Path], seed: int) -> None:
        self.names: Counter[str] = Counter()
        self.orders: Counter[str] = Counter()
        self.said: dict[str, Said] = {}
        self._folders = folders
        self._dice = random.Random(seed)
        self._due: list[tuple[float, str, Path]] = []

    def work(self, stop: threading.Event) -> None:
        while not stop.wait(self._dice.uniform(*LOOKS_AFTER_S)):
            for folder in self._folders:
                for path in sorted((folder / "in").glob("sales_order_*.json")):
                    if self._dice.random() < TAKES:
                        self._take(path, folder / "acks")
            while self._due and self._due[0][0] <= time.monotonic():
                _, name, acks = heapq.heappop(self._due)
                self._answer(name, acks)

    def _take(self, path: Path, acks: Path) -> None:
        document = json.loads(path.read_bytes())
        path.unlink()
        self.names[path.name] += 1
        self.orders[document["draft_order_id"]] += 1
        heapq.heappush(self._due, (time.monotonic() + self._dice.uniform(*ANSWERS_AFTER_S), path.name, acks))

    def _answer(self, name: str, acks: Path) -> None:
        """One file, one answer, however often it came."""
        if name in self.said:
            return
        refused = self._dice.random() < REFUSES
        self.said[name] = Said(number="" if refused else f"SO-{len(self.said):06}")
        if refused:
            _write(acks / f"error_{name}", status="FAILED", error_code="ERP_VALIDATION", message="Unknown item")
        else:
            _write(acks / f"ack_{name}", status="ACKED", erp_order_id=self.said[name].number)


@contextmanager
def working_erp(folders: Sequence[Path], seed: int) -> Iterator[ERP]:
    """What goes wrong in its thread is raised at the end of the block."""
    erp, stop = ERP(folders, seed), threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="ERP") as thread:
        work = thread.submit(erp.work, stop)
        try:
            yield erp
        finally:
            stop.set()
        work.result()


def _write(path: Path, **body: Any) -> None:
    """Under a temporary name first: half an answer is none."""
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_text(json.dumps({**body, "processed_at": "2026-11-23T10:01:00Z"}))
    temporary.rename(path)
