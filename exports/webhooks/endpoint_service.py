"""Setting webhooks up, trying them and sending again; with a line in the audit for each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from connectors.exceptions import ConfigError
from exports.webhooks import attempts, payload, signing
from exports.webhooks import dispatch as webhook_dispatch
from exports.webhooks.client import url_policy
from exports.webhooks.client.client import Answer, Receiver, fresh_secret
from exports.webhooks.leases import LEASE_S, LeaseLost
from exports.webhooks.models import MessageStatus, Notice, WebhookEndpoint, WebhookMessage
from orderflow.db.clock import from_now
from orderflow.tenancy.audit import record
from orderflow.tenancy.models import Organization

# Of one organization.
LIMIT = 5


class StillPending(Exception):
    """Only a message that was delivered or failed can be sent again."""


def require_room(organization_id: UUID) -> None:
    """Raises `ConfigError`."""
    if WebhookEndpoint.objects.filter(organization=organization_id).count() >= LIMIT:
        raise ConfigError(f"An organization has at most {LIMIT} webhooks. Change one that is there.")


@transaction.atomic
def create(endpoint: WebhookEndpoint, *, actor: str) -> WebhookEndpoint:
    """With a fresh secret. Raises `ConfigError`, nothing is saved then."""
    url_policy.checked(endpoint.url)
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
    url_policy.checked(endpoint.url)
    if endpoint.enabled:
        endpoint.disabled_reason, endpoint.disabled_at = "", None
    with _name_once(endpoint):
        endpoint.save(update_fields=[*changed, "disabled_reason", "disabled_at"])
    _start_anew(endpoint)
    record(endpoint.organization_id, actor, "edit webhook", endpoint, fields=", ".join(changed))


@transaction.atomic
def renew_secret(endpoint: WebhookEndpoint, *, actor: str) -> str:
    """Returns the new secret; the old one also signs for `WEBHOOK_SECRET_OVERLAP_H` hours."""
    secret = fresh_secret()
    signing.keep_old(endpoint)
    endpoint.seal(secret.encode())
    endpoint.save(update_fields=["secret_encrypted"])
    _start_anew(endpoint)
    record(endpoint.organization_id, actor, "new webhook secret", endpoint)
    return secret


@transaction.atomic
def end_old_secrets(endpoint: WebhookEndpoint, *, actor: str) -> int:
    """Let only the current secret sign; the number of old secrets that signed until now."""
    count = signing.end_old(endpoint)
    if count:
        _start_anew(endpoint)
        record(endpoint.organization_id, actor, "end old webhook secrets", endpoint)
    return count


def test(endpoint: WebhookEndpoint, *, actor: str) -> Answer:
    """Send a test message now, whatever state the webhook is in; a success ends a pause. Raises `ConfigError`."""
    secrets = signing.secrets_of(endpoint)
    message = WebhookMessage.objects.create(
        organization_id=endpoint.organization_id,
        endpoint=endpoint,
        type=Notice.TEST,
        payload=payload.of_test(endpoint.name),
        # Nobody else sends it, unless this process dies.
        next_attempt_at=from_now(LEASE_S),
        created_at=timezone.now(),
    )
    with Receiver(url=endpoint.url, secrets=secrets) as receiver:
        answer = receiver.post(message.webhook_id, message.payload)
    with suppress(LeaseLost), transaction.atomic():
        attempts.settle(message, answer)
        if answer.delivered:
            _start_anew(endpoint)
        word = "ok" if answer.delivered else "failed"
        record(endpoint.organization_id, actor, "test webhook", endpoint, outcome=word)
    return answer


@transaction.atomic
def send_again(message: WebhookMessage, *, actor: str) -> None:
    """With the same id, and all its tries before it. Raises `StillPending`."""
    rows = WebhookMessage.objects.filter(pk=message.pk)
    as_new = dict.fromkeys(("next_attempt_at", "failed_at", "postponed_since", "settled_at"), None)
    settled = (MessageStatus.FAILED, MessageStatus.DELIVERED)
    if not any(rows.move(was, MessageStatus.PENDING, tries=0, resent_at=timezone.now(), **as_new) for was in settled):
        raise StillPending(f"Message {message} is pending: it is sent anyway.")
    record(message.organization_id, actor, "send webhook again", message)
    _wake(message.endpoint_id)


def _start_anew(endpoint: WebhookEndpoint) -> None:
    """Reset the failures, and fence off a sender with the old settings. Failed messages are due at once; those that
    the receiver postponed keep their time."""
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    rows.update(token=F("token") + 1, leased_until=None, **attempts.AS_NEW)
    failed = endpoint.messages.filter(status=MessageStatus.PENDING, failed_at__isnull=False, postponed_since=None)
    failed.filter(next_attempt_at__gt=Now()).update(next_attempt_at=Now())
    _wake(endpoint.pk)


def _wake(endpoint_id: UUID) -> None:
    transaction.on_commit(partial(webhook_dispatch.wake, endpoint_id), robust=True)


@contextmanager
def _name_once(endpoint: WebhookEndpoint) -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise ConfigError(f"There is a webhook named {endpoint.name!r} already.", field="name") from error
