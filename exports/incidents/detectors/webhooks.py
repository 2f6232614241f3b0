"""Webhooks that do not deliver although they are enabled: the receiver accepts nothing for long, the secret cannot be
decrypted, or messages have failed for good."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BooleanField, Exists, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from connectors.exceptions import ConfigError
from connectors.text.sanitize import tame
from exports.incidents.detectors.connections import Trouble
from exports.incidents.models import Incident
from exports.webhooks.client.client import Answer
from exports.webhooks.models import MessageStatus, Notice, WebhookEndpoint, WebhookMessage, WebhookTry

# A receiver that is restarted or updated accepts the messages of that time within it.
REFUSED_FOR = timedelta(minutes=30)
# Of the messages that wait.
LOOKED_AT = 20

Kind = Incident.Kind
# Spelled out: SQLite takes a partial index only for what is no parameter.
_NOT_DELIVERED = RawSQL("status IN ('PENDING', 'FAILED')", (), output_field=BooleanField())


def failing() -> Iterator[Trouble]:
    """Of enabled webhooks, those that have not delivered a message for `REFUSED_FOR` since its first attempt, and those
    whose secret cannot be decrypted. It goes on until the message is delivered, has failed for good, or the webhook is
    disabled. Just after a webhook was edited or enabled, what waited for that begins no incident. A webhook whose other
    messages are accepted has an incident of a kind of its own."""
    set_aside = WebhookMessage.objects.filter(
        endpoint=OuterRef("pk"), status=MessageStatus.PENDING, next_attempt_at__isnull=False
    )
    for row in WebhookEndpoint.objects.filter(Exists(set_aside), enabled=True):
        message = _refused(row)
        if message and message.first_at < timezone.now() - REFUSED_FOR:
            is_retried = bool(message.next_attempt_at and message.next_attempt_at > timezone.now())
            # A receiver that asks to wait rejects nothing, and fails at nothing either.
            is_down = bool(row.failing_since) or (is_retried and message.postponed_since is not None)
            yield _failing(row, message, Kind.HOOKDOWN, begins=is_down)
            yield _failing(row, message, Kind.HOOKPART, begins=is_retried and not is_down and not _is_reported(row))
        elif message and row.failing_since and not _is_readable(row):
            # That cannot end by itself.
            yield _failing(row, message, Kind.HOOKDOWN, begins=True)


def lost() -> Iterator[tuple[Trouble, datetime]]:
    """By webhook, with when its last message failed for good; without what a person resolved before."""
    rows = _since_resolved(_failed()).order_by().values_list("organization", "endpoint")
    found = list(rows.annotate(Min("failed_for_good_at"), Max("failed_for_good_at")))
    endpoints = WebhookEndpoint.objects.filter(pk__in=[row[1] for row in found])
    names = dict(endpoints.values_list("pk", "name")) if found else {}
    for organization_id, endpoint_id, since, last in found:
        trouble = Trouble(
            organization_id=organization_id,
            kind=Kind.HOOKLOST,
            since=since,
            subject=str(endpoint_id),
            label=names[endpoint_id],
            reason="OrderFlow does not send these messages again by itself.",
        )
        yield trouble, last


def _since_resolved(rows: QuerySet[Any]) -> QuerySet[Any]:
    closed = Incident.objects.filter(kind=Kind.HOOKLOST).exclude(resolved_by="").order_by()
    resolved = list(closed.values_list("subject").annotate(Max("closed_at")))
    late = ~Q(endpoint__in=[subject for subject, _ in resolved])
    for subject, at in resolved:
        # Without a column that is computed, an index can be used.
        after = Q(settled_at__gt=at) | Q(settled_at=None, created_at__gt=at)
        late |= after & Q(endpoint=subject)
    return rows.filter(late) if resolved else rows


def messages(incident: Incident) -> QuerySet[Any]:
    """What `lost` found for `incident`, without what a person resolved before."""
    # Not joined: an export has a status too.
    rows = _failed().filter(endpoint=incident.subject).prefetch_related("export")
    closed = Incident.objects.filter(organization=incident.organization_id, kind=Kind.HOOKLOST)
    resolved = closed.filter(subject=incident.subject).exclude(resolved_by="").order_by("-closed_at").first()
    if resolved and resolved.pk != incident.pk:
        rows = rows.filter(failed_for_good_at__gt=resolved.closed_at)
    return _with_tries(rows).order_by("-pk")


def line(message: Any) -> str:
    about = f" of {message.export}" if message.export else ""
    return tame(f"{message.get_type_display()}{about} ({message.webhook_id}): {_came_to(message)}")


def endpoint_page(incident: Incident) -> str:
    return reverse("admin:exports_webhookendpoint_change", args=[incident.subject])


def messages_page(incident: Incident) -> str:
    """The path of the list of messages that have failed for good."""
    listed = reverse("admin:exports_webhookmessage_changelist")
    return f"{listed}?endpoint__id__exact={incident.subject}&status__exact={MessageStatus.FAILED}"


def _failing(row: WebhookEndpoint, message: Any, kind: Kind, *, begins: bool) -> Trouble:
    came_to = tame(_came_to(message))
    accepts = "The receiver accepts other messages and rejects this one: " if kind == Kind.HOOKPART else ""
    return Trouble(
        organization_id=row.organization_id,
        kind=kind,
        since=message.first_at,
        subject=str(row.pk),
        label=row.name,
        reason=f"{accepts}{came_to}"[:500],
        begins=begins,
    )


def _is_reported(row: WebhookEndpoint) -> bool:
    """Whether it is that nothing is delivered: what was rejected then is part of it."""
    return Incident.objects.filter(
        organization=row.organization_id, kind=Kind.HOOKDOWN, subject=str(row.pk), closed_at=None
    ).exists()


def _refused(endpoint: WebhookEndpoint) -> Any:
    """Of its oldest messages that were attempted and are to be attempted again, the one that has waited for longest.
    When each was attempted is looked up for these alone: ten thousand may wait."""
    waiting = endpoint.messages.filter(status=MessageStatus.PENDING, next_attempt_at__isnull=False)
    oldest = list(waiting.order_by("id").values_list("pk", flat=True)[:LOOKED_AT])
    tried = _with_tries(WebhookMessage.objects.filter(pk__in=oldest)).filter(first_at__isnull=False)
    return tried.order_by("first_at").first()


def _failed() -> QuerySet[Any]:
    """Those that OrderFlow does not send again. The person who had a test message sent saw what became of it."""
    rows = WebhookMessage.objects.filter(_NOT_DELIVERED, status=MessageStatus.FAILED).exclude(type=Notice.TEST)
    return rows.annotate(failed_for_good_at=Coalesce("settled_at", "created_at"))


def _with_tries(rows: QuerySet[Any]) -> QuerySet[Any]:
    """With `first_at`, the first try since a person last had the message sent again, and what the last try met."""
    tries = WebhookTry.objects.filter(message=OuterRef("pk"))
    since = tries.filter(at__gte=Coalesce(OuterRef("resent_at"), OuterRef("created_at"))).order_by("id")
    last = {name: Subquery(tries.order_by("-id").values(name)[:1]) for name in ("http_status", "error", "answer")}
    annotated: QuerySet[Any] = rows.annotate(first_at=Subquery(since.values("at")[:1]), **last)
    return annotated


def _came_to(message: Any) -> str:
    return str(Answer(status=message.http_status, error=message.error or "", text=message.answer or ""))


def _is_readable(endpoint: WebhookEndpoint) -> bool:
    try:
        endpoint.secret()
    except ConfigError:
        return False
    return True
