from typing import ClassVar

from django.db import models
from django.utils.timezone import localtime

from connectors.encrypted_model import Sealed
from orderflow.db.append_only import AppendOnly
from orderflow.db.state_machine import StateQuerySet
from orderflow.db.uuid7 import time_ordered_uuid
from orderflow.tenancy.models import Organization


class Notice(models.TextChoices):
    """What a message tells; its `type` in the payload."""

    SENT = "export.sent", "Sent"
    ACKED = "export.acked", "Acknowledged"
    FAILED = "export.failed", "Failed"
    TEST = "webhook.test", "Test"


class WebhookEndpoint(Sealed):
    """Where an organization wants to hear what becomes of its exports."""

    sealed_column = "secret_encrypted"
    sealed_as = "secret of webhook"
    sealed_remedy = "Make a new secret."

    # It answers for as long as its address is right; the secret says who asks.
    url = models.CharField("URL", max_length=500, help_text="https://…, without a user name or password in it.")
    secret_encrypted = models.BinaryField(editable=False)
    enabled = models.BooleanField(default=True)
    wants_sent = models.BooleanField("sent", default=True, help_text="The file lies where the ERP takes it from.")
    wants_acked = models.BooleanField("acknowledged", default=True, help_text="The ERP took the order in.")
    wants_failed = models.BooleanField("failed", default=True, help_text="The order did not arrive, or was refused.")
    # When and why OrderFlow disabled it; empty where a person did.
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=500, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    # Different messages that failed since the last success; each counts once.
    failures_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    # Pauses since the last success: each is at least as long as the one before.
    pauses_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    paused_until = models.DateTimeField(null=True, editable=False)
    # The fencing token: a sender whose token is no longer here has lost the endpoint, or works with an old address.
    token = models.PositiveBigIntegerField(default=0, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    # Since when a wake-up is on its way that no sender has seen yet.
    awake_since = models.DateTimeField(null=True, editable=False)
    last_run_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        app_label = "exports"
        verbose_name = "webhook"
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="webhook_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def wanted(self) -> set[Notice]:
        wishes = {Notice.SENT: self.wants_sent, Notice.ACKED: self.wants_acked, Notice.FAILED: self.wants_failed}
        return {notice for notice, wanted in wishes.items() if wanted}

    def secret(self) -> str:
        """`whsec_…`, as the receiver has it. Raises `ConfigError`."""
        return self.unseal().decode()


class WebhookOldSecret(Sealed):
    """A replaced secret, which also signs until `signs_until`, so that the receiver can be updated."""

    sealed_column = "secret_encrypted"
    sealed_as = "old secret of webhook"
    sealed_remedy = "End the old secrets of the webhook."

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="old_secrets")
    secret_encrypted = models.BinaryField(editable=False)
    signs_until = models.DateTimeField()

    class Meta:
        app_label = "exports"
        ordering = ["-signs_until"]

    def __str__(self) -> str:
        return f"old secret of {self.name}"

    def secret(self) -> str:
        """`whsec_…`. Raises `ConfigError`."""
        return self.unseal().decode()


class MessageStatus(models.TextChoices):
    PENDING = "PENDING", "Pending"
    DELIVERED = "DELIVERED", "Delivered"
    FAILED = "FAILED", "Failed"


class WebhookMessageQuerySet(StateQuerySet["WebhookMessage"]):
    transitions: ClassVar = {
        MessageStatus.PENDING: frozenset({MessageStatus.DELIVERED, MessageStatus.FAILED}),
        # A person may have either sent again.
        MessageStatus.DELIVERED: frozenset({MessageStatus.PENDING}),
        MessageStatus.FAILED: frozenset({MessageStatus.PENDING}),
    }


class WebhookMessage(models.Model):
    """One notice for one endpoint: the same id and the same text at every try."""

    # The indexes below begin with these two; a batch's rows need not be looked up for each of ten thousand messages.
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, related_name="messages", db_index=False, verbose_name="webhook"
    )
    export = models.ForeignKey(
        "exports.ERPExport", on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    uuid = models.UUIDField(unique=True, default=time_ordered_uuid, editable=False)
    type = models.CharField(max_length=20, choices=Notice)
    payload = models.TextField()
    status = models.CharField(max_length=9, choices=MessageStatus, default=MessageStatus.PENDING)
    # Without those that ended with 429.
    tries = models.PositiveIntegerField(default=0)
    # Null until it is set aside for the first time.
    next_attempt_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    # The first of the 429 responses that it has had in a row.
    postponed_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    # When a person last had it sent again.
    resent_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    objects = WebhookMessageQuerySet.as_manager()

    class Meta:
        app_label = "exports"
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["endpoint", "id"],
                condition=models.Q(status=MessageStatus.PENDING),
                name="webhook_message_pending",
            ),
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                condition=models.Q(status=MessageStatus.PENDING, next_attempt_at__isnull=False),
                name="webhook_message_set_aside",
            ),
            models.Index(fields=["organization", "-id"], name="webhook_by_organization"),
            # Most are DELIVERED in the end.
            models.Index(
                fields=["status", "organization", "-id"],
                condition=models.Q(status__in=[MessageStatus.PENDING, MessageStatus.FAILED]),
                name="webhook_not_delivered",
            ),
            models.Index(fields=["endpoint", "-id"], name="webhook_by_endpoint"),
            models.Index(fields=["export"], name="webhook_by_export"),
            models.Index(fields=["created_at"], name="webhook_by_time"),
        ]

    def __str__(self) -> str:
        return self.webhook_id

    @property
    def webhook_id(self) -> str:
        return f"msg_{self.uuid.hex}"


class WebhookTry(AppendOnly):
    """What one try to deliver a message came to: the receiver's HTTP status, or the error that kept it from one."""

    message = models.ForeignKey(WebhookMessage, on_delete=models.PROTECT, related_name="log")
    at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    http_status = models.PositiveIntegerField("HTTP status", null=True)
    error = models.CharField(max_length=500, blank=True)
    # The beginning of an answer that was no consent.
    answer = models.CharField(max_length=500, blank=True)

    class Meta:
        app_label = "exports"
        verbose_name_plural = "webhook tries"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.http_status or self.error} {localtime(self.at):%Y-%m-%d %H:%M:%S}"
