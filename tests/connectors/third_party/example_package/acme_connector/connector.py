"""Orders as CSV into the folder of one company; the ERP acknowledges with files that end in .ok or .err."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django import forms

from connectors.dropzones.connector import DropzoneConnector
from connectors.dropzones.form import DropzoneForm
from connectors.dropzones.settings import DropzoneSettings
from connectors.exceptions import RejectedError
from connectors.ports import Ack, AckOutcome, ExportAttempt
from connectors.types.sales_order import SalesOrder

DOCUMENT = re.compile(r"order_[0-9a-f-]{36}_[0-9a-f]{8}\.csv")
COLUMNS = ["order", "customer", "line", "sku", "quantity", "unit", "price", "currency"]


class AcmeForm(DropzoneForm):
    """The fields of a dropzone, and one of our own."""

    company = forms.RegexField(
        r"^[0-9]{2}$",
        help_text="The company's number in the ERP, two digits. Its orders go into a folder of that name.",
        error_messages={"invalid": "It has two digits."},
    )


class AcmeCsvConnector(DropzoneConnector):
    label = "Acme ERP, CSV"
    config_form = AcmeForm

    def get_connector_type(self) -> str:
        return "ACME_CSV"

    def settings(self, config: Mapping[str, Any]) -> DropzoneSettings:
        """The dropzone that a config names: here, the company's own folder in it."""
        settings = super().settings(config)
        return replace(settings, export_path=f"{settings.export_path}/{config['company']}")

    def document_name(self, draft_order_id: UUID, attempt: ExportAttempt) -> str:
        return f"order_{draft_order_id}_{attempt.export_id.hex[:8]}.csv"

    def is_document_name(self, name: str) -> bool:
        return DOCUMENT.fullmatch(name) is not None

    def render_content(self, draft_order: SalesOrder) -> bytes:
        table = io.StringIO()
        rows = csv.writer(table, delimiter=";", lineterminator="\r\n")
        rows.writerow(COLUMNS)
        for line in draft_order.lines:
            if line.qty <= 0:
                raise RejectedError(f"Line {line.line_no}: Acme's ERP takes no quantity of {line.qty:f}. Change it.")
            rows.writerow(
                [
                    draft_order.external_order_number or draft_order.draft_order_id,
                    draft_order.customer.erp_customer_number,
                    line.line_no,
                    line.internal_sku,
                    f"{line.qty:f}",
                    line.uom,
                    f"{line.unit_price:f}",
                    line.currency,
                ]
            )
        return table.getvalue().encode("utf-8")

    def answered_export(self, name: str) -> str | None:
        """order_….csv.ok and order_….csv.err acknowledge order_….csv."""
        document, _, ending = name.rpartition(".")
        return document if ending in {"ok", "err"} and DOCUMENT.fullmatch(document) else None

    def why_not_read(self, name: str, filename: str) -> str:
        return f"An acknowledgement is called {filename}.ok or {filename}.err. Rename it: it is read then."

    def parse_answer(self, name: str, raw: bytes) -> Ack:
        try:
            text = raw.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise RejectedError("It is not UTF-8.") from error
        if not text:
            raise RejectedError("It is empty.")
        if name.endswith(".ok"):
            return Ack(outcome=AckOutcome.ACKED, erp_order_id=text)
        return Ack(outcome=AckOutcome.FAILED, message=text)
