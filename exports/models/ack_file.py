from django.db import models

from connectors.models import ERPConnection
from orderflow.tenancy.models import Organization


class Verdict(models.TextChoices):
    MATCHED = "MATCHED", "Matched"
    DUPLICATE = "DUPLICATE", "Duplicate"
    CONFLICT = "CONFLICT", "Conflict"
    LATE = "LATE", "Late"
    ORPHAN = "ORPHAN", "Orphan"
    MALFORMED = "MALFORMED", "Malformed"
    INCOMPLETE = "INCOMPLETE", "Incomplete"
    UNREAD = "UNREAD", "Not read"


# By value: each of these files is open until it is resolved.
NEEDS_A_PERSON = ("CONFLICT", "LATE", "MALFORMED", "ORPHAN", "UNREAD")


class AckFile(models.Model):
    """One file that the ERP answered with: the ledger. INCOMPLETE is a file that may still be growing, UNREAD one whose
    name contains that of `export` and that is not read, or that could not be read at a second look either."""

    # The index and the constraint below begin with these two. The organization is the connection's: that its row is
    # there need not be looked up for each of ten thousand answers.
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    connection = models.ForeignKey(ERPConnection, on_delete=models.PROTECT, related_name="ack_files", db_index=False)
    export = models.ForeignKey("exports.ERPExport", on_delete=models.PROTECT, null=True, related_name="ack_files")
    name = models.CharField(max_length=255)
    # Empty while the file has not been read: INCOMPLETE, ORPHAN and UNREAD.
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    size = models.PositiveBigIntegerField("bytes")
    modified_at = models.FloatField()
    raw = models.TextField(blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict)
    reason = models.CharField(max_length=500, blank=True)
    seen_at = models.DateTimeField()
    # A file is moved away once it is entered here; empty unless that failed.
    left_because = models.CharField(max_length=500, blank=True)
    # Of an UNREAD or INCOMPLETE one: when a poll found that it had been renamed, moved or removed.
    gone_at = models.DateTimeField(null=True)
    # Of a file whose verdict needs a person. `resolved_by` is empty where a later file or state resolved it.
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=150, blank=True, default="", db_default="")

    class Meta:
        verbose_name = "acknowledgement file"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "name", "sha256"], name="ack_file_once"),
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="ack_by_organization"),
            models.Index(
                fields=["verdict", "organization", "-id"],
                condition=models.Q(verdict__in=[verdict for verdict in Verdict if verdict != Verdict.MATCHED]),
                name="ack_not_matched",
            ),
            models.Index(fields=["seen_at"], name="ack_by_time"),
            models.Index(
                fields=["connection"],
                condition=models.Q(verdict__in=[Verdict.INCOMPLETE, Verdict.UNREAD], gone_at__isnull=True),
                name="ack_unread",
            ),
            models.Index(
                fields=["organization", "connection", "-id"],
                condition=models.Q(resolved_at=None, verdict__in=NEEDS_A_PERSON),
                name="ack_open",
            ),
        ]

    def __str__(self) -> str:
        return self.name
