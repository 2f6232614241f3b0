"""One order as the API's documentation shows it."""

from drf_spectacular.utils import OpenApiExample

ORDER_ID = "0d9f5c1e-2f0b-4a8e-9d43-6c1b7c5e8b90"
CUSTOMER = {"id": "7b7d1c5a-6d63-4f0e-8f0a-2a4b1d0c9e11", "erp_customer_number": "ERNSH", "name": "Ernst Handel"}
LINE = {
    "line_no": 1,
    "internal_sku": "2",
    "qty": 50,
    "uom": "ST",
    "unit_price": 15.2,
    "currency": None,
    "customer_sku_raw": None,
    "description": "Chang",
}
HEADER = {
    "external_order_number": "PO-10258",
    "order_date": "2026-11-23",
    "currency": "EUR",
    "requested_delivery_date": "2026-12-14",
    "notes": None,
}
READY = {
    "id": ORDER_ID,
    "status": "READY",
    "blocking_reasons": [],
    "remarks": [],
    **HEADER,
    "customer": CUSTOMER,
    "lines": [LINE],
    "source_document": {"document_id": None, "file_name": "order.pdf", "sha256": None},
    "approved_at": None,
    "approved_by": None,
    "erp_order_id": None,
    "error_message": None,
    "created_by": "shop",
    "created_at": "2026-11-23T09:58:12.401523Z",
    "updated_at": "2026-11-23T09:58:12.401523Z",
}
SHOWN = [OpenApiExample("An order that is ready", READY, response_only=True)]
ENTERED = [
    OpenApiExample(
        "A new order",
        {
            **HEADER,
            "customer": {"erp_customer_number": "ERNSH", "name": "Ernst Handel"},
            "lines": [{"internal_sku": "2", "qty": 50, "uom": "ST", "unit_price": 15.2, "description": "Chang"}],
        },
        request_only=True,
    ),
    OpenApiExample("Another delivery date", {"requested_delivery_date": "2026-12-21"}, request_only=True),
]
APPROVED = [
    OpenApiExample(
        "Approved", {"status": "APPROVED", "approved_at": "2026-11-23T10:00:00.120934Z"}, response_only=True
    ),
]
