import uuid

from django.db import models
from django.db.models import Exists
from django.db.models.expressions import Combinable


class Installation(models.Model):
    """The one row that identifies this database outside of it, and says whether deliveries and polls are held.

    `counter` numbers the journal commits of all lanes. The numbers up to `forgotten` have no `JournalMark` any more.
    """

    KEY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=KEY, editable=False)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    counter = models.PositiveBigIntegerField(default=0)
    forgotten = models.PositiveBigIntegerField(default=0)
    held_since = models.DateTimeField(null=True)
    held_because = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return str(self.uuid)


class JournalMark(models.Model):
    """One journal commit. The random stamp distinguishes two commits that got the same number, one of them in a
    history that the database lost."""

    stamp = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveBigIntegerField(db_index=True)

    def __str__(self) -> str:
        return f"{self.number} {self.stamp}"


def held() -> Installation | None:
    """While deliveries and polls are held; says since when and why."""
    return Installation.objects.filter(held_since__isnull=False).first()


def why_held() -> str:
    """For people; empty while deliveries and polls go on."""
    row = held()
    return f"Deliveries and polls are held: {row.held_because}" if row else ""


def not_held() -> Combinable:
    """The condition under which lanes may be taken, for a query about something else."""
    return ~Exists(Installation.objects.filter(held_since__isnull=False))
