"""What is wrong with this installation, by name, and how to mend it; `manage.py check` and every start run these."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import connections
from django.db.utils import DatabaseError

from connectors.connections.key_rotation import Unreadable, unreadable
from connectors.encrypted_model import sealed_models
from connectors.encryption import EncryptionError, load_key
from connectors.failpoints import VARIABLE, armed, pauses
from connectors.registry import registry

# Of ten thousand connections without their key, a person reads the first few.
NAMED = 20


@register()
def encryption_keys(**_kwargs: Any) -> list[CheckMessage]:
    hint = "`python -m orderflow.keys --print` prints fresh ones. A key that was in use belongs into the previous ones."
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
    messages: list[CheckMessage] = [
        CheckWarning(
            f"Connector {name} cannot be loaded: {reason}",
            hint="Install a version that fits, or remove the package. Connections of that type cannot be used.",
            id="connectors.W001",
        )
        for name, reason in registry.broken.items()
    ]
    messages += [
        CheckWarning(
            reason,
            hint="docs/how-to/add-a-connector.md shows a complete one. Connections of that type cannot be used.",
            id="connectors.W003",
        )
        for _, reason in registry.problems()
    ]
    return messages


@register(Tags.security, deploy=True)
def failpoints(**_kwargs: Any) -> list[CheckMessage]:
    point = armed()
    if point is None:
        return []
    hint = f"Take {VARIABLE} out of the environment. It is for tests of what a crash leaves."
    does = "stops" if pauses() else "kills"
    return [Error(f"{VARIABLE} is set: a worker {does} itself at {point}.", hint=hint, id="connectors.E003")]


@register(Tags.database)
def readable_secrets(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    if "default" not in (databases or []) or encryption_keys():
        return []
    try:
        tables = connections["default"].introspection.table_names()
        known = [model for model in sealed_models() if model._meta.db_table in tables]
        found = [row for model in known for row in unreadable(model)]
    except DatabaseError:
        return []
    keyless = [row for row in found if row.missing_key]
    damaged = [row for row in found if not row.missing_key]
    return [*_keyless(keyless), *_damaged(damaged)]


def _keyless(found: Sequence[Unreadable]) -> Iterator[CheckMessage]:
    hint = "Add the key to ENCRYPTION_PREVIOUS_KEYS, then run `manage.py rotate_encryption_key`."
    for row in found[:NAMED]:
        text = f"The {row.name} is encrypted with key {row.missing_key}, which is not set."
        yield Error(text, hint=hint, id="connectors.E002")
    if len(found) > NAMED:
        text = f"{len(found) - NAMED} more connections and webhooks have a secret whose key is not set."
        yield Error(text, hint=hint, id="connectors.E002")


def _damaged(found: Sequence[Unreadable]) -> Iterator[CheckMessage]:
    """No reason to keep the others from starting: such a connection is blocked once it is used."""
    hint = "Enter the connection's config again, make the webhook a new secret, or restore the row."
    for row in found[:NAMED]:
        yield CheckWarning(f"{row.name}: {row.reason}", hint=hint, id="connectors.W002")
    if len(found) > NAMED:
        text = f"{len(found) - NAMED} more connections and webhooks have a secret that cannot be decrypted."
        yield CheckWarning(text, hint=hint, id="connectors.W002")
