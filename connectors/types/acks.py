"""The acks of an ERP, as connectors hand them over."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AckOutcome(StrEnum):
    ACKED = "ACKED"
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True, slots=True)
class AckEntry:
    """A regular file in the form of an answer. `size` in bytes, `modified_at` in seconds since the epoch."""

    name: str
    export_filename: str
    size: int
    modified_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Ack:
    """The ERP's answer to one export, normalised."""

    outcome: AckOutcome
    erp_order_id: str | None = None
    error_code: str | None = None
    message: str | None = None
    processed_at: datetime | None = None
