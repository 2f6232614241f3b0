"""File names of exports: from ids and a time only, never from data."""

import re
from datetime import UTC
from uuid import UUID

from connectors.ports import ExportAttempt

_UUID = "-".join(f"[0-9a-f]{{{length}}}" for length in (8, 4, 4, 4, 12))
_SALES_ORDER = re.compile(rf"sales_order_({_UUID})_\d{{8}}T\d{{6}}Z_[0-9a-f]{{8}}\.json", re.ASCII)


def sales_order_name(draft_order_id: UUID, attempt: ExportAttempt) -> str:
    moment = attempt.created_at.astimezone(UTC)
    return f"sales_order_{draft_order_id}_{moment:%Y%m%dT%H%M%SZ}_{attempt.export_id.hex[:8]}.json"


def is_sales_order_name(name: str) -> bool:
    """Whether `sales_order_name` could have given it."""
    return _SALES_ORDER.fullmatch(name) is not None


def draft_order_of(name: str) -> UUID | None:
    """The order in a name that `sales_order_name` gave."""
    match = _SALES_ORDER.fullmatch(name)
    return UUID(match[1]) if match else None
