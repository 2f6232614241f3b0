"""What a try came to, written down: the log, the message and its endpoint in one transaction."""

from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from exports.webhooks import leases
from exports.webhooks import retry_policy as webhook_retry_policy
from exports.webhooks.client.client import Answer
from exports.webhooks.leases import Lease, LeaseLost
from exports.webhooks.models import MessageStatus, WebhookEndpoint, WebhookMessage, WebhookMessageQuerySet, WebhookTry
from orderflow.db.clock import from_now
from orderflow.tenancy.audit import record

# Who an endpoint was disabled by, in the audit.
ACTOR = "OrderFlow"

AS_NEW: dict[str, Any] = {"failures_in_a_row": 0, "pauses_in_a_row": 0, "failing_since": None, "paused_until": None}


@transaction.atomic
def enter(lease: Lease, message: WebhookMessage, answer: Answer) -> bool:
    """Whether the receiver may be sent more at once. Raises `LeaseLost`; nothing is written then, and the message goes
    again."""
    if answer.delivered:
        leases.renew(lease, **AS_NEW)
        settle(message, answer)
        return True
    if answer.limited:
        leases.renew(lease)
        _postpone(message, answer)
        return True
    failures = F("failures_in_a_row") + (1 if _is_first_in_a_row(message) else 0)
    leases.renew(lease, failures_in_a_row=failures, failing_since=Coalesce("failing_since", Now()))
    lease.endpoint.refresh_from_db(fields=["failures_in_a_row", "pauses_in_a_row"])
    if webhook_retry_policy.is_used_up(message.tries + 1):
        settle(message, answer)
    else:
        _set_aside(message, answer)
    return not (_paused(lease, answer) | _disabled(lease.endpoint, answer))


def settle(message: WebhookMessage, answer: Answer) -> None:
    """In the caller's transaction. Raises `LeaseLost`."""
    _log(message, answer)
    target = MessageStatus.DELIVERED if answer.delivered else MessageStatus.FAILED
    settled = {"tries": message.tries + 1, "next_attempt_at": None, "postponed_since": None, "settled_at": Now()}
    _require(_unchanged(message).move(MessageStatus.PENDING, target, **settled))


def rest(lease: Lease, answer: Answer) -> None:
    """Pause the endpoint after 429 to several messages in a row. Raises `LeaseLost`."""
    leases.renew(lease, paused_until=from_now(webhook_retry_policy.rest_s(answer.retry_after_s)))


def _set_aside(message: WebhookMessage, answer: Answer) -> None:
    _log(message, answer)
    tries = message.tries + 1
    again = from_now(webhook_retry_policy.wait_s(tries, answer.retry_after_s))
    rows = _unchanged(message).filter(status=MessageStatus.PENDING)
    _require(rows.update(tries=tries, next_attempt_at=again, failed_at=Now(), postponed_since=None))


def _postpone(message: WebhookMessage, answer: Answer) -> None:
    """Not a failure, but a message that is postponed for days ends as FAILED, where people see it."""
    rows = _unchanged(message).filter(status=MessageStatus.PENDING)
    if rows.filter(postponed_since__lt=from_now(-webhook_retry_policy.GIVEN_UP_AFTER.total_seconds())).exists():
        settle(message, answer)
        return
    _log(message, answer)
    again = from_now(webhook_retry_policy.postponed_s(answer.retry_after_s))
    _require(rows.update(next_attempt_at=again, postponed_since=Coalesce("postponed_since", Now())))


def _unchanged(message: WebhookMessage) -> WebhookMessageQuerySet:
    """The row, unless the message was resent after it was read."""
    return WebhookMessage.objects.filter(pk=message.pk, resent_at=message.resent_at)


def _require(moved: int) -> None:
    if not moved:
        raise LeaseLost("Somebody else settled the message meanwhile.")


def _log(message: WebhookMessage, answer: Answer) -> None:
    WebhookTry.objects.create(
        message=message,
        at=timezone.now(),
        duration_ms=answer.duration_ms,
        http_status=answer.status,
        error=answer.error[:500],
        answer=answer.text,
    )


def _is_first_in_a_row(message: WebhookMessage) -> bool:
    """Whether the message has not failed since the endpoint's last success."""
    before = Q(failed_at=None) | Q(endpoint__failing_since=None) | Q(failed_at__lt=F("endpoint__failing_since"))
    return WebhookMessage.objects.filter(before, pk=message.pk).exists()


def _paused(lease: Lease, answer: Answer) -> bool:
    if lease.endpoint.failures_in_a_row < webhook_retry_policy.SEVERAL:
        return False
    seconds = webhook_retry_policy.pause_s(lease.endpoint.pauses_in_a_row + 1, answer.retry_after_s)
    leases.pause(lease, seconds)
    return True


def _disabled(endpoint: WebhookEndpoint, answer: Answer) -> bool:
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, enabled=True)
    reason = "The receiver answered 410 Gone: it wants to hear nothing more."
    if not answer.gone:
        since = from_now(-webhook_retry_policy.GIVEN_UP_AFTER.total_seconds())
        rows = rows.filter(failing_since__lt=since, failures_in_a_row__gte=webhook_retry_policy.SEVERAL)
        reason = f"No message was accepted for {webhook_retry_policy.GIVEN_UP_AFTER.days} days. The last try: {answer}"
    if not rows.update(enabled=False, disabled_at=Now(), disabled_reason=reason[:500]):
        return False
    endpoint.enabled = False
    record(endpoint.organization_id, ACTOR, "disable webhook", endpoint, reason=reason[:500])
    return True
