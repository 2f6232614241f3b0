"""What connectors share."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.core.files.storage import Storage

from connectors.config_form import ConfigForm
from connectors.exceptions import ConfigError
from connectors.ports import ERPConnectorPort


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

    def validate_config(self, config: Mapping[str, Any]) -> None:
        self.clean_config(config)

    def clean_config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The config with types and defaults filled in. Raises `ConfigError` for the first field that is wrong."""
        defaults = {name: field.initial for name, field in self.config_form.base_fields.items()}
        form = self.config_form(data={**defaults, **config})
        for name, errors in form.errors.items():
            raise ConfigError(f"The config field {name!r} is wrong: {errors[0]}", field=name)
        return form.cleaned_data
