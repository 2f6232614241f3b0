from django.db import models

from exports.event_kind import EventKind
from orderflow.tenancy.models import AppendOnly


class ExportEvent(AppendOnly):
    """One step of one export. `detail` holds what is known of it: try, path, bytes, sha256, error, next_attempt_at."""

    export = models.ForeignKey("exports.ERPExport", on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=10, choices=EventKind)
    actor = models.CharField(max_length=150, blank=True)
    message = models.CharField(max_length=500, blank=True)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d %H:%M:%S}"
