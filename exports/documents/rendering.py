"""The document of an export as its connector renders it, for what the connector's result leaves out."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace

from connectors.exceptions import ConnectorError
from connectors.ports import ERPConnectorPort, ExportAttempt, ExportDocument, ExportResult
from connectors.third_party.errors import guarded
from connectors.types.sales_order import SalesOrder

logger = logging.getLogger(__name__)


def with_document(
    connector: ERPConnectorPort, orders: Sequence[tuple[SalesOrder, ExportAttempt]], sent: Sequence[ExportResult]
) -> list[ExportResult]:
    """`sent`, with the document where the connector returned none and can render it. Never raises."""
    by_export = {attempt.export_id: (order, attempt) for order, attempt in orders}
    return [
        result if result.document else replace(result, document=_rendered(connector, *by_export[result.export_id]))
        for result in sent
    ]


def _rendered(connector: ERPConnectorPort, order: SalesOrder, attempt: ExportAttempt) -> ExportDocument | None:
    try:
        with guarded(type(connector).__name__):
            return checked(connector.render(order, attempt))
    except ConnectorError as error:
        logger.warning("The document of export %s is unknown: %s", attempt.export_id, error)
        return None


def checked(document: ExportDocument) -> ExportDocument:
    """With the SHA-256 of its content. Raises `TypeError` for what is no document."""
    if not isinstance(document, ExportDocument) or not isinstance(document.content, bytes):
        raise TypeError(f"render returned {type(document).__name__}, not an ExportDocument of bytes")
    return replace(document, sha256=hashlib.sha256(document.content).hexdigest())
