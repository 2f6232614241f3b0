from django.db import models

from connectors.models import ERPConnection
from orderflow.tenancy.models import Organization


class Incident(models.Model):
    """A problem of an organization, from when it was detected until nothing of it is left."""

    class Kind(models.TextChoices):
        BLOCKED = "BLOCKED", "Connection blocked"
        PAUSED = "PAUSED", "Connection paused"
        POLLING = "POLLING", "Acknowledgements cannot be read"
        FAILING = "FAILING", "Failed exports"
        IN_DOUBT = "IN_DOUBT", "Exports in doubt"
        OVERDUE = "OVERDUE", "Overdue acknowledgements"
        ACKS = "ACKS", "Acknowledgements to check"
        HELD = "HELD", "Deliveries held"
        ARCHIVE = "ARCHIVE", "Documents not archived"
        WEBHOOK = "WEBHOOK", "Webhook disabled"
        TOKEN = "TOKEN", "API token expires"
        STOPPED = "STOPPED", "Component stopped"
        DISABLED = "DISABLED", "Orders wait for a disabled connection"
        WAITING = "WAITING", "Orders not delivered for long"
        RETRYING = "RETRYING", "Attempts of orders fail"
        HOOKDOWN = "HOOKDOWN", "Webhook does not deliver"
        HOOKPART = "HOOKPART", "Webhook rejects messages"
        HOOKLOST = "HOOKLOST", "Webhook messages failed"
        JOURNAL = "JOURNAL", "Restored backups not noticed"
        CERT = "CERT", "Certificate expires"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    # Empty where no single connection is concerned.
    connection = models.ForeignKey(ERPConnection, on_delete=models.PROTECT, null=True, related_name="incidents")
    kind = models.CharField(max_length=8, choices=Kind)
    # What it is about: the id of the connection, webhook or token, or the name of the component.
    subject = models.CharField(max_length=100, blank=True, default="", db_default="")
    # The subject's name for people, where it is no connection.
    label = models.CharField(max_length=200, blank=True, default="", db_default="")
    reason = models.CharField(max_length=500, blank=True, default="", db_default="")
    # What only the server's administrator may know, such as paths and host names: for superusers.
    details = models.CharField(max_length=500, blank=True, default="", db_default="")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    # Of one that a person closed.
    resolved_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    # When the opening and the closing e-mail were sent, or were found to have no recipient.
    notified_at = models.DateTimeField(null=True)
    closing_notified_at = models.DateTimeField(null=True)
    # When the last e-mail that lists orders or files was sent.
    digest_at = models.DateTimeField(null=True)
    # When a worker last began to send the e-mail that is due; empty once it is sent.
    tried_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "subject"],
                condition=models.Q(closed_at=None),
                name="one_open_incident_of_subject",
            ),
        ]
        indexes = [
            models.Index(
                fields=["opened_at"],
                condition=models.Q(notified_at=None) | models.Q(closing_notified_at=None),
                name="incident_untold",
            ),
            models.Index(fields=["organization", "-id"], name="incident_by_organization"),
            models.Index(fields=["organization", "kind", "subject", "notified_at"], name="incident_of_subject"),
            models.Index(
                fields=["kind", "organization", "subject"],
                condition=~models.Q(resolved_by=""),
                name="incident_resolved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.about}" if self.about else self.get_kind_display()

    @property
    def about(self) -> str:
        return self.connection.name if self.connection else self.label


class IncidentItem(models.Model):
    """An order or file that an e-mail about an open incident has listed or counted."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="items", db_index=False)
    # The row's id without hyphens; of a file, with its verdict.
    key = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "key"], name="incident_item_once")]

    def __str__(self) -> str:
        return self.key


class MailFailure(models.Model):
    """The last e-mail to a recipient of an organization, if the mail server did not accept it. The row is deleted when
    it accepts one for that address."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="mail_failures")
    email = models.EmailField()
    failed_at = models.DateTimeField()
    reason = models.CharField(max_length=500)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "email"], name="mail_failure_once")]

    def __str__(self) -> str:
        return self.reason


class SeenCertificate(models.Model):
    """A certificate in a file that a setting names, as a machine last read it."""

    machine = models.CharField(max_length=255)
    path = models.CharField(max_length=500)
    name = models.CharField(max_length=120)
    setting = models.CharField(max_length=100)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    # When the machine last looked, also if it could not read the file then.
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["machine", "path", "name"], name="seen_certificate_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} in {self.path} on {self.machine}"


class Recipient(models.Model):
    """An address that gets e-mails about incidents of an organization, by category."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="notice_recipients")
    email = models.EmailField("e-mail address")
    connections = models.BooleanField("connections blocked, paused or not readable, orders that wait", default=True)
    failures = models.BooleanField("exports that failed, are retried or in doubt", default=True)
    answers = models.BooleanField("acknowledgements overdue, unreadable or contradictory", default=True)
    parts = models.BooleanField("documents, webhooks, API tokens, certificates, workers", default=True, db_default=True)

    class Meta:
        verbose_name = "recipient of notices"
        verbose_name_plural = "recipients of notices"
        ordering = ["email"]
        constraints = [models.UniqueConstraint(fields=["organization", "email"], name="recipient_once")]

    def __str__(self) -> str:
        return self.email
