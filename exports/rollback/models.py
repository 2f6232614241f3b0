import uuid

from django.db import models


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
