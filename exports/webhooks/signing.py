"""The secrets that sign: the current one and, during the overlap, those it replaced."""

import logging
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now

from connectors.exceptions import ConfigError
from exports.webhooks.models import WebhookEndpoint, WebhookOldSecret
from orderflow.db.clock import from_now

logger = logging.getLogger(__name__)

# Old secrets of one webhook: when a new secret is lost and replaced, the receiver still has an earlier one.
KEPT = 3


def secrets_of(endpoint: WebhookEndpoint) -> list[str]:
    """The current one first. Raises `ConfigError` when that cannot be decrypted."""
    return [endpoint.secret(), *filter(None, map(_readable, _signing(endpoint)))]


def old_sign_until(endpoint: WebhookEndpoint) -> datetime | None:
    """When the last of the old secrets stops signing; None when none signs."""
    newest = _signing(endpoint).first()
    return newest.signs_until if newest else None


def keep_old(endpoint: WebhookEndpoint) -> None:
    """Keep the stored secret, which is about to be replaced, for the overlap of the settings."""
    if settings.WEBHOOK_SECRET_OVERLAP_H <= 0:
        end_old(endpoint)
        return
    stored = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    try:
        secret = stored.secret()
    except ConfigError:
        return
    until = from_now(settings.WEBHOOK_SECRET_OVERLAP_H * 3600)
    old = WebhookOldSecret(organization_id=stored.organization_id, name=stored.name, endpoint=stored, signs_until=until)
    old.seal(secret.encode())
    old.save(force_insert=True)
    kept = list(_signing(stored).values_list("pk", flat=True)[:KEPT])
    stored.old_secrets.exclude(pk__in=kept).delete()


def end_old(endpoint: WebhookEndpoint) -> int:
    """Delete the old secrets; the number of those that still signed."""
    count = _signing(endpoint).count()
    endpoint.old_secrets.all().delete()
    return count


def forget_ended() -> None:
    WebhookOldSecret.objects.filter(signs_until__lte=Now()).delete()


def _signing(endpoint: WebhookEndpoint) -> QuerySet[WebhookOldSecret]:
    return WebhookOldSecret.objects.filter(endpoint=endpoint, signs_until__gt=Now())


def _readable(old: WebhookOldSecret) -> str:
    try:
        return old.secret()
    except ConfigError as error:
        logger.warning("Messages are signed without it: %s", error)
        return ""
