"""What a webhook's body says: the types are the schema. docs/reference/webhooks.md describes it to receivers."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from exports.models.status import ExportStatus
from exports.webhooks.models import Notice

NOTICES = {
    ExportStatus.SENT: Notice.SENT,
    ExportStatus.ACKED: Notice.ACKED,
    ExportStatus.FAILED: Notice.FAILED,
}

# The fields of an export that a body is made of, in the order of `ExportData`.
COLUMNS = (
    "pk", "draft_order_id", "draft_order__external_order_number", "connection_id", "status", "erp_order_id",
    "error_code", "error_message", "filename", "sent_at", "settled_at",
)  # fmt: skip


class ExportData(msgspec.Struct, frozen=True):
    """What is unknown is null; all keys are always present."""

    export_id: UUID
    draft_order_id: UUID
    external_order_number: str | None
    connection_id: UUID
    status: str
    erp_order_id: str | None
    error_code: str | None
    error_message: str | None
    filename: str
    sent_at: datetime | None
    settled_at: datetime | None


class Body(msgspec.Struct, frozen=True):
    type: str
    timestamp: datetime | None
    data: ExportData | dict[str, str]


def of_export(row: tuple[Any, ...]) -> tuple[Notice, str]:
    """From an export's `COLUMNS`."""
    values: list[Any] = [None if value == "" else value for value in row]
    data = ExportData(*values)
    notice = NOTICES[ExportStatus(data.status)]
    happened = data.sent_at if notice is Notice.SENT else data.settled_at
    return notice, _text(Body(notice.value, happened, data))


def of_test(endpoint_name: str) -> str:
    return _text(Body(Notice.TEST.value, datetime.now(UTC), {"webhook": endpoint_name}))


def _text(body: Body) -> str:
    return msgspec.json.encode(body).decode()
