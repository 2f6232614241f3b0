"""File names of exports: from ids and a time only, never from data."""

import re
from datetime import UTC
from uuid import UUID

from connectors.ports import ExportAttempt

# What a connection test names its file by.
NO_ORDER = UUID(int=0)

_UUID = "-".join(f"[0-9a-f]{{{length}}}" for length in (8, 4, 4, 4, 12))
_SALES_ORDER = re.compile(rf"sales_order_({_UUID})_\d{{8}}T\d{{6}}Z_[0-9a-f]{{8}}\.json", re.ASCII)
# The same in a name that another program formed: any case, any separator, without the extension.
_MENTIONED = re.compile(
    rf"sales[-_. ]order[-_. ]({_UUID})[-_. ](\d{{8}})T(\d{{6}})Z[-_. ]([0-9a-f]{{8}})", re.ASCII | re.IGNORECASE
)
_ANY_CASE = re.compile(rf"sales_order_{_UUID}_\d{{8}}T\d{{6}}Z_[0-9a-f]{{8}}(?:\.json)?", re.ASCII | re.IGNORECASE)


def sales_order_name(draft_order_id: UUID, attempt: ExportAttempt) -> str:
    moment = attempt.created_at.astimezone(UTC)
    return f"sales_order_{draft_order_id}_{moment:%Y%m%dT%H%M%SZ}_{attempt.export_id.hex[:8]}.json"


def is_sales_order_name(name: str) -> bool:
    """Whether `sales_order_name` could have given it."""
    return _SALES_ORDER.fullmatch(name) is not None


def in_our_case(name: str) -> str:
    """`name`, with the name of an export in it spelled as `sales_order_name` spells it."""
    return _ANY_CASE.sub(lambda match: _spelled(match[0]), name)


def sales_order_in(name: str) -> str | None:
    """The export that a file called `name` is about: the first whose name occurs in it, whatever is around it."""
    match = _MENTIONED.search(name)
    return _spelled(f"sales_order_{match[1]}_{match[2]}T{match[3]}Z_{match[4]}") + ".json" if match else None


def _spelled(stem: str) -> str:
    """Only the letters of the time are capitals."""
    head, time, tail = stem.lower().rsplit("_", 2)
    return f"{head}_{time.upper()}_{tail}"


def is_of_test(name: str) -> bool:
    """Whether a file called `name` is that of a connection test, whichever connector named it by the order's id."""
    lower = name.lower()
    return str(NO_ORDER) in lower or NO_ORDER.hex in lower


def draft_order_of(name: str) -> UUID | None:
    """The order in a name that `sales_order_name` gave."""
    match = _SALES_ORDER.fullmatch(name)
    return UUID(match[1]) if match else None
