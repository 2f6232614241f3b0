"""The name of an export's file, as its connector makes it and the database and a folder can have it."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError

from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from connectors.ports import ExportAttempt
from connectors.registry import registry
from connectors.text.sanitize import tame
from connectors.third_party.errors import ConnectorFault, guarded, words
from exports.models import ERPExport

LONGEST: int = ERPExport._meta.get_field("filename").max_length or 0
# Separators of folders, here or at the ERP.
SEPARATORS = frozenset("/\\")


def document_name(connection: ERPConnection, order_id: UUID, attempt: ExportAttempt) -> str:
    """Raises `ConnectorFault`."""
    try:
        with guarded(connection.connector_type):
            name = registry.create(connection.connector_type).document_name(order_id, attempt)
    except ConnectorError as error:
        raise ConnectorFault(words(error)) from error
    if not _is_usable(name):
        shown = tame(name)[:LONGEST] if isinstance(name, str) else type(name).__name__
        raise _unusable(connection, f"{shown!r}, which is not 1 to {LONGEST} printable characters without a folder")
    return name


def _is_usable(name: Any) -> bool:
    if type(name) is not str or not 0 < len(name) <= LONGEST or not name.isprintable() or name.strip() != name:
        return False
    return not SEPARATORS & set(name) and name not in {".", ".."}


def taken(connection: ERPConnection, error: IntegrityError) -> ConnectorFault | None:
    """For an export that the database rejected because of its name; None for any other reason."""
    if "export_filename_once" in str(error) or "exports_erpexport.filename" in str(error):
        return _unusable(connection, "a name that an earlier export of the connection has")
    return None


def _unusable(connection: ERPConnection, what: str) -> ConnectorFault:
    return ConnectorFault(
        f"Connector {connection.connector_type} names the document {what}. Nothing was pushed. Fix or update the "
        "connector."
    )
