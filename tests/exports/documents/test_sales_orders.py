"""From the rows of an order to what the connector gets: lines in their order, each with its own currency."""

from decimal import Decimal

from connectors.models import ERPConnection
from exports.documents.sales_orders import attempt_of, order_lines
from exports.models import ERPExport
from orderflow.orders.models import DraftOrderLine
from tests.exports.conftest import Push


def test_lines_keep_their_numbers_order_and_currency(push: Push, connection: ERPConnection) -> None:
    export, other = push(), push()
    for number, currency in ((3, "USD"), (2, "")):
        DraftOrderLine.objects.create(
            order=export.draft_order, line_no=number, internal_sku="7", qty=Decimal(1), uom="ST", currency=currency
        )
    exports = ERPExport.objects.select_related("draft_order")
    lines = order_lines(exports)
    found = [(line.line_no, line.currency) for line in lines[export.draft_order_id]]
    assert found == [(1, "EUR"), (2, "EUR"), (3, "USD")]
    assert [line.line_no for line in lines[other.draft_order_id]] == [1]


def test_an_attempt_knows_what_the_one_before_journaled(push: Push, connection: ERPConnection) -> None:
    export = push()
    assert attempt_of(export).staged is None
    export.staged_path, export.document_sha256, export.document_size = "file:///x/in/a.tmp", "0" * 64, 7
    staged = attempt_of(export).staged
    assert staged is not None
    assert (staged.path, staged.sha256, staged.size) == ("file:///x/in/a.tmp", "0" * 64, 7)
