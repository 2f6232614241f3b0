"""Opens and closes incidents: what is wrong now, compared with what is open."""

import logging
from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from exports.acks import unresolved as unresolved_acks
from exports.incidents.detectors import components, sources
from exports.incidents.detectors.connections import Trouble
from exports.incidents.models import Incident
from exports.models import AckFile, Verdict
from orderflow.heartbeats import standstill
from orderflow.tenancy.audit import record

logger = logging.getLogger(__name__)

Kind = Incident.Kind


class NotResolvable(Exception):
    """The incident is closed, or ends only when its cause does."""


def compare() -> None:
    """Open an incident for each new problem, close those of which nothing is left. Two workers at once do no harm."""
    found = sources.ask(sources.every())
    rows = Incident.objects.filter(closed_at=None).values_list("organization", "kind", "subject", "pk")
    known = {(organization_id, kind, subject): pk for organization_id, kind, subject, pk in rows}
    # Of what could not be looked at, nothing is known to be over.
    _close([pk for key, pk in known.items() if key not in found.troubles and key[1] not in found.unknown])
    _open([trouble for key, trouble in found.troubles.items() if key not in known and trouble.begins])


def report_standstills() -> bool:
    """Open incidents for what has stopped; for a process that runs while no worker compares. True while an e-mail about
    one of them is due. `compare` closes them."""
    found = [trouble for trouble in components.stopped(standstill.found()) if trouble.begins]
    if not found:
        return False
    stopped = Incident.objects.filter(closed_at=None, kind=Kind.STOPPED)
    known = set(stopped.values_list("organization", "subject"))
    _open([trouble for trouble in found if (trouble.organization_id, trouble.subject) not in known])
    return stopped.filter(notified_at=None).exists()


@transaction.atomic
def resolve(incident: Incident, *, actor: str) -> None:
    """A person ends it: of acks, all that are open over its connection are resolved. Raises `NotResolvable`, also where
    one of them contradicts another: that is decided on the file's page."""
    if incident.kind not in (Kind.ACKS, *components.RESOLVABLE):
        raise NotResolvable(f"{incident} is resolved when its cause is: it cannot be closed by hand.")
    if conflicts := [ack for ack in acks_of(incident) if ack.verdict == Verdict.CONFLICT]:
        raise NotResolvable(f"{incident}: {unresolved_acks.to_decide(len(conflicts))}")
    row = Incident.objects.filter(pk=incident.pk, closed_at=None)
    if not row.update(closed_at=timezone.now(), resolved_by=actor):
        raise NotResolvable(f"{incident} is resolved already.")
    if incident.kind == Kind.ACKS and incident.connection_id:
        unresolved_acks.resolve_all(incident.organization_id, incident.connection_id, actor=actor)
    record(incident.organization_id, actor, "resolve incident", incident, kind=incident.kind, about=incident.about)


def acks_of(incident: Incident) -> QuerySet[AckFile]:
    """The open files that an open incident is about, the newest ones; none for one of another kind."""
    if incident.kind != Kind.ACKS or incident.closed_at or not incident.connection_id:
        return AckFile.objects.none()
    return unresolved_acks.newest(incident.organization_id, incident.connection_id)


def _close(incidents: Collection[int]) -> None:
    Incident.objects.filter(pk__in=incidents, closed_at=None).update(closed_at=timezone.now())


def _open(found: Collection[Trouble]) -> None:
    for details in {trouble.details for trouble in found if trouble.details}:
        logger.warning("An incident is opened. %s", details)
    Incident.objects.bulk_create(
        (
            Incident(
                organization_id=trouble.organization_id,
                connection_id=trouble.connection_id,
                kind=trouble.kind,
                subject=trouble.subject,
                label=trouble.label,
                reason=trouble.reason,
                details=trouble.details,
                opened_at=trouble.since,
            )
            for trouble in found
        ),
        # Another worker may have opened it in between.
        ignore_conflicts=True,
    )
