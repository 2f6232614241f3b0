"""Acknowledgements that were moved to `processed/` and that the database forgot: entered in the ledger again."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from connectors.documents.naming import draft_order_of, is_of_test
from connectors.exceptions import ConnectorError, RejectedError
from connectors.models import ERPConnection
from connectors.ports import AckEntry, AckInbox, AckReadingConnector
from connectors.registry import registry
from connectors.types.inspection import InspectableConnector, Inspection, PlacedFile
from exports.acks import recorder as ack_recorder
from exports.acks.recorder import Answer
from exports.models import AckFile, ERPExport
from exports.recovery import orders, reconstructed
from exports.recovery.report import Named, Report
from orderflow.orders.models import DraftOrder

BATCH = 500
# What a second file of the same name was moved to.
BESIDE = re.compile(r"\.[0-9a-f]{8}(?=\.(?i:json)\Z)", re.ASCII)

Archived = tuple[str, AckEntry]


def enter_again(connection: ERPConnection, report: Report) -> None:
    """Raises `ConnectorError` where the place cannot be looked at."""
    connector = registry.create(connection.connector_type)
    config = connection.runtime_config()
    if not isinstance(connector, InspectableConnector) or not isinstance(connector, AckReadingConnector):
        return
    if connector.answer_due(config) is None:
        return
    with ExitStack() as stack:
        inspection = stack.enter_context(connector.open_inspection(config))
        inbox = stack.enter_context(connector.open_inbox(config))
        for batch in _batches(connection, inspection):
            _enter(connection, inspection, inbox, batch, report)


def _batches(connection: ERPConnection, inspection: Inspection) -> Iterator[list[Archived]]:
    batch: list[Archived] = []
    for path, entry in inspection.archived_answers():
        if "/error/" not in path:
            batch.append((path, entry))
        if len(batch) == BATCH:
            yield _forgotten(connection, batch)
            batch = []
    yield _forgotten(connection, batch)


def _forgotten(connection: ERPConnection, batch: Sequence[Archived]) -> list[Archived]:
    """Those of exports of this connection that the ledger does not have, under the names that they came with."""
    came = [(path, _original(entry)) for path, entry in batch]
    rows = AckFile.objects.filter(connection=connection).exclude(sha256="")
    entered = set(rows.filter(name__any_of=[e.name for _, e in came]).values_list("name", flat=True))
    moved_beside = {path for path, entry in batch if BESIDE.search(entry.name)}
    return [(path, entry) for path, entry in came if path in moved_beside or entry.name not in entered]


def _original(entry: AckEntry) -> AckEntry:
    """The entry under the name that it came with."""
    name, exported = BESIDE.sub("", entry.name), BESIDE.sub("", entry.export_filename)
    if name != entry.name and exported.endswith(".json.json"):
        # Some ERPs append a second .json.
        exported = exported.removesuffix(".json")
    return replace(entry, name=name, export_filename=exported)


def _enter(
    connection: ERPConnection, inspection: Inspection, inbox: AckInbox, batch: Sequence[Archived], report: Report
) -> None:
    reconstructed.claim(connection, [entry.export_filename for _, entry in batch])
    rows = ERPExport.objects.filter(connection=connection, filename__any_of=[e.export_filename for _, e in batch])
    exports = dict(rows.values_list("filename", "pk"))
    ours = [(path, entry) for path, entry in batch if entry.export_filename in exports]
    _name_unknown(connection, [entry for _, entry in batch if entry.export_filename not in exports], report)
    files = [
        PlacedFile(path=path, name=entry.name, size=entry.size, modified_at=entry.modified_at) for path, entry in ours
    ]
    answers = []
    for (path, entry), raw in zip(ours, inspection.read(files) if files else [], strict=True):
        if isinstance(raw, ConnectorError):
            report.problems.append(f"{path} cannot be read: {raw}")
        elif raw is not None:
            answers.append(_answer(inbox, entry, raw, Answer(entry=entry, export_id=exports[entry.export_filename])))
    # A page of the ledger has each name once.
    pages: list[dict[str, Answer]] = []
    for answer in answers:
        page = next((page for page in pages if answer.entry.name not in page), None)
        if page is None:
            pages.append(page := {})
        page[answer.entry.name] = answer
    for page in pages:
        ack_recorder.enter(connection, list(page.values()))
    report.acks += [answer.entry.name for answer in answers]


def _name_unknown(connection: ERPConnection, entries: Sequence[AckEntry], report: Report) -> None:
    """An export that was acknowledged and is in no place any more; its order must not be sent again."""
    entries = [entry for entry in entries if not is_of_test(entry.export_filename)]
    names = [entry.export_filename for entry in entries]
    known = set(ERPExport.objects.filter(filename__any_of=names).values_list("filename", flat=True))
    for entry in entries:
        order_id = draft_order_of(entry.export_filename)
        if entry.export_filename in known or order_id is None:
            continue
        order = DraftOrder.objects.filter(pk=order_id).exclude(organization=connection.organization_id)
        if order.exists():
            continue
        orders.stop(order_id, f"{entry.name} acknowledges {entry.export_filename}, which the database lost.")
        why = f"Its acknowledgement {entry.name} lies in processed/, and nothing else is left of it."
        report.unknown.append(Named(name=entry.export_filename, why=why))


def _answer(inbox: AckInbox, entry: AckEntry, raw: bytes, empty: Answer) -> Answer:
    try:
        return replace(empty, raw=raw, ack=inbox.parse(entry, raw))
    except RejectedError as error:
        return replace(empty, raw=raw, problem=str(error))
