"""What a new password ends: sessions, which Django sees to, and the tokens that the old one opened."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models.signals import post_save

from orderflow.api.tokens import service as token_service


def connect() -> None:
    post_save.connect(_end_logins, sender=User, dispatch_uid="end logins of the former password")


def _end_logins(*, instance: User, created: bool, **_: Any) -> None:
    # The raw password is there only while a new one is saved, not when a login refreshes the old one's hash.
    if not created and (instance._password is not None or not instance.has_usable_password()):  # type: ignore[attr-defined] # noqa: SLF001
        token_service.end_logins(instance)
