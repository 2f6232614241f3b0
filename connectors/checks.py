"""What is wrong with this installation, by name, and how to mend it; `manage.py check` and every start run these."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import connections
from django.db.utils import DatabaseError

from connectors.encryption import EncryptionError, load_key
from connectors.registry import registry
from connectors.rotation import unreadable


@register()
def encryption_keys(**_kwargs: Any) -> list[CheckMessage]:
    hint = "Print a fresh one with `python -m orderflow.keys`. A key that was in use belongs into the previous ones."
    messages: list[CheckMessage] = []
    named = [("ENCRYPTION_MASTER_KEY", settings.ENCRYPTION_MASTER_KEY)]
    named += [("ENCRYPTION_PREVIOUS_KEYS", key) for key in settings.ENCRYPTION_PREVIOUS_KEYS]
    for name, text in named:
        try:
            load_key(text)
        except EncryptionError as error:
            messages.append(Error(f"{name}: {error}", hint=hint, id="connectors.E001"))
    return messages


@register()
def third_party_connectors(**_kwargs: Any) -> list[CheckMessage]:
    return [
        CheckWarning(
            f"Connector {name} cannot be loaded: {reason}",
            hint="Install a version that fits, or remove the package. Connections of that type cannot be used.",
            id="connectors.W001",
        )
        for name, reason in registry.broken.items()
    ]


@register(Tags.database)
def readable_configs(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    if "default" not in (databases or []):
        return []
    try:
        names = unreadable() if "connectors_erpconnection" in connections["default"].introspection.table_names() else []
    except DatabaseError:
        return []
    return [
        Error(
            f"The config of connection {name} is encrypted with a key that is not set.",
            hint="Add the key to ENCRYPTION_PREVIOUS_KEYS, then run `manage.py rotate_encryption_key`.",
            id="connectors.E002",
        )
        for name in names
    ]
