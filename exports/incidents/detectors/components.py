"""What is wrong beside the orders: documents that are not archived, webhooks, API tokens, processes."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Max, Min, Q
from django.utils import timezone

from exports.documents import archive
from exports.incidents.detectors import certificates, journal_places, webhooks
from exports.incidents.detectors.connections import Trouble, organizations
from exports.incidents.models import Incident
from exports.webhooks.models import WebhookEndpoint
from orderflow.api.models import ApiToken
from orderflow.api.tokens.service import EXPIRES_SOON, LOG_IN
from orderflow.db.clock import from_now
from orderflow.heartbeats import standstill
from orderflow.heartbeats.models import Heartbeat
from orderflow.heartbeats.standstill import Standstill

# How long a document may lack its copy in the archive.
ARCHIVE_LATE = timedelta(minutes=15)
# How many days before its end a token is reported, each time with an e-mail.
STAGES = (EXPIRES_SOON.days, 7, 1)
# An expired token counts as in use if a call came with it in its last days.
IN_USE = timedelta(days=7)

# The task that compares.
WATCH = "exports.notices.tasks.watch"

Kind = Incident.Kind
# A person may end these incidents: nothing else might ever do.
RESOLVABLE = (Kind.ARCHIVE, Kind.WEBHOOK, Kind.TOKEN, Kind.HOOKLOST, Kind.CERT)


def _unresolved(kind: Kind, found: Iterable[tuple[Trouble, datetime]]) -> Iterator[Trouble]:
    """Those that something was added to after a person last closed their incident."""
    listed = list(found)
    resolved = resolutions(kind) if listed else {}
    for trouble, changed_at in listed:
        at = resolved.get(trouble.key)
        if at is None or at < changed_at:
            yield trouble


def resolutions(kind: Kind) -> dict[tuple[UUID, str, str], datetime]:
    """When a person last closed an incident, by its key."""
    closed = Incident.objects.filter(kind=kind).exclude(resolved_by="").order_by()
    rows = closed.values_list("organization", "kind", "subject").annotate(Max("closed_at"))
    return {(organization_id, kind, subject): at for organization_id, kind, subject, at in rows}


def _archive() -> Iterator[Trouble]:
    """By organization. What was late when a person closed the incident counts no more."""
    late = archive.missing(ARCHIVE_LATE).order_by()
    found = list(late.values_list("organization").annotate(Min("sent_at"), Max("sent_at")))
    resolved = resolutions(Kind.ARCHIVE) if found else {}
    for organization_id, since, last in found:
        trouble = Trouble(organization_id=organization_id, kind=Kind.ARCHIVE, since=since)
        at = resolved.get(trouble.key)
        if at is None or last + ARCHIVE_LATE > at:
            yield trouble


def _webhooks() -> Iterator[tuple[Trouble, datetime]]:
    """Those that OrderFlow disabled, with when it did."""
    rows = WebhookEndpoint.objects.filter(enabled=False).exclude(disabled_reason="").defer("secret_encrypted")
    for row in rows:
        # Of those that an earlier version disabled, only the last run is known.
        disabled_at = row.disabled_at or row.last_run_at or row.created_at
        trouble = Trouble(
            organization_id=row.organization_id,
            kind=Kind.WEBHOOK,
            since=disabled_at,
            subject=str(row.pk),
            label=row.name,
            reason=row.disabled_reason,
        )
        yield trouble, disabled_at


def _tokens() -> Iterator[tuple[Trouble, datetime]]:
    """Those that expire soon, and those in use that have expired; with when the last stage was reached."""
    now = timezone.now()
    rows = ApiToken.objects.filter(expiry__lt=now + timedelta(days=max(STAGES)), user__is_active=True)
    # A program that logs in each time leaves many behind that nobody uses.
    rows = rows.exclude(Q(name=LOG_IN) & (Q(last_used_at=None) | Q(last_used_at__lt=now - IN_USE)))
    for token in rows.annotate(organization_id=F("user__membership__organization")):
        stages = stages_reached(token, now)
        for organization_id in _concerned(token) if stages else ():
            since, last = (token.expiry - timedelta(days=days) for days in (stages[0], stages[-1]))
            yield replace(_token(token, since), organization_id=organization_id), last


def _concerned(token: Any) -> Collection[UUID]:
    """The organizations that a token's end is reported to: of a superuser who belongs to none, every one that is in
    use. Without one, other users can call nothing."""
    if token.organization_id:
        return [token.organization_id]
    return organizations() if token.user.is_superuser else ()


def _token(token: Any, since: datetime) -> Trouble:
    end = f"{timezone.localtime(token.expiry):%Y-%m-%d %H:%M %Z}"
    # Of an organization's recipients, none has to know the superusers by name.
    owner = f"user {token.user}" if token.organization_id else "a superuser"
    return Trouble(
        organization_id=token.organization_id,
        kind=Kind.TOKEN,
        since=since,
        subject=str(token.pk),
        label=str(token)[:200] if token.organization_id else "API token of a superuser",
        details="" if token.organization_id else f"API token {token} of superuser {token.user}."[:500],
        reason=f"The token of {owner} is valid until {end}. After that, calls with it get 401.",
    )


def stages_reached(token: ApiToken, now: datetime) -> list[int]:
    """Which of `STAGES` the token has passed, and 0 once it has expired while it was in use. None if it has expired
    unused. A stage as long as the token's life says nothing."""
    left, life = token.expiry - now, token.expiry - token.created
    stages = [days for days in STAGES if left <= timedelta(days=days) < life]
    if left > timedelta():
        return stages
    return [*stages, 0] if token.last_used_at and token.last_used_at >= token.expiry - IN_USE else []


def stopped(found: Iterable[Standstill]) -> Iterator[Trouble]:
    """One for each organization and component. What has never run begins no incident."""
    silent = list(found)
    for organization_id in organizations() if silent else ():
        for each in silent:
            yield Trouble(
                organization_id=organization_id,
                kind=Kind.STOPPED,
                since=each.since or timezone.now(),
                subject=each.component,
                label=each.component,
                reason=str(each)[:500],
                begins=each.since is not None,
            )


def watched_for_long() -> bool:
    """Whether this comparison has run regularly for some minutes. False just after a start of everything, when what
    waited for it is still under way."""
    limit = standstill.limit_s(WATCH)
    steady = Heartbeat.objects.filter(name=WATCH, running_since__lt=from_now(-limit), at__gt=from_now(-limit))
    return steady.exists()


def _stopped_beside_us() -> Iterator[Trouble]:
    """As a worker sees it. Just after a start of everything, what has yet to run is no incident."""
    is_steady = watched_for_long()
    for trouble in stopped(standstill.found()):
        yield replace(trouble, begins=trouble.begins and is_steady)


# By name, as `sources` asks them.
SOURCES: tuple[tuple[str, tuple[Kind, ...], Callable[[], Iterable[Trouble]]], ...] = (
    ("documents", (Kind.ARCHIVE,), _archive),
    ("webhooks", (Kind.WEBHOOK,), lambda: _unresolved(Kind.WEBHOOK, _webhooks())),
    ("API tokens", (Kind.TOKEN,), lambda: _unresolved(Kind.TOKEN, _tokens())),
    ("messages of webhooks", (Kind.HOOKLOST,), lambda: _unresolved(Kind.HOOKLOST, webhooks.lost())),
    ("certificates", (Kind.CERT,), lambda: _unresolved(Kind.CERT, certificates.troubles())),
    ("receivers of webhooks", (Kind.HOOKDOWN, Kind.HOOKPART), webhooks.failing),
    ("the journal outside the database", (Kind.JOURNAL,), journal_places.troubles),
    ("components", (Kind.STOPPED,), _stopped_beside_us),
)
