"""A stored secret does not follow to another server: whoever may edit a connection would be sent it there."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from connectors.base_connector import BaseConnector
from connectors.exceptions import ConfigError


def require_secrets_for(
    connector: BaseConnector, config: Mapping[str, Any], stored: Mapping[str, Any], entered: Collection[str]
) -> None:
    """`config` is what `stored` becomes, `entered` names what came with the change, be it to remove it.

    Raises `ConfigError` for all secrets that would go along to another server.
    """
    fields = connector.config_form.base_fields
    before = {**{name: field.initial for name, field in fields.items()}, **stored}
    moved = [name for name in connector.server_fields if before[name] != config[name]]
    left = [name for name in fields if name in connector.secret_fields and config[name] and name not in entered]
    if moved and left:
        raise ConfigError.of_all(
            ConfigError(
                f"The {name.replace('_', ' ')} was entered for {_told(before, moved)}; "
                f"enter it again for {_told(config, moved)}, or clear it.",
                field=name,
            )
            for name in left
        )


def _told(config: Mapping[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {config[name] or 'none'}" for name in names)
