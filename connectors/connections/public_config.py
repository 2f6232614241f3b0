"""What people may see of a connection's config: everything but the values of its secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from connectors.registry import registry


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicConfig:
    """`secrets_set` names the secrets that are stored. `values` is None when nothing can be read; `error` says why."""

    values: Mapping[str, Any] | None
    secrets_set: tuple[str, ...] = ()
    error: str | None = None


def public_config(connection: ERPConnection) -> PublicConfig:
    try:
        # An unknown type does not say which of its fields are secret.
        secret = registry.connector_class(connection.connector_type).secret_fields
        stored = connection.stored_config()
    except ConfigError as error:
        return PublicConfig(values=None, error=str(error))
    return PublicConfig(
        values={name: value for name, value in stored.items() if name not in secret},
        secrets_set=tuple(sorted(name for name in secret if stored.get(name))),
    )
