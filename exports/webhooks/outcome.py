"""What a try came to, written down: the log, the message and its endpoint in one transaction."""

from typing import Any

from django.db import transaction
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from exports.database_clock import from_now
from exports.webhooks import leases, schedule
from exports.webhooks.leases import Lease, LeaseLost
from exports.webhooks.models import MessageStatus, WebhookEndpoint, WebhookMessage, WebhookTry
from exports.webhooks.receiver import Answer
from orderflow.tenancy.models import record

# Who an endpoint was disabled by, in the audit.
ACTOR = "OrderFlow"

AS_NEW: dict[str, Any] = {"failures_in_a_row": 0, "failing_since": None, "paused_until": None}

P, D, F = MessageStatus.PENDING, MessageStatus.DELIVERED, MessageStatus.FAILED


@transaction.atomic
def enter(lease: Lease, message: WebhookMessage, answer: Answer) -> bool:
    """Whether the receiver may be told more at once. Raises `LeaseLost`; nothing is written then, and the message goes
    again."""
    if answer.delivered:
        leases.renew(lease, **AS_NEW)
        # The next failure of this turn is the first in a row.
        lease.endpoint.failures_in_a_row = 0
        settle(message, answer)
        return True
    failures = lease.endpoint.failures_in_a_row + 1
    pause = from_now(schedule.wait_s(failures, answer.retry_after_s))
    leases.renew(lease, failures_in_a_row=failures, failing_since=Coalesce("failing_since", Now()), paused_until=pause)
    if schedule.is_used_up(message.tries + 1):
        settle(message, answer)
    else:
        _plan(message, answer)
    _disable_if_hopeless(lease.endpoint, answer)
    return False


def settle(message: WebhookMessage, answer: Answer) -> None:
    """In the caller's transaction. Raises `LeaseLost`."""
    _log(message, answer)
    target = D if answer.delivered else F
    rows = WebhookMessage.objects.filter(pk=message.pk)
    _require(rows.move(P, target, tries=message.tries + 1, next_attempt_at=None, settled_at=Now()))


def _plan(message: WebhookMessage, answer: Answer) -> None:
    _log(message, answer)
    tries = message.tries + 1
    # While it has precedence, it goes as soon as its endpoint may be asked again.
    again = from_now(schedule.wait_s(tries, answer.retry_after_s)) if schedule.is_stubborn(tries) else None
    rows = WebhookMessage.objects.filter(pk=message.pk, status=P)
    _require(rows.update(tries=tries, next_attempt_at=again))


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


def _disable_if_hopeless(endpoint: WebhookEndpoint, answer: Answer) -> None:
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, enabled=True)
    reason = "The receiver answered 410 Gone: it wants to hear nothing more."
    if not answer.gone:
        rows = rows.filter(failing_since__lt=from_now(-schedule.GIVEN_UP_AFTER.total_seconds()))
        reason = f"No message was accepted for {schedule.GIVEN_UP_AFTER.days} days. The last try: {answer}"
    if rows.update(enabled=False, disabled_reason=reason[:500]):
        record(endpoint.organization_id, ACTOR, "disable webhook", endpoint, reason=reason[:500])
