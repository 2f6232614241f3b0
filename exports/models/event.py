"""The history of an export: one row for each step."""

from django.db import models
from django.utils.timezone import localtime

from exports.models.export import ERPExport
from orderflow.db.append_only import AppendOnly


class EventKind(models.TextChoices):
    REQUESTED = "REQUESTED", "Push requested"
    STAGED = "STAGED", "Staged"
    SENT = "SENT", "Sent"
    RETRY = "RETRY", "Try failed, another is planned"
    BLOCKED = "BLOCKED", "Connection blocked"
    RELEASED = "RELEASED", "Connection free again, goes now"
    UNDECIDED = "UNDECIDED", "In doubt, a person has to decide"
    DECIDED = "DECIDED", "Decided by a person"
    FAILED = "FAILED", "Failed"
    ACKED = "ACKED", "Acknowledged"
    CONFLICT = "CONFLICT", "Contradicting answer"
    LATE = "LATE", "Late answer"
    GIVEN_UP = "GIVEN_UP", "Given up"
    WITHDRAWN = "WITHDRAWN", "Withdrawn"
    ACKS_LEFT = "ACKS_LEFT", "Acknowledgements read elsewhere"
    RECOVERED = "RECOVERED", "Recovered after the database went back in time"


class ExportEvent(AppendOnly):
    """One step of one export. `detail` holds what is known of it: try, path, bytes, sha256, error, next_attempt_at."""

    export = models.ForeignKey(ERPExport, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=10, choices=EventKind)
    actor = models.CharField(max_length=150, blank=True)
    message = models.CharField(max_length=500, blank=True)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {localtime(self.at):%Y-%m-%d %H:%M:%S}"
