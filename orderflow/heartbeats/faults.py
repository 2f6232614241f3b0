"""What fails now without ending anything: noted by the process that meets it, read by the comparison of incidents."""

from datetime import timedelta

from django.db.models import DateTimeField, ExpressionWrapper, QuerySet
from django.db.models.functions import Now

from orderflow.heartbeats.models import Fault


def seen(name: str, reason: str) -> None:
    """It fails now. Its row keeps since when."""
    if not Fault.objects.filter(name=name).update(at=Now(), reason=reason[:500]):
        row = Fault(name=name, since=Now(), at=Now(), reason=reason[:500])
        Fault.objects.bulk_create([row], ignore_conflicts=True)


def over(name: str) -> None:
    Fault.objects.filter(name=name).delete()


def present(prefix: str, within_s: float) -> QuerySet[Fault]:
    """Those whose name begins so, and that were last seen within `within_s` seconds."""
    since = ExpressionWrapper(Now() - timedelta(seconds=within_s), output_field=DateTimeField())
    return Fault.objects.filter(name__startswith=prefix, at__gt=since).order_by("name")
