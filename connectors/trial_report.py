"""A connection test as the admin shows it once, after the redirect: kept in the session, never with a config."""

from dataclasses import asdict
from typing import Any

from django.contrib.sessions.backends.base import SessionBase

from connectors.models import ERPConnection
from connectors.ports import TestResult
from connectors.sftp import host_keys
from connectors.sftp.host_keys import pinned_blob


def keep(session: SessionBase, connection: ERPConnection, result: TestResult, pinned: str) -> None:
    """`pinned` is the host key that the test held the server's against, or empty."""
    report = {
        "success": result.success,
        "latency_ms": result.latency_ms,
        "error_message": result.error_message,
        "steps": [asdict(step) for step in result.steps],
    }
    if result.host_key:
        report |= {
            "host_key": result.host_key,
            "fingerprint": fingerprint(result.host_key),
            "pinned_fingerprint": fingerprint(pinned),
        }
    session[_key(connection)] = report


def take(session: SessionBase, connection: ERPConnection) -> dict[str, Any] | None:
    report: dict[str, Any] | None = session.pop(_key(connection), None)
    return report


def fingerprint(host_key: str) -> str:
    """Of a `<type> <base64>` key; empty where there is none. Raises `ConfigError`."""
    blob = pinned_blob(host_key)
    return host_keys.fingerprint(blob) if blob else ""


def _key(connection: ERPConnection) -> str:
    return f"connection_test_{connection.pk}"
