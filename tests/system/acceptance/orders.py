"""Orders on their way through an installation."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.installation import Installation

ORDER = {
    "external_order_number": "PO-10258",
    "order_date": "1996-07-17",
    "currency": "EUR",
    "customer": {"erp_customer_number": "TOMSP", "name": "Toms Spezialitäten"},
    "lines": [{"internal_sku": "2", "qty": 50, "uom": "ST", "unit_price": 15.2, "description": "Chang"}],
}


def pushed(installation: Installation, number: str, **headers: str) -> dict[str, Any]:
    order = installation.post("draft-orders/", {**ORDER, "external_order_number": number})
    installation.post(f"draft-orders/{order['id']}/approve/")
    answer: dict[str, Any] = installation.post(f"draft-orders/{order['id']}/push/", **headers)
    return answer


def state(installation: Installation, export_id: str) -> str:
    return str(installation.get(f"exports/{export_id}/")["status"])


@contextmanager
def greedy_erp(dropzone: Path) -> Iterator[Counter[str]]:
    """Takes every file the moment that it appears; counts how often each name came."""
    taken: Counter[str] = Counter()
    stop = threading.Event()

    def take() -> None:
        while not stop.wait(0.005):
            for path in (dropzone / "in").glob("sales_order_*.json"):
                json.loads(path.read_bytes())
                path.unlink()
                taken[path.name] += 1

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield taken
    finally:
        stop.set()
        thread.join()
