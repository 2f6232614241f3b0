"""One sender at a time for an endpoint, and few senders at once: leases by conditional UPDATE, timed by the database's
clock, as those of the lanes."""

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from exports.lanes import slots
from exports.webhooks.client.client import TRY_S
from exports.webhooks.models import MessageStatus, WebhookEndpoint, WebhookMessage
from orderflow.db import locks
from orderflow.db.clock import from_now

# How long one endpoint's messages keep a worker while others wait.
SLICE_S = 10
# Each try renews it, so that no sender that lives loses it; whoever comes after a killed one waits that long.
LEASE_S = 3 * TRY_S


class LeaseLost(Exception):
    """Another sender has the endpoint by now, or somebody changed it: what this one heard counts no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    endpoint: WebhookEndpoint
    started: float = field(default_factory=time.monotonic)

    @property
    def is_over(self) -> bool:
        return time.monotonic() - self.started > SLICE_S


def due_messages() -> QuerySet[WebhookMessage]:
    now = Q(next_attempt_at=None) | Q(next_attempt_at__lte=Now())
    return WebhookMessage.objects.filter(now, status=MessageStatus.PENDING)


def due() -> QuerySet[WebhookEndpoint]:
    """Endpoints that have something to be told just now, and that nobody is at."""
    return _free().filter(Exists(due_messages().filter(endpoint=OuterRef("pk"))))


def askable() -> QuerySet[WebhookEndpoint]:
    """Endpoints that are in use, and not paused just now."""
    return WebhookEndpoint.objects.filter(_not_paused(), enabled=True)


@transaction.atomic
def take(endpoint_id: UUID) -> Lease | None:
    """None when somebody else is at it, when it may not be asked just now, or when as many are worked on as may be."""
    locks.one_at_a_time("webhooks")
    rows = _free().filter(pk=endpoint_id)
    endpoint = rows.first()
    if endpoint is None or not _has_place(endpoint):
        # It is called again when there is a place.
        WebhookEndpoint.objects.filter(pk=endpoint_id).update(awake_since=None)
        return None
    leased = {"leased_until": from_now(LEASE_S), "awake_since": None, "last_run_at": Now()}
    if not rows.update(token=F("token") + 1, **leased):
        return None
    return Lease(endpoint=WebhookEndpoint.objects.get(pk=endpoint_id))


def renew(lease: Lease, **fields: Any) -> None:
    """Set `fields` too. Raises `LeaseLost`."""
    if not _held(lease).update(leased_until=from_now(LEASE_S), **fields):
        raise LeaseLost(f"Webhook {lease.endpoint.name!r} was changed, or has another sender.")


def pause(lease: Lease, seconds: float) -> None:
    """Has no effect while it is paused: failures of messages already in flight do not extend the pause."""
    rows = _held(lease).filter(_not_paused())
    rows.update(pauses_in_a_row=F("pauses_in_a_row") + 1, paused_until=from_now(seconds))


def give_back(lease: Lease) -> None:
    _held(lease).update(leased_until=None)


def _not_paused() -> Q:
    return Q(paused_until=None) | Q(paused_until__lte=Now())


def _has_place(endpoint: WebhookEndpoint) -> bool:
    """Those whose receiver failed the last time, and may hang, leave a place to the others."""
    busy = WebhookEndpoint.objects.filter(leased_until__gte=Now())
    senders: int = settings.WEBHOOK_SENDERS
    failing = [failures > 0 for failures in busy.values_list("failures_in_a_row", flat=True)]
    if endpoint.failures_in_a_row and sum(failing) >= max(1, senders - 1):
        return False
    return len(failing) < senders


def _free() -> QuerySet[WebhookEndpoint]:
    return askable().filter(slots.free())


def _held(lease: Lease) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.filter(pk=lease.endpoint.pk, token=lease.endpoint.token)
