from django.db import models


class Heartbeat(models.Model):
    """One row for each periodic task, by its name in Celery; for beat; for each worker that was pinged."""

    name = models.CharField(max_length=255, primary_key=True)
    at = models.DateTimeField(help_text="When it last finished, by the database's clock.")
    running_since = models.DateTimeField(help_text="When it began to finish regularly, after the last gap.")

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"
