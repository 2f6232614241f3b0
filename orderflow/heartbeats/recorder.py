"""Records that something finished: one conditional UPDATE of one row."""

from datetime import timedelta

from django.db.models import Case, DateTimeField, ExpressionWrapper, F, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from orderflow.heartbeats.models import Heartbeat

# A row is not written more often than this, however short the intervals are.
GRAIN_S = 2
WORKER = "worker "
WORKERS_KEPT_S = 86_400


def finished(name: str, gap_s: float, *, grain_s: float = GRAIN_S) -> None:
    """`gap_s`: a longer silence before this one counts as a standstill, after which it has just begun to run."""
    row = Heartbeat.objects.filter(name=name)
    running_since = Case(When(at__lt=_ago(gap_s), then=Now()), default=F("running_since"))
    if not row.filter(at__lt=_ago(grain_s)).update(at=Now(), running_since=running_since) and not row.exists():
        Heartbeat.objects.bulk_create([Heartbeat(name=name, at=Now(), running_since=Now())], ignore_conflicts=True)


def pinged(hostname: str) -> None:
    """The worker of that name ran a task that was sent to it alone."""
    finished(WORKER + hostname, WORKERS_KEPT_S, grain_s=0)
    Heartbeat.objects.filter(name__startswith=WORKER, at__lt=_ago(WORKERS_KEPT_S)).delete()


def _ago(seconds: float) -> Combinable:
    return ExpressionWrapper(Now() - timedelta(seconds=seconds), output_field=DateTimeField())
