"""Hold the database, the dropzone and the stored copies of one connection against each other."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from connectors.connections import health
from connectors.exceptions import ConfigError, LoginRefusedError
from connectors.ports import AckReadingConnector
from connectors.registry import registry
from connectors.types.inspection import InspectableConnector, Inspection
from exports.lanes import dispatch
from exports.reconciliation import acks, documents, dropzone, exports
from exports.reconciliation.findings import Finding, Repair
from exports.reconciliation.run import Run, holding_lanes


class Stage(StrEnum):
    """In this order: a place that cannot be listed is an outage, and never many missing files."""

    FILES = "files at the dropzone"
    EXPORTS = "exports and copies"
    ARCHIVED = "answers that were read"
    ANSWERS = "answers"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A batch that was compared, and mended where that was asked for."""

    stage: Stage
    looked_at: int
    findings: Sequence[Finding]


def reconcile(run: Run) -> Generator[Step, None, None]:
    """Batch by batch, in memory a batch at a time; without `run.repairs` nothing at all is changed. Raises
    `ConnectorError`, `LaneBusy`, `LaneLost` and `StorageUnreadable`."""
    connection = run.connection
    if connection.blocked_at:
        raise ConfigError(f"Connection {connection.name!r} is blocked: {connection.blocked_reason} Mend and test it.")
    with holding_lanes(connection.pk, needed=bool(run.repairs)) as leases:
        try:
            yield from _steps(replace(run, leases=leases))
        except LoginRefusedError as error:
            health.block_for(connection, error)
            raise
    if Repair.STATES in run.repairs:
        dispatch.wake(connection.pk)


def _steps(run: Run) -> Iterator[Step]:
    connector = registry.create(run.connection.connector_type)
    config = run.connection.runtime_config()
    if not isinstance(connector, InspectableConnector):
        raise ConfigError(f"Connector {run.connection.connector_type} cannot say what lies in its place.")
    with connector.open_inspection(config) as inspection:
        yield from (Step(stage=Stage.FILES, looked_at=n, findings=f) for n, f in dropzone.compare(run, inspection))
        yield from _exports(run, inspection)
        archived = acks.compare_archived(run, inspection)
        yield from (Step(stage=Stage.ARCHIVED, looked_at=n, findings=f) for n, f in archived)
    if isinstance(connector, AckReadingConnector) and connector.answer_due(config):
        with connector.open_inbox(config) as inbox:
            yield from (Step(stage=Stage.ANSWERS, looked_at=n, findings=f) for n, f in acks.compare(run, inbox))


def _exports(run: Run, inspection: Inspection) -> Iterator[Step]:
    for batch in run.exports():
        findings = [*exports.compare(run, inspection, batch), *documents.compare(run, batch)]
        yield Step(stage=Stage.EXPORTS, looked_at=len(batch), findings=findings)
