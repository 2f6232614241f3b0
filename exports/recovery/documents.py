"""The documents that were sent: from object storage, or from the dropzone while they lie there."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import UUID

from django.core.files.storage import storages

from connectors.connections import health
from connectors.exceptions import ConfigError, ConnectorError, LoginRefusedError
from connectors.models import ERPConnection
from connectors.registry import registry
from connectors.types.inspection import Found, InspectableConnector, Inspection, PlacedFile, Sought
from exports.recovery.report import Report
from exports.rollback.entries import Line

READERS = 8
# What begins the reason of a block that recover itself sets, and ends.
BLOCKED = "recover could not read this connection's acknowledgements"


def archived(organization_id: UUID, filename: str) -> bytes | None:
    """None where there is none. Raises whatever a storage backend raises."""
    try:
        with storages["exports"].open(f"exports/{organization_id}/{filename}", "rb") as file:
            content: bytes = file.read()
            return content
    except FileNotFoundError:
        return None


def of_lines(lines: Sequence[Line], report: Report) -> dict[str, bytes]:
    """By file name, those of the lines' documents that can be had with the bytes that were sent."""
    found: dict[str, bytes] = {}
    with ThreadPoolExecutor(READERS, thread_name_prefix="documents") as pool:
        for line, content in zip(lines, pool.map(_archived, lines), strict=True):
            if content is not None and _is_it(line, content):
                found[line.filename] = content
    elsewhere: dict[UUID, list[Line]] = defaultdict(list)
    for line in lines:
        if line.filename not in found:
            elsewhere[line.connection_id].append(line)
    for connection in ERPConnection.objects.select_related("organization").filter(pk__in=elsewhere):
        found |= _at_dropzone(connection, elsewhere[connection.pk], report)
    return found


def require_reachable(connection: ERPConnection) -> None:
    """Raises `ConfigError` where it is blocked: a wrong password is not tried again."""
    if connection.blocked_at and not connection.blocked_reason.startswith(BLOCKED):
        raise ConfigError(f"It is blocked: {connection.blocked_reason}")


def open_inspection(connection: ERPConnection, stack: ExitStack) -> Inspection | None:
    """None where the connector cannot say what lies at its place. Raises `ConnectorError`."""
    require_reachable(connection)
    connector = registry.create(connection.connector_type)
    if not isinstance(connector, InspectableConnector):
        return None
    try:
        return stack.enter_context(connector.open_inspection(connection.runtime_config()))
    except LoginRefusedError as error:
        # The next step of the recovery logs in as well.
        health.block_for(connection, error)
        raise


def find(inspection: Inspection, staged: Mapping[str, str]) -> dict[str, Found]:
    """By file name, what lies under the two names of each; `staged` has the path that was journaled, or empty."""
    outcomes = inspection.find([Sought(filename=name, staged_path=path) for name, path in staged.items()])
    return {name: outcome for name, outcome in zip(staged, outcomes, strict=True) if isinstance(outcome, Found)}


def _archived(line: Line) -> bytes | None:
    try:
        return archived(line.organization_id, line.filename)
    except Exception:  # noqa: BLE001 - whatever a storage backend raises; the dropzone may have it
        return None


def _is_it(line: Line, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == line.sha256


def _at_dropzone(connection: ERPConnection, lines: Iterable[Line], report: Report) -> dict[str, bytes]:
    wanted = {line.filename: line for line in lines}
    found: dict[str, bytes] = {}
    try:
        with ExitStack() as stack:
            inspection = open_inspection(connection, stack)
            if inspection is None:
                return {}
            lying = find(inspection, {name: line.staged_path for name, line in wanted.items()})
            files = [(name, file) for name, each in lying.items() for file in (each.final, each.temporary) if file]
            for (name, _), content in zip(files, _read(inspection, [file for _, file in files]), strict=True):
                if isinstance(content, bytes) and _is_it(wanted[name], content):
                    found[name] = content
    except ConnectorError as error:
        report.problems.append(f"The dropzone of connection {connection.name!r} cannot be read: {error}")
    return found


def _read(inspection: Inspection, files: Sequence[PlacedFile]) -> Sequence[bytes | ConnectorError | None]:
    return inspection.read(files) if files else []
