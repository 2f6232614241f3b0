"""Tokens that people hand out and take back."""

from contextlib import suppress
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from knox.settings import knox_settings

from orderflow.api.models import LONGEST_NAME, ApiToken
from orderflow.tenancy.audit import record
from orderflow.tenancy.scope import membership_of

MOST_DAYS = 730
# The name of a token that a login with a password made.
LOG_IN = "Log-in"
# How long before its end a token is marked, and the first e-mail about it is sent.
EXPIRES_SOON = timedelta(days=14)
# Until then people can see why a program is refused.
EXPIRED_SHOWN_FOR = timedelta(days=30)


class TokenRefused(Exception):
    """The token cannot be made or revoked."""


def make(user: User, name: str, *, actor: str, days: int | None = None) -> tuple[ApiToken, str]:
    """The row, and what opens the API: that is kept nowhere. Without `days` it lives as long as one from a log-in.

    Raises `TokenRefused`.
    """
    membership = membership_of(user)
    if membership is None:
        raise TokenRefused(f"{user} belongs to no organization. Make the user a member of one first.")
    if not user.is_active:
        raise TokenRefused(f"{user} is deactivated, so a token would open nothing. Activate the user first.")
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise TokenRefused(f"A token needs a name of 1 to {LONGEST_NAME} characters that says what it is for.")
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise TokenRefused(f"A token lives from 1 to {MOST_DAYS} days, not {days}.")
    lifetime = knox_settings.TOKEN_TTL if days is None else timedelta(days=days)
    with transaction.atomic():
        token, text = ApiToken.objects.create(user, expiry=lifetime, name=name.strip())
        record(membership.organization_id, actor, "add API token", token, name=token.name, user=user.get_username())
    return token, text


def revoke(token: ApiToken, *, actor: str, reason: str = "") -> None:
    """It opens nothing from now on. Raises `TokenRefused`."""
    membership = membership_of(token.user)
    with transaction.atomic():
        if not ApiToken.objects.filter(pk=token.pk).delete()[0]:
            raise TokenRefused(f"{token} is gone already.")
        if membership:
            who = token.user.get_username()
            record(membership.organization_id, actor, "revoke API token", token, name=token.name, user=who, why=reason)


def end_logins(user: User) -> None:
    """Revoke the tokens that logins with the user's former password made. Those that were made for programs stay."""
    for token in ApiToken.objects.filter(user=user, name=LOG_IN):
        with suppress(TokenRefused):
            revoke(token, actor=user.get_username(), reason="The password was changed.")


def forget_expired() -> None:
    ApiToken.objects.filter(expiry__lt=timezone.now() - EXPIRED_SHOWN_FOR).delete()
