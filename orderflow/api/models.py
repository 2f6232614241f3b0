"""What the API keeps: the tokens that open it, and the answers that a repeated call gets again."""

import uuid
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from knox.models import AbstractAuthToken, AuthTokenManager
from knox.settings import CONSTANTS

from orderflow.tenancy.models import Organization

LONGEST_NAME = 100
# More often, and every call would write.
LAST_USE_EVERY = timedelta(minutes=5)


class ApiTokenManager(AuthTokenManager):  # type: ignore[misc]  # knox has no types
    def get_queryset(self) -> Any:
        """With the user and the role, which every call asks for."""
        return super().get_queryset().select_related("user__membership")


class ApiToken(AbstractAuthToken):  # type: ignore[misc]  # knox has no types
    """Knox's token, of which only the hash and the first characters are kept; with what it is for."""

    # The hash is too long for the audit, and has no business in an address.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    digest = models.CharField(max_length=CONSTANTS.DIGEST_LENGTH, unique=True, editable=False)
    name = models.CharField(max_length=LONGEST_NAME, help_text="What it is for, such as the system that calls with it.")
    expiry = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects = ApiTokenManager()

    class Meta:
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} ({self.token_key}…)"

    @property
    def has_expired(self) -> bool:
        return bool(self.expiry < timezone.now())

    def note_use(self) -> None:
        now = timezone.now()
        due = now - LAST_USE_EVERY
        if self.last_used_at is None or self.last_used_at < due:
            unnoted = Q(last_used_at=None) | Q(last_used_at__lt=due)
            ApiToken.objects.filter(unnoted, pk=self.pk).update(last_used_at=now)


class KeptAnswer(models.Model):
    """What a call with an Idempotency-Key answered. It is written with the call's effect, or not at all."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    call = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    # As text: PostgreSQL would sort the names of a JSON object.
    body = models.TextField()
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "call", "key"], name="one_answer_per_key")]

    def __str__(self) -> str:
        return f"{self.call} {self.key}"
