"""File names of exports: from ids and a time only, never from data."""

from datetime import UTC
from uuid import UUID

from connectors.ports import ExportAttempt


def sales_order_name(draft_order_id: UUID, attempt: ExportAttempt) -> str:
    moment = attempt.created_at.astimezone(UTC)
    return f"sales_order_{draft_order_id}_{moment:%Y%m%dT%H%M%SZ}_{attempt.export_id.hex[:8]}.json"
