"""The ERP of these tests: what it took it took, whatever the database believes."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(kw_only=True)
class ERP:
    """A slow one leaves the files where they lie. `taken` counts deliveries by file name, `orders` by order."""

    place: Path
    is_fast: bool
    taken: Counter[str] = field(default_factory=Counter)

    def work(self) -> None:
        if self.is_fast:
            self.take()

    def take(self) -> None:
        for path in sorted((self.place / "in").glob("sales_order_*.json")):
            json.loads(path.read_bytes())
            path.unlink()
            self.taken[path.name] += 1

    def acknowledge(self, name: str) -> None:
        (self.place / "acks" / f"ack_{name}").write_text('{"status": "ACKED", "erp_order_id": "SO-1"}')

    def refuse(self, name: str) -> None:
        body = {"status": "FAILED", "error_code": "CREDIT", "message": "No credit."}
        (self.place / "acks" / f"error_{name}").write_text(json.dumps(body))

    @property
    def seen(self) -> Counter[str]:
        """Every file that was ever published, taken or still there."""
        return self.taken + Counter(path.name for path in (self.place / "in").glob("sales_order_*.json"))

    @property
    def orders(self) -> Counter[str]:
        """Deliveries by order: a name is sales_order_<order>_<time>_<export>.json."""
        orders: Counter[str] = Counter()
        for name, count in self.seen.items():
            orders[name.split("_")[2]] += count
        return orders
