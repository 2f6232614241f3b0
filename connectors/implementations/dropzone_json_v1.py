"""DROPZONE_JSON_V1: `orderflow_export_json_v1` documents into a dropzone, answers as JSON files."""

from uuid import UUID

from connectors.documents import json_ack_names, json_acks, json_v1, json_v1_reader
from connectors.documents.naming import is_sales_order_name, sales_order_in, sales_order_name
from connectors.dropzones.connector import DropzoneConnector
from connectors.ports import Ack, ExportAttempt
from connectors.types.sales_order import SalesOrder


class DropzoneJsonV1Connector(DropzoneConnector):
    label = "Dropzone, JSON (version 1)"

    def get_connector_type(self) -> str:
        return "DROPZONE_JSON_V1"

    def document_name(self, draft_order_id: UUID, attempt: ExportAttempt) -> str:
        return sales_order_name(draft_order_id, attempt)

    def is_document_name(self, name: str) -> bool:
        return is_sales_order_name(name)

    def render_content(self, draft_order: SalesOrder) -> bytes:
        return json_v1.render(draft_order)

    def read_document(self, content: bytes, *, org_id: UUID) -> SalesOrder:
        return json_v1_reader.read(content, org_id=org_id)

    def answered_export(self, name: str) -> str | None:
        return json_ack_names.export_filename(name)

    def named_export(self, name: str) -> str | None:
        return sales_order_in(name)

    def why_not_read(self, name: str, filename: str) -> str:
        return json_ack_names.why_not_read(name, filename)

    def parse_answer(self, name: str, raw: bytes) -> Ack:
        return json_acks.parse_ack(name, raw)
