"""What the journal outside does not cover: judged by the archived documents and by what lies at the dropzone.

A document is archived when its file is staged, so it proves that an earlier life had the order in hand, and no more
than that. Where nothing else tells, the export is held for a person.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from uuid import UUID

from django.core.files.storage import storages
from django.db import transaction
from django.utils import timezone

from connectors.exceptions import ConnectorError
from connectors.inspection import Found
from connectors.models import ERPConnection
from exports.models import ERPExport, EventKind, ExportEvent
from exports.recovery import decisions, documents, orders
from exports.recovery.orders import ACTOR, CannotRestore
from exports.recovery.report import Named, Report
from exports.rollback import outside
from exports.transitions import LIVE, ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization

ARCHIVED = "Its document is archived, so it was about to be sent; whether it was is unknown."
UNREADABLE = "The archived documents cannot be read, so nothing tells whether it was sent."
LYING = "A file of it lies at the dropzone, and the database does not know of it."
NO_LOOK = "The dropzone cannot be looked at, so nothing tells whether it was sent."

# Of the documents that must be there, so many are looked for before the archive is believed to be empty.
PROBES = 5


@dataclass(kw_only=True)
class Doubt:
    organization: Organization
    report: Report
    _names: set[str] = field(default_factory=set)
    _is_readable: bool = False

    def settle(self) -> None:
        """Idempotent."""
        self._names, self._is_readable = self._archive()
        for filename in sorted(self._unknown_documents()):
            self._recreate(filename)
        waiting = ERPExport.objects.filter(organization=self.organization, status=ExportStatus.PENDING, staged_path="")
        by_connection: dict[UUID, list[ERPExport]] = defaultdict(list)
        for export in waiting.order_by("created_at", "pk"):
            by_connection[export.connection_id].append(export)
        for connection in ERPConnection.objects.select_related("organization").filter(pk__in=by_connection):
            self._judge(connection, by_connection[connection.pk])

    def _archive(self) -> tuple[set[str], bool]:
        """The names in it; False where it cannot be listed, or lacks what must be there."""
        sent = ERPExport.objects.filter(organization=self.organization).exclude(storage_key="")
        probes = list(sent.order_by("-created_at").values_list("storage_key", flat=True)[:PROBES])
        try:
            names = set(outside.listing(storages["exports"], f"exports/{self.organization.pk}")[1])
        except Exception as error:  # noqa: BLE001 - whatever a storage backend raises
            self.report.problems.append(f"The archived documents of {self.organization} cannot be listed: {error}")
            return set(), False
        there = [key for key in probes if key.rpartition("/")[2] in names]
        if probes and not there:
            self.report.problems.append(f"The archived documents of {self.organization} are gone.")
        return names, bool(there) or not probes

    def _unknown_documents(self) -> set[str]:
        names = list(self._names)
        known: set[str] = set()
        for start in range(0, len(names), 1000):
            rows = ERPExport.objects.filter(
                organization=self.organization, filename__any_of=names[start : start + 1000]
            )
            known.update(rows.values_list("filename", flat=True))
        return self._names - known

    def _recreate(self, filename: str) -> None:
        connection = self._connection_for(filename)
        if connection is None:
            return
        try:
            with transaction.atomic():
                self._held_export(filename, connection)
        except CannotRestore as reason:
            self.report.unknown.append(Named(name=filename, why=str(reason)))

    def _connection_for(self, filename: str) -> ERPConnection | None:
        """The default, or any: only one that knows the name can read the document."""
        rows = ERPConnection.objects.select_related("organization").filter(organization=self.organization)
        connection = rows.order_by("-is_default", "pk").first()
        if connection is None:
            self.report.unknown.append(Named(name=filename, why="Its organization has no connection any more."))
        return connection

    def _held_export(self, filename: str, connection: ERPConnection) -> None:
        """Raises `CannotRestore`."""
        content = documents.archived(self.organization.pk, filename)
        if content is None:
            raise CannotRestore("Its document vanished from the archive.")
        found = orders.read(connection, content)
        others = ERPExport.objects.filter(draft_order=found.draft_order_id)
        live = others.filter(status__in=LIVE).first()
        if live and (live.status != ExportStatus.PENDING or live.staged_path):
            raise CannotRestore(f"Export {live.filename} of the same order is {live.status}. Ask the ERP's operator.")
        order = DraftOrder.objects.filter(pk=found.draft_order_id).first()
        if order is None or order.status not in ("PUSHING", "PUSHED"):
            order = orders.write(found, self.organization)
            self.report.orders.append(str(order.pk))
        if live:
            ERPExport.objects.filter(pk=live.pk).update(filename=filename, held_because=ARCHIVED)
            self.report.adopted.append(filename)
        else:
            self._create(filename, order, connection, others)

    def _create(self, filename: str, order: DraftOrder, connection: ERPConnection, others: Iterable[ERPExport]) -> None:
        earlier = [export for export in others if not hasattr(export, "superseded_by")]
        export = ERPExport.objects.create(
            id=_id_for(filename),
            organization=self.organization,
            draft_order=order,
            connection=connection,
            supersedes=earlier[0] if earlier else None,
            requested_by=ACTOR,
            created_at=timezone.now(),
            filename=filename,
            held_because=ARCHIVED,
            storage_key=f"exports/{self.organization.pk}/{filename}",
        )
        decisions.note(export.pk, EventKind.RECOVERED, f"The database had lost it. {ARCHIVED}", actor=ACTOR)
        orders.set_pushing(order)
        self.report.recreated.append(filename)

    def _judge(self, connection: ERPConnection, exports: Sequence[ERPExport]) -> None:
        """Those that nothing tells of go; of the others, what lies there with the right bytes was sent."""
        found = self._lying(connection, exports)
        for export in exports:
            lying = found.get(export.filename) if found is not None else None
            is_archived = export.filename in self._names
            if lying and lying.final and is_archived and self._is_as_archived(export, lying):
                decisions.was_sent(export, actor=ACTOR, why="Its file lies at the dropzone.", path=lying.final.path)
                self.report.sent.append(export.filename)
            elif why := self._why_held(lying, is_archived=is_archived, looked=found is not None):
                self._hold(export, why)

    def _why_held(self, lying: Found | None, *, is_archived: bool, looked: bool) -> str:
        if is_archived:
            return ARCHIVED
        if not self._is_readable:
            return UNREADABLE
        if not looked:
            return NO_LOOK
        return LYING if lying and (lying.final or lying.temporary) else ""

    def _hold(self, export: ERPExport, why: str) -> None:
        if ERPExport.objects.filter(pk=export.pk, held_because="").update(held_because=why):
            ExportEvent.objects.create(export=export, kind=EventKind.HELD, actor=ACTOR, message=why, at=timezone.now())

    def _lying(self, connection: ERPConnection, exports: Sequence[ERPExport]) -> Mapping[str, Found] | None:
        """None where nobody can look."""
        try:
            with ExitStack() as stack:
                inspection = documents.open_inspection(connection, stack)
                return documents.find(inspection, {e.filename: "" for e in exports}) if inspection else None
        except ConnectorError as error:
            self.report.problems.append(f"The dropzone of connection {connection.name!r} cannot be read: {error}")
            return None

    def _is_as_archived(self, export: ERPExport, lying: Found) -> bool:
        """By the size; nobody but this product writes under the name."""
        try:
            content = documents.archived(self.organization.pk, export.filename)
        except Exception:  # noqa: BLE001 - whatever a storage backend raises
            return False
        if content is None or lying.final is None or len(content) != lying.final.size:
            return False
        digest = hashlib.sha256(content).hexdigest()
        ERPExport.objects.filter(pk=export.pk).update(document_sha256=digest, document_size=len(content))
        return True


def _id_for(filename: str) -> UUID:
    """The name has the first digits of the id that is lost; a second run finds the same."""
    digest = hashlib.sha256(filename.encode()).hexdigest()
    start = filename.removesuffix(".json")[-8:]
    known = start if all(digit in "0123456789abcdef" for digit in start) and len(start) == 8 else digest[:8]
    return UUID(hex=known + digest[8:32], version=4)
