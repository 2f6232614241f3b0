"""Acknowledgement files that need a person: open from the poll that recorded them until they are resolved."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from connectors.documents import json_ack_names
from connectors.exceptions import ConnectorError
from connectors.fencing import LeaseLost
from connectors.registry import registry
from connectors.third_party.errors import guarded
from exports.acks.unread import ANSWERED_SINCE
from exports.models import AckFile, ERPExport, EventKind, ExportEvent, Verdict
from exports.models.ack_file import NEEDS_A_PERSON
from orderflow.tenancy.audit import record

# By value: files that have an effect once they can be read.
UNREADABLE = ("MALFORMED", "UNREAD")
READ = (Verdict.MATCHED, Verdict.DUPLICATE, Verdict.CONFLICT, Verdict.LATE)
# How long an orphan may still be found to belong to another connection.
NEIGHBOURS_WITHIN = timedelta(minutes=10)
# Files in one run.
AT_ONCE = 1_000


class NotOpen(Exception):
    """The file needs no person, or was resolved before."""


def open_ones(rows: QuerySet[AckFile]) -> QuerySet[AckFile]:
    """From the index of those that are open."""
    return rows.filter(resolved_at=None, verdict__in=NEEDS_A_PERSON)


def resolve(ack: AckFile, *, actor: str) -> None:
    """A person has dealt with it. Raises `NotOpen`."""
    with transaction.atomic():
        if not open_ones(AckFile.objects.filter(pk=ack.pk)).update(resolved_at=timezone.now(), resolved_by=actor):
            raise NotOpen(f"{ack.name} is not open: it needs no person, or was resolved before.")
        if ack.export and ack.verdict == Verdict.CONFLICT:
            message = f"Left as it is by {actor}: {ack.name} changes nothing."[:500]
            ExportEvent.objects.create(
                export=ack.export, kind=EventKind.DECIDED, actor=actor, message=message, at=timezone.now()
            )
        record(ack.organization_id, actor, "resolve ack file", ack, verdict=ack.verdict)


def newest(organization_id: UUID, connection_id: UUID) -> QuerySet[AckFile]:
    """The open files of a connection, `AT_ONCE` at most."""
    ours = AckFile.objects.filter(organization=organization_id, connection=connection_id)
    return open_ones(ours).order_by("-pk").defer("raw")[:AT_ONCE]


def resolve_all(organization_id: UUID, connection_id: UUID, *, actor: str) -> int:
    """The `newest` files, each with its audit line, but those that contradict another one: what such a file means for
    its order is decided on its own page. Gives how many it resolved."""
    count = 0
    for ack in newest(organization_id, connection_id):
        if ack.verdict != Verdict.CONFLICT:
            with suppress(NotOpen):
                resolve(ack, actor=actor)
                count += 1
    return count


def to_decide(count: int) -> str:
    """What to do about so many files that contradict another one; empty for none."""
    if not count:
        return ""
    if count == 1:
        return "1 file contradicts another one: decide it on its page."
    return f"{count:,} files contradict each other: decide these on their pages."


def resolve_settled() -> None:
    """Resolve the files that need a person no more: their export was acknowledged afterwards, a later file of the same
    name was read, or they are for another connection of the organization."""
    unreadable = open_ones(AckFile.objects.all()).filter(verdict__in=UNREADABLE)
    later = AckFile.objects.filter(
        connection=OuterRef("connection"), name=OuterRef("name"), pk__gt=OuterRef("pk"), verdict__in=READ
    )
    _resolve(unreadable.filter(ANSWERED_SINCE | Q(Exists(later))).values_list("pk", flat=True)[:AT_ONCE])
    _resolve(_of_neighbours())


def _resolve(keys: Iterable[int]) -> None:
    found = list(keys)
    if found:
        open_ones(AckFile.objects.filter(pk__any_of=found)).update(resolved_at=timezone.now())


def _of_neighbours() -> list[int]:
    """Of the newest orphans, those that acknowledge an export of another connection of the same organization."""
    young = open_ones(AckFile.objects.filter(verdict=Verdict.ORPHAN, seen_at__gt=timezone.now() - NEIGHBOURS_WITHIN))
    rows = young.values_list("organization", "connection__connector_type", "name", "pk")[:AT_ONCE]
    by_reader = defaultdict(list)
    for organization_id, connector_type, name, pk in rows:
        by_reader[organization_id, connector_type].append((name, pk))
    found = []
    for (organization_id, connector_type), orphans in by_reader.items():
        names = _acknowledged(connector_type, [name for name, _ in orphans])
        # The index of names begins with the connection.
        known = ERPExport.objects.filter(
            connection__organization=organization_id, filename__any_of=list({*names.values()})
        )
        sent = set(known.values_list("filename", flat=True))
        found += [pk for name, pk in orphans if names.get(name) in sent]
    return found


def _acknowledged(connector_type: str, names: Iterable[str]) -> dict[str, str]:
    """The file names of the exports that files of these names acknowledge, as the connector that found them reads
    them. Empty where the connector fails: its polls report that."""
    try:
        with guarded(connector_type):
            connector = registry.create(connector_type)
            read = getattr(connector, "answered_export", json_ack_names.export_filename)
            found = {name: read(name) for name in names}
    except (ConnectorError, LeaseLost):
        return {}
    return {name: filename for name, filename in found.items() if isinstance(filename, str) and filename.isprintable()}
