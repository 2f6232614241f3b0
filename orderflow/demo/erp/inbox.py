"""The stand-in ERP's own side of the dropzone: takes every order as soon as it appears, answers beside it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orderflow.demo.erp.rules import Decision, decide


class Inbox:
    """in/ is where orders arrive, taken/ what was read, acks/ where the answers go."""

    def __init__(self, folder: Path) -> None:
        self._in, self._taken, self._acks = folder / "in", folder / "taken", folder / "acks"
        for path in (self._in, self._taken, self._acks):
            path.mkdir(parents=True, exist_ok=True)
        self._accepted = 0

    def take(self) -> list[tuple[str, Decision]]:
        """The orders that lie there now, by file name, each with what becomes of it."""
        arrived = sorted(path for path in self._in.glob("sales_order_*.json") if path.is_file())
        return [(path.name, self._read(path)) for path in arrived]

    def _read(self, path: Path) -> Decision:
        return decide(path.rename(self._taken / path.name).read_bytes())

    def answer(self, name: str, decision: Decision) -> None:
        if decision.error_code:
            self._write(f"error_{name}", status="FAILED", error_code=decision.error_code, message=decision.message)
            return
        self._accepted += 1
        number = f"SO-{datetime.now(UTC).year}-{self._accepted:06}"
        self._write(f"ack_{name}", status="ACKED", erp_order_id=number)

    def _write(self, name: str, **body: Any) -> None:
        """Under a temporary name first: half an answer is none."""
        body["processed_at"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        temporary = self._acks / f"{name}.part"
        temporary.write_text(json.dumps(body, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        temporary.rename(self._acks / name)
