"""Pushing many orders in the background: portion after portion, each with its count in one transaction."""

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from kombu.exceptions import OperationalError

from exports.bulk import push as bulk_push
from exports.bulk import refusals, routing
from exports.bulk.models import BulkJob
from exports.bulk.push import Outcome
from exports.lanes import slots
from orderflow.celery import app
from orderflow.db.clock import from_now
from orderflow.tenancy.audit import record
from orderflow.tenancy.models import Organization

logger = logging.getLogger(__name__)

State = BulkJob.State

# By name: the tasks import this.
TASK = "exports.tasks.run_bulk_job"
PORTION = bulk_push.AT_ONCE
# Of one job. Whoever has more asks again for the rest.
MOST = 10_000
# Each portion renews it; it takes a second or two.
LEASE_S = 60


class NotUnderWay(Exception):
    """The job is over already."""


@transaction.atomic
def ask(organization: Organization, kind: BulkJob.Kind, order_ids: Sequence[UUID], *, actor: str) -> BulkJob:
    """Have a worker push `order_ids`, at most `MOST`, in that order."""
    ids = [str(order_id) for order_id in order_ids[:MOST]]
    job = BulkJob.objects.create(
        organization=organization, kind=kind, order_ids=ids, total=len(ids), asked_by=actor, asked_at=timezone.now()
    )
    record(organization.pk, actor, f"bulk {kind.lower()}", job, orders=str(job.total))
    transaction.on_commit(partial(_send, job.pk), robust=True)
    return job


def run(job_id: UUID) -> None:
    """A message that comes twice changes nothing: one worker has the job, and the other goes home."""
    job = _take(job_id)
    while job and _portion(job):
        pass


@transaction.atomic
def stop(job: BulkJob, *, actor: str) -> None:
    """What went is not called back. Raises `NotUnderWay`."""
    if not _under_way().filter(pk=job.pk).update(state=State.STOPPED, **_OVER):
        raise NotUnderWay(f"{job} is over already.")
    record(job.organization_id, actor, "stop bulk job", job)


def call_due() -> None:
    """Send for the jobs that nobody is at: a message was lost, or a worker died."""
    for job_id in _under_way().filter(slots.free()).values_list("pk", flat=True):
        _send(job_id)


_OVER: dict[str, Any] = {"ended_at": Now(), "leased_until": None, "order_ids": []}


def _take(job_id: UUID) -> BulkJob | None:
    begun = {"state": State.RUNNING, "started_at": Coalesce("started_at", Now())}
    rows = _under_way().filter(slots.free(), pk=job_id)
    if not rows.update(token=F("token") + 1, leased_until=from_now(LEASE_S), **begun):
        return None
    return BulkJob.objects.select_related("organization").get(pk=job_id)


@transaction.atomic
def _portion(job: BulkJob) -> bool:
    """The next orders and their count, together or not at all. False: it is over, stopped, or another worker's."""
    ids = [UUID(text) for text in job.order_ids[job.position : job.position + PORTION]]
    # From here on nobody else moves the job until the transaction ends.
    held = BulkJob.objects.filter(pk=job.pk, token=job.token, position=job.position, state=State.RUNNING)
    if not held.update(leased_until=from_now(LEASE_S)):
        return False
    outcomes = routing.push_each(job.organization, job.source, ids, actor=job.asked_by)
    job.position += len(ids)
    job.done += sum(outcome.refusal is None for outcome in outcomes)
    job.refusals = _with_refusals(job, outcomes)
    over = job.position >= job.total
    counts = {"position": job.position, "done": job.done, "refusals": job.refusals}
    held.update(**counts, **({"state": State.DONE, **_OVER} if over else {}))
    return not over


def _with_refusals(job: BulkJob, outcomes: Iterable[Outcome]) -> dict[str, object]:
    new = refusals.grouped(outcome.refusal for outcome in outcomes if outcome.refusal)
    return refusals.stored(refusals.added(refusals.from_stored(job.refusals), new))


def _under_way() -> QuerySet[BulkJob]:
    return BulkJob.objects.filter(state__in=BulkJob.UNDER_WAY)


def _send(job_id: UUID) -> None:
    try:
        app.send_task(TASK, args=[str(job_id)])
    except OperationalError as error:
        logger.warning("The broker took no message for bulk job %s, the next look will find it: %s", job_id, error)
