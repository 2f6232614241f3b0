from django.db import models


class Heartbeat(models.Model):
    """One row for each periodic task, by its name in Celery; for beat; for each worker that was pinged."""

    name = models.CharField(max_length=255, primary_key=True)
    at = models.DateTimeField(help_text="When it last finished, by the database's clock.")
    running_since = models.DateTimeField(help_text="When it began to finish regularly, after the last gap.")

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"


class Fault(models.Model):
    """Something that failed when it was last tried. The row is deleted as soon as it works."""

    name = models.CharField(max_length=255, primary_key=True)
    since = models.DateTimeField()
    at = models.DateTimeField(help_text="When it was last seen to fail, by the database's clock.")
    reason = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.name} since {self.since}"
