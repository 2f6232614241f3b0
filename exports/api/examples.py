"""One order's way into the ERP as the API's documentation shows it."""

from drf_spectacular.utils import OpenApiExample

from orderflow.orders.api.examples import ORDER_ID

OTHER_ORDER_ID = "0d9f5c1e-30a4-4c02-8f67-9be2a1d3c470"
EXPORT_ID = "4be2c8a1-9c0f-4a57-8a3e-5f1d6b7c2e90"
CONNECTION_ID = "6f1c2a34-1f0e-4a4c-9a51-3b6b3d0a9f11"
FILENAME = f"sales_order_{ORDER_ID}_20261123T100003Z_4be2c8a1.json"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
EXPORT = {
    "id": EXPORT_ID,
    "status": "ACKED",
    "draft_order": ORDER_ID,
    "connection": CONNECTION_ID,
    "supersedes": None,
    "filename": FILENAME,
    "dropzone_path": f"in/{FILENAME}",
    "document_sha256": SHA256,
    "document_size": 1204,
    "document_stored": True,
    "tries": 1,
    "next_attempt_at": None,
    "undecided_since": None,
    "held_because": None,
    "sent_at": "2026-11-23T10:00:03.412233Z",
    "answer_due_at": None,
    "settled_at": "2026-11-23T10:01:07.001823Z",
    "erp_order_id": "SO-2026-000123",
    "error_code": None,
    "error_message": None,
    "requested_by": "shop",
    "created_at": "2026-11-23T10:00:03.288123Z",
}
EVENTS = [
    {"kind": "REQUESTED", "at": "2026-11-23T10:00:03.288123Z", "actor": "shop", "message": None, "detail": {}},
    {
        "kind": "STAGED",
        "at": "2026-11-23T10:00:03.391902Z",
        "actor": None,
        "message": None,
        "detail": {"try": 1, "path": f"in/{FILENAME}.tmp", "bytes": 1204, "sha256": SHA256},
    },
    {
        "kind": "SENT",
        "at": "2026-11-23T10:00:03.412233Z",
        "actor": None,
        "message": None,
        "detail": {"try": 1, "path": f"in/{FILENAME}", "bytes": 1204},
    },
    {
        "kind": "ACKED",
        "at": "2026-11-23T10:01:07.001823Z",
        "actor": None,
        "message": None,
        "detail": {"file": f"ack_{FILENAME}", "erp_order_id": "SO-2026-000123", "error_code": None},
    },
]
ACK = {
    "id": 4711,
    "name": f"ack_{FILENAME}",
    "verdict": "MATCHED",
    "reason": None,
    "seen_at": "2026-11-23T10:01:07.001823Z",
    "gone_at": None,
}
ACK_FILE = {
    **ACK,
    "connection": CONNECTION_ID,
    "export": EXPORT_ID,
    "sha256": "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
    "size": 94,
    "left_because": None,
}
RAW = '{"status": "ACKED", "erp_order_id": "SO-2026-000123", "processed_at": "2026-11-23T10:01:00Z"}'
DETAILED = [
    OpenApiExample("An export and its steps", {**EXPORT, "events": EVENTS, "ack_files": [ACK]}, response_only=True)
]
ACK_SHOWN = [OpenApiExample("An answer that fits", ACK_FILE, response_only=True)]
ACK_READ = [OpenApiExample("An answer and its text", {**ACK_FILE, "raw": RAW}, response_only=True)]
SHOWN = [OpenApiExample("An export with its answer", EXPORT, response_only=True)]
PUSHED_OVER = [
    OpenApiExample("Over the default connection", {}, request_only=True),
    OpenApiExample("Over a connection by its id", {"connection": CONNECTION_ID}, request_only=True),
]
DECIDED = [
    OpenApiExample("It arrived", {"delivered": True, "reason": "SO-2026-000123 is there."}, request_only=True),
    OpenApiExample("It did not", {"delivered": False, "reason": "The ERP has no such order."}, request_only=True),
]
PUSHED = [
    OpenApiExample(
        "On its way",
        {"status": "PUSHING", "erp_export_id": EXPORT_ID},
        response_only=True,
        status_codes=["202"],
    ),
    OpenApiExample(
        "The same key again, later",
        {"status": "PUSHED", "erp_export_id": EXPORT_ID},
        response_only=True,
        status_codes=["200"],
    ),
]
ASKED_AT_ONCE = [
    OpenApiExample("These", {"ids": [ORDER_ID, OTHER_ORDER_ID]}, request_only=True),
    OpenApiExample("All that wait", {"filter": {"created_after": "2026-11-23T00:00:00Z"}}, request_only=True),
]
PUSHED_AT_ONCE = [
    OpenApiExample(
        "One pushed, one refused",
        {
            "accepted": 1,
            "refused": 1,
            "has_more": False,
            "results": [
                {"draft_order": ORDER_ID, "status": "PUSHING", "erp_export_id": EXPORT_ID, "problem": None},
                {
                    "draft_order": OTHER_ORDER_ID,
                    "status": "READY",
                    "erp_export_id": None,
                    "problem": {
                        "code": "not_approved",
                        "detail": "Order PO-10259 is READY; only an APPROVED order can be pushed.",
                        "errors": [],
                    },
                },
            ],
        },
        response_only=True,
    ),
]
