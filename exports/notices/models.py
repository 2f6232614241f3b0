from django.db import models

from connectors.models import ERPConnection
from orderflow.tenancy.models import Organization


class Incident(models.Model):
    """Something is wrong with a connection, from when it was seen until it was over: one e-mail each."""

    class Kind(models.TextChoices):
        BLOCKED = "BLOCKED", "Connection blocked"
        PAUSED = "PAUSED", "Connection paused"
        FAILING = "FAILING", "Exports fail"
        OVERDUE = "OVERDUE", "Answers overdue"
        HELD = "HELD", "Deliveries held"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    connection = models.ForeignKey(ERPConnection, on_delete=models.PROTECT, related_name="incidents")
    kind = models.CharField(max_length=8, choices=Kind)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    # Since when nobody has to be told any more: of its beginning, of its end.
    notified_at = models.DateTimeField(null=True)
    closing_notified_at = models.DateTimeField(null=True)
    # When somebody last set about sending the mail that is due; empty once it is sent.
    tried_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "kind"], condition=models.Q(closed_at=None), name="one_open_incident"
            ),
        ]
        indexes = [
            models.Index(
                fields=["opened_at"],
                condition=models.Q(notified_at=None) | models.Q(closing_notified_at=None),
                name="incident_untold",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.connection}"


class Recipient(models.Model):
    """Who of an organization is told by e-mail, and of what."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="notice_recipients")
    email = models.EmailField("e-mail address")
    connections = models.BooleanField("connections blocked or paused", default=True)
    failures = models.BooleanField("exports that fail", default=True)
    answers = models.BooleanField("answers overdue", default=True)

    class Meta:
        verbose_name = "recipient of notices"
        verbose_name_plural = "recipients of notices"
        ordering = ["email"]
        constraints = [models.UniqueConstraint(fields=["organization", "email"], name="recipient_once")]

    def __str__(self) -> str:
        return self.email
