"""Setting webhooks up, trying them and sending again; with a line in the audit for each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from connectors.exceptions import ConfigError
from exports.database_clock import from_now
from exports.webhooks import address, outcome, payload, wake_ups
from exports.webhooks.leases import LEASE_S, LeaseLost
from exports.webhooks.models import MessageStatus, Notice, WebhookEndpoint, WebhookMessage
from exports.webhooks.receiver import Answer, Receiver, fresh_secret
from orderflow.tenancy.models import Organization, record

# Of one organization.
LIMIT = 5


class NotFailed(Exception):
    """Only a message that failed can be sent again."""


def require_room(organization_id: UUID) -> None:
    """Raises `ConfigError`."""
    if WebhookEndpoint.objects.filter(organization=organization_id).count() >= LIMIT:
        raise ConfigError(f"An organization has at most {LIMIT} webhooks. Change one that is there.")


@transaction.atomic
def create(endpoint: WebhookEndpoint, *, actor: str) -> WebhookEndpoint:
    """With a fresh secret. Raises `ConfigError`, nothing is saved then."""
    address.checked(endpoint.url)
    # One after the other, so that two do not both take the last place.
    Organization.objects.select_for_update(no_key=True).get(pk=endpoint.organization_id)
    require_room(endpoint.organization_id)
    endpoint.seal(fresh_secret().encode())
    with _name_once(endpoint):
        endpoint.save(force_insert=True)
    record(endpoint.organization_id, actor, "create webhook", endpoint)
    return endpoint


@transaction.atomic
def edit(endpoint: WebhookEndpoint, changed: Sequence[str], *, actor: str) -> None:
    """Save the fields `changed`. Whoever sends just now stops, and what waits goes by the new settings at once. Raises
    `ConfigError`."""
    address.checked(endpoint.url)
    if endpoint.enabled:
        endpoint.disabled_reason = ""
    with _name_once(endpoint):
        endpoint.save(update_fields=[*changed, "disabled_reason"])
    _start_anew(endpoint)
    record(endpoint.organization_id, actor, "edit webhook", endpoint, fields=", ".join(changed))


@transaction.atomic
def renew_secret(endpoint: WebhookEndpoint, *, actor: str) -> str:
    """The new one; the old one is worth nothing from now on."""
    secret = fresh_secret()
    endpoint.seal(secret.encode())
    endpoint.save(update_fields=["secret_encrypted"])
    _start_anew(endpoint)
    record(endpoint.organization_id, actor, "new webhook secret", endpoint)
    return secret


def test(endpoint: WebhookEndpoint, *, actor: str) -> Answer:
    """Send a test message now, whatever state the webhook is in; a success ends a pause. Raises `ConfigError`."""
    secret = endpoint.secret()
    message = WebhookMessage.objects.create(
        organization_id=endpoint.organization_id,
        endpoint=endpoint,
        type=Notice.TEST,
        payload=payload.of_test(endpoint.name),
        # Nobody else sends it, unless this process dies.
        next_attempt_at=from_now(LEASE_S),
        created_at=timezone.now(),
    )
    with Receiver(url=endpoint.url, secret=secret) as receiver:
        answer = receiver.post(message.webhook_id, message.payload)
    with suppress(LeaseLost), transaction.atomic():
        outcome.settle(message, answer)
        if answer.delivered:
            _start_anew(endpoint)
        word = "ok" if answer.delivered else "failed"
        record(endpoint.organization_id, actor, "test webhook", endpoint, outcome=word)
    return answer


@transaction.atomic
def send_again(message: WebhookMessage, *, actor: str) -> None:
    """With the same id, and all its tries before it. Raises `NotFailed`."""
    rows = WebhookMessage.objects.filter(pk=message.pk)
    if not rows.move(MessageStatus.FAILED, MessageStatus.PENDING, tries=0, next_attempt_at=None, settled_at=None):
        raise NotFailed(f"Message {message} is {message.get_status_display()}; only a failed one is sent again.")
    record(message.organization_id, actor, "send webhook again", message)
    _wake(message.endpoint_id)


def _start_anew(endpoint: WebhookEndpoint) -> None:
    """Without the past, and without whoever works with the old settings."""
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    rows.update(token=F("token") + 1, leased_until=None, **outcome.AS_NEW)
    _wake(endpoint.pk)


def _wake(endpoint_id: UUID) -> None:
    transaction.on_commit(partial(wake_ups.wake, endpoint_id), robust=True)


@contextmanager
def _name_once(endpoint: WebhookEndpoint) -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise ConfigError(f"There is a webhook named {endpoint.name!r} already.", field="name") from error
