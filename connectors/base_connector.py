"""What connectors share."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar

from django.core.files.storage import Storage

from connectors.exceptions import ConfigError, WrongFieldError
from connectors.ports import ERPConnectorPort
from connectors.types.config_form import ConfigForm


class BaseConnector(ERPConnectorPort):
    """A connector with a form: the one description of its config for admin, API and checks.

    `secret_fields` never leave the product again once entered, and belong to the server that `server_fields` name: they
    do not follow when one of these changes.
    """

    label: ClassVar[str]
    config_form: ClassVar[type[ConfigForm]]
    secret_fields: ClassVar[frozenset[str]] = frozenset()
    server_fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def validate_required_fields(self, config: Mapping[str, Any], fields: Iterable[str]) -> None:
        for name in fields:
            if config.get(name) in (None, ""):
                raise ConfigError(f"The config field {name!r} is missing. Set it on the connection.", field=name)

    def order_place(self, config: Mapping[str, Any]) -> str:
        """Where orders are put, in words; another text means another place."""
        return self._server(config)

    def ack_place(self, config: Mapping[str, Any]) -> str:
        """Where acknowledgements are read, in words; another text means another place. Empty where none are read."""
        return self._server(config)

    def _server(self, config: Mapping[str, Any]) -> str:
        return ", ".join(f"{name} {config[name]}" for name in self.server_fields if config.get(name) not in (None, ""))

    def validate_config(self, config: Mapping[str, Any]) -> None:
        self.clean_config(config)

    def clean_config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The config with types and defaults filled in. Raises `ConfigError` for all fields that are wrong."""
        defaults = {name: field.initial for name, field in self.config_form.base_fields.items()}
        form = self.config_form(data={**defaults, **config})
        if form.errors:
            raise self._in_order(WrongFieldError(str(errors[0]), field=name) for name, errors in form.errors.items())
        return form.cleaned_data

    def enter_config(self, config: Mapping[str, Any], entered: Collection[str]) -> dict[str, Any]:
        """`clean_config` for input: the values that `entered` names are checked more strictly and put into the form
        that is stored. Values that are stored already stay usable. Raises `ConfigError` for all fields that are wrong.
        """
        reading = self.config_form.read(config, entered)
        try:
            cleaned = self.clean_config(reading.values)
        except ConfigError as error:
            raise self._in_order([*reading.errors, *error.each]) from error
        if reading.errors:
            raise self._in_order(reading.errors)
        return cleaned

    def _in_order(self, errors: Iterable[ConfigError]) -> ConfigError:
        """One error for all, in the order of the form's fields."""
        fields = [*self.config_form.base_fields]
        place = {name: position for position, name in enumerate(fields)}
        return ConfigError.of_all(sorted(errors, key=lambda error: place.get(error.field, len(fields))))
