import json
import math
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.timezone import localtime

from connectors.encrypted_model import Sealed, key_ring
from connectors.encryption import EncryptionError
from connectors.exceptions import ConfigError
from connectors.fencing import Fence
from connectors.known.server import KnownServer
from orderflow.db.append_only import AppendOnly
from orderflow.db.uuid7 import time_ordered_uuid
from orderflow.tenancy.models import Organization


class ERPConnection(KnownServer, Sealed):
    """One configured, named way into one ERP."""

    sealed_column = "config_encrypted"
    sealed_as = "config of connection"
    sealed_remedy = "Enter the config again."

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        DISABLED = "DISABLED", "Disabled"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="erp_connections")
    connector_type = models.CharField(max_length=60)
    config_encrypted = models.BinaryField(editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    is_default = models.BooleanField(
        "default", default=False, help_text="Orders pushed without naming a connection go over this one."
    )
    last_test_at = models.DateTimeField(null=True, editable=False)
    last_test_success = models.BooleanField(null=True, editable=False)
    last_test_message = models.CharField(max_length=500, blank=True, editable=False)
    last_test_latency_ms = models.PositiveIntegerField(null=True, editable=False)
    blocked_at = models.DateTimeField(null=True, editable=False)
    blocked_reason = models.CharField(max_length=500, blank=True, editable=False)
    # The key that a worker lacked to read the config: the block ends where that key is set.
    blocked_by_key = models.CharField(max_length=16, blank=True, db_default="", editable=False)
    paused_until = models.DateTimeField(null=True, editable=False)
    failures_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "ERP connection"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="connection_name_once"),
            models.UniqueConstraint(
                fields=["organization"], condition=models.Q(is_default=True), name="one_default_connection"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def set_config(self, config: Mapping[str, Any]) -> None:
        """Encrypt for this row; the caller saves."""
        self.seal(json.dumps(dict(config), ensure_ascii=False, sort_keys=True).encode())

    def stored_config(self) -> dict[str, Any]:
        """What the integrator entered, secrets included. Raises `ConfigError`."""
        config: dict[str, Any] = json.loads(self.unseal())
        return config

    def runtime_config(
        self, stored: Mapping[str, Any] | None = None, *, ends_at: float = math.inf, fence: Fence | None = None
    ) -> dict[str, Any]:
        """The config as the connector takes it: `root` keeps filesystem mode inside the organization's folder,
        `connection_id` and `revision` say whose sessions may be used again, and `ends_at`, on the monotonic clock,
        when the job that it is for has to be over whatever the server does. `fence` is the lease of that job. What is
        known of the server comes with it, but nothing of one that only `stored` names."""
        config = self.stored_config() if stored is None else stored
        root = str(settings.DROPZONE_ROOT / self.organization.slug)
        whose = {"connection_id": self.pk, "revision": self.revision}
        facts = self.facts() if stored is None else {}
        return {**config, "root": root, **whose, "ends_at": ends_at, "fence": fence, **facts}


class ConnectionEvent(AppendOnly):
    """A change of what may be done with a connection: one line each, however many orders wait for it."""

    class Kind(models.TextChoices):
        PAUSED = "PAUSED", "Paused"
        RESUMED = "RESUMED", "Resumed"
        BLOCKED = "BLOCKED", "Blocked"
        RELEASED = "RELEASED", "Released"
        POLL_FAILED = "POLL_FAILED", "Answers cannot be read"
        POLL_WORKS = "POLL_WORKS", "Answers can be read again"

    connection = models.ForeignKey(ERPConnection, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=11, choices=Kind)
    # Empty where nobody did it: the connection did.
    actor = models.CharField(max_length=150, blank=True)
    message = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {localtime(self.at):%Y-%m-%d %H:%M:%S}"


class ConnectionTest(models.Model):
    """A test that a worker runs while people watch. What it tries beyond the stored config, secrets included, stands
    here as long as it takes: too short a time for the key rotation to bother."""

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        RUNNING = "RUNNING", "Running"
        PASSED = "PASSED", "Passed"
        FAILED = "FAILED", "Failed"

    UNDER_WAY = (State.WAITING, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    connection = models.ForeignKey(ERPConnection, on_delete=models.CASCADE, related_name="tests")
    # The connection's, so that the database can count.
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    # Which of the few places for tests it runs in.
    place = models.PositiveSmallIntegerField(null=True)
    has_edits = models.BooleanField()
    edits_encrypted = models.BinaryField(default=b"")
    # Each as in `TestStep`.
    steps = models.JSONField(default=list)
    error_message = models.CharField(max_length=500, blank=True)
    latency_ms = models.PositiveIntegerField(null=True)
    # What the server showed, when that is not the pinned one, and the pinned one.
    host_key = models.TextField(blank=True)
    pinned_host_key = models.TextField(blank=True)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=models.Q(state__in=["WAITING", "RUNNING"]), name="one_test_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["organization"], condition=models.Q(state="RUNNING"), name="one_running_test_of_each"
            ),
            models.UniqueConstraint(fields=["place"], condition=models.Q(state="RUNNING"), name="one_test_in_a_place"),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()} {localtime(self.asked_at):%Y-%m-%d %H:%M:%S}"

    @property
    def _row(self) -> bytes:
        return f"{self._meta.db_table}|{self.organization_id}|{self.pk}".encode()

    def set_edits(self, edits: Mapping[str, Any]) -> None:
        """Encrypt for this row; the caller saves."""
        self.has_edits = bool(edits)
        plaintext = json.dumps(dict(edits), ensure_ascii=False).encode()
        self.edits_encrypted = key_ring().seal(plaintext, bound_to=self._row) if edits else b""

    def edits(self) -> dict[str, Any]:
        """As `ConnectionChanges.config`. Raises `ConfigError`."""
        if not self.has_edits:
            return {}
        try:
            plaintext = key_ring().open(bytes(self.edits_encrypted), bound_to=self._row)
        except EncryptionError as error:
            raise ConfigError(f"What was entered cannot be decrypted. {error} Test again.") from error
        edits: dict[str, Any] = json.loads(plaintext)
        return edits
