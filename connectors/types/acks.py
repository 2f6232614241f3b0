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


class OtherKind(StrEnum):
    """Why a file of the ack folder is not read."""

    # Its name is not one that this connector reads.
    UNREAD = "UNREAD"
    # Its name is one that programs use while they write.
    TEMPORARY = "TEMPORARY"
    # It is called as an order file is.
    DOCUMENT = "DOCUMENT"
    # A folder, a link or a device.
    IRREGULAR = "IRREGULAR"


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherFile:
    """A file in the ack folder that the connector does not read. `export_filename` is the export whose name occurs in
    `name`, if there is one; `reason` then says in one or two sentences why the file is not read and how that changes.
    `size` in bytes, `modified_at` in seconds since the epoch."""

    name: str
    size: int
    modified_at: float
    kind: OtherKind = OtherKind.UNREAD
    export_filename: str | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ack:
    """The ERP's answer to one export, normalised. `notes` names the fields that were not as they should be."""

    outcome: AckOutcome
    erp_order_id: str | None = None
    error_code: str | None = None
    message: str | None = None
    processed_at: datetime | None = None
    notes: str = ""
