"""One connection as the API's documentation shows it."""

from drf_spectacular.utils import OpenApiExample

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG0kz6c1qF8Yh3cVd2oJb0l5n8xZ5mYb4f5t0Z8sQp1R"
CONFIG = {
    "mode": "sftp",
    "host": "sftp.acme.example",
    "port": 22,
    "username": "orderflow",
    "host_key": HOST_KEY,
    "export_path": "in",
    "ack_path": "acks",
}
CONNECTION = {
    "id": "6f1c2a34-1f0e-4a4c-9a51-3b6b3d0a9f11",
    "name": "ERP Graz",
    "connector_type": "DROPZONE_JSON_V1",
    "status": "ACTIVE",
    "is_default": True,
    "config": CONFIG,
    "secrets_set": ["password"],
    "config_error": None,
    "last_test_at": "2026-11-23T09:41:55.310011Z",
    "last_test_success": True,
    "last_test_message": None,
    "last_test_latency_ms": 184,
    "blocked_at": None,
    "blocked_reason": None,
    "paused_until": None,
    "created_at": "2026-11-23T09:40:02.801004Z",
    "updated_at": "2026-11-23T09:41:30.114980Z",
}
EVENTS = [
    {
        "kind": "RELEASED",
        "at": "2026-11-23T09:41:55.310011Z",
        "actor": "integrator",
        "message": "A test passed.",
    }
]
TYPE = {
    "connector_type": "DROPZONE_JSON_V1",
    "label": "Dropzone, JSON v1",
    "config_fields": [
        {
            "name": "host",
            "label": "Host",
            "type": "text",
            "required": False,
            "choices": [],
            "default": None,
            "help": "Name or address of the SFTP server.",
            "secret": False,
        },
        {
            "name": "password",
            "label": "Password",
            "type": "text",
            "required": False,
            "choices": [],
            "default": None,
            "help": "Or a private key.",
            "secret": True,
        },
    ],
}
TYPES = [OpenApiExample("One type of connection", TYPE, response_only=True)]
SHOWN = [OpenApiExample("A connection that works", CONNECTION, response_only=True)]
DETAILED = [OpenApiExample("A connection and its events", {**CONNECTION, "events": EVENTS}, response_only=True)]
ENTERED = [
    OpenApiExample(
        "Over SFTP",
        {
            "name": "ERP Graz",
            "connector_type": "DROPZONE_JSON_V1",
            "is_default": True,
            "config": {**CONFIG, "password": "correct horse battery staple"},
        },
        request_only=True,
    ),
    OpenApiExample(
        "Into a folder",
        {
            "name": "ERP Graz",
            "connector_type": "DROPZONE_JSON_V1",
            "config": {"mode": "filesystem", "export_path": "in", "ack_path": "acks"},
        },
        request_only=True,
    ),
]
CHANGED = [
    OpenApiExample("A new password", {"config": {"password": "another horse"}}, request_only=True),
    OpenApiExample("Switched off", {"status": "DISABLED"}, request_only=True),
]
TRIED = [
    OpenApiExample("As it is stored", {}, request_only=True),
    OpenApiExample("With another folder", {"config": {"export_path": "orders/in"}}, request_only=True),
]
OUTCOME = [
    OpenApiExample(
        "It works",
        {
            "success": True,
            "error_message": None,
            "latency_ms": 184,
            "steps": [
                {"name": "connect", "success": True, "duration_ms": 31, "detail": "sftp.acme.example port 22"},
                {"name": "log in", "success": True, "duration_ms": 88, "detail": "orderflow"},
                {"name": "write", "success": True, "duration_ms": 12, "detail": "in"},
            ],
            "host_key": None,
        },
        response_only=True,
    ),
    OpenApiExample(
        "No host key is pinned yet",
        {
            "success": False,
            "error_message": "The server's host key is not pinned. Compare its fingerprint, then set host_key.",
            "latency_ms": 47,
            "steps": [
                {"name": "connect", "success": True, "duration_ms": 31, "detail": "sftp.acme.example port 22"},
                {"name": "host key", "success": False, "duration_ms": 16, "detail": "SHA256:uNiVztksCsDhcc0u9e8B"},
            ],
            "host_key": HOST_KEY,
        },
        response_only=True,
    ),
]
