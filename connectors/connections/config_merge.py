"""The config of a connection with changes laid over it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from django import forms

from connectors.base_connector import BaseConnector
from connectors.exceptions import ConfigError, WrongFieldError
from connectors.models import ERPConnection
from connectors.registry import registry
from connectors.third_party.errors import configuring
from connectors.third_party.value_check import require_storable


def merged_config(connection: ERPConnection, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The stored config with `changes` laid over it, checked. Raises `ConfigError` for all fields that are wrong, also
    where a stored secret would follow to another server."""
    with configuring(connection.connector_type):
        connector = registry.create(connection.connector_type)
        wrong = [*_unknown(connector, changes), *_of_wrong_type(connector, changes)]
        refused = {error.field for error in wrong}
        stored = _readable_config(connection, entering=bool(changes))
        entered = {
            name: value
            for name, value in changes.items()
            if name not in refused and (name not in connector.secret_fields or value != "")
        }
        try:
            config = _entered_over(connector, stored, entered)
        except ConfigError as error:
            raise ConfigError.of_all([*wrong, *error.each]) from error
        if wrong:
            raise ConfigError.of_all(wrong)
        return config


def _entered_over(connector: BaseConnector, stored: Mapping[str, Any], entered: Mapping[str, Any]) -> dict[str, Any]:
    merged = {name: value for name, value in {**stored, **entered}.items() if value is not None}
    new = {name for name, value in entered.items() if value is not None and stored.get(name) != value}
    config = connector.enter_config(merged, new)
    require_storable(config)
    _require_secrets_for(connector, config, stored, entered)
    return config


def _readable_config(connection: ERPConnection, *, entering: bool) -> dict[str, Any]:
    """A config that cannot be decrypted may be entered anew: then there is nothing to lay the changes over."""
    if not connection.config_encrypted:
        return {}
    try:
        return connection.stored_config()
    except ConfigError:
        if entering:
            return {}
        raise


def _unknown(connector: BaseConnector, changes: Mapping[str, Any]) -> Iterator[ConfigError]:
    known = connector.config_form.base_fields
    for name in sorted(changes.keys() - known.keys()):
        text = f"There is no config field {name!r}. {connector.label} has {', '.join(known)}."
        yield ConfigError(text, field=name)


def _of_wrong_type(connector: BaseConnector, changes: Mapping[str, Any]) -> Iterator[ConfigError]:
    """A form reads any value as a text, and any text but a few as true, so other types are rejected first."""
    for name, value in changes.items():
        field = connector.config_form.base_fields.get(name)
        if field is None or value is None or isinstance(field, forms.MultipleChoiceField):
            continue
        if isinstance(field, forms.BooleanField) and not isinstance(value, bool):
            yield WrongFieldError("It is true or false.", field=name)
        if not isinstance(field, forms.BooleanField) and isinstance(value, bool | dict | list):
            yield WrongFieldError("It is a text or a number.", field=name)


# A stored secret does not follow to another server: it would be sent to whatever server an editor enters.
def _require_secrets_for(
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
                f"The {name.replace('_', ' ')} was entered for {_listed(before, moved)}; "
                f"enter it again for {_listed(config, moved)}, or clear it.",
                field=name,
            )
            for name in left
        )


def _listed(config: Mapping[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {config[name] or 'none'}" for name in names)
