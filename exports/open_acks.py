"""Acknowledgement files that need a person: open from the poll that recorded them until they are resolved."""

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from exports.ack_file import NEEDS_A_PERSON
from exports.causes import Cause
from exports.models import AckFile, ERPExport, Verdict
from exports.transitions import ExportStatus
from orderflow.tenancy.models import record

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
        record(ack.organization_id, actor, "resolve ack file", ack, verdict=ack.verdict)


def resolve_all(organization_id: UUID, connection_id: UUID, *, actor: str) -> int:
    """All open files of a connection, each with its audit line; `AT_ONCE` at most. Returns how many."""
    ours = AckFile.objects.filter(organization=organization_id, connection=connection_id)
    rows = open_ones(ours).order_by("-pk").defer("raw")
    count = 0
    for ack in rows[:AT_ONCE]:
        try:
            resolve(ack, actor=actor)
        except NotOpen:
            continue
        count += 1
    return count


def resolve_settled() -> None:
    """Resolve the files that need a person no more: their export was acknowledged afterwards, a later file of the same
    name was read, or they are for another connection of the organization."""
    unreadable = open_ones(AckFile.objects.all()).filter(verdict__in=UNREADABLE)
    acknowledged = Q(export__status=ExportStatus.ACKED) | Q(export__cause=Cause.ERP_REFUSED)
    settled = Q(acknowledged, export__settled_at__gte=F("seen_at"))
    later = AckFile.objects.filter(
        connection=OuterRef("connection"), name=OuterRef("name"), pk__gt=OuterRef("pk"), verdict__in=READ
    )
    _resolve(unreadable.filter(settled | Q(Exists(later))).values_list("pk", flat=True)[:AT_ONCE])
    _resolve(_of_neighbours())


def _resolve(keys: Iterable[int]) -> None:
    found = list(keys)
    if found:
        open_ones(AckFile.objects.filter(pk__any_of=found)).update(resolved_at=timezone.now())


def _of_neighbours() -> list[int]:
    """Of the newest orphans, those that acknowledge an export of another connection of the same organization."""
    young = open_ones(AckFile.objects.filter(verdict=Verdict.ORPHAN, seen_at__gt=timezone.now() - NEIGHBOURS_WITHIN))
    by_organization = defaultdict(list)
    for pk, organization_id, name in young.values_list("pk", "organization", "name")[:AT_ONCE]:
        by_organization[organization_id].append((pk, _acknowledged(name)))
    found = []
    for organization_id, orphans in by_organization.items():
        names = [name for _, name in orphans]
        # The index of names begins with the connection.
        known = ERPExport.objects.filter(connection__organization=organization_id, filename__any_of=names)
        sent = set(known.values_list("filename", flat=True))
        found += [pk for pk, name in orphans if name in sent]
    return found


def _acknowledged(name: str) -> str:
    """The file name that an ack of this name acknowledges."""
    return re.sub("^(ack|error)_", "", name).replace(".json.json", ".json")
