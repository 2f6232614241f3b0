"""The admin's form for a connection: its own fields, and those that its connector's form declares."""

import json
from copy import copy
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms.utils import pretty_name
from unfold.widgets import UnfoldBooleanWidget

from connectors.admin.config_widgets import secret_widget, widget
from connectors.admin.leaving_acks import LeavingAcks
from connectors.base_connector import BaseConnector
from connectors.connections import service as connection_service
from connectors.connections.config_merge import merged_config
from connectors.connections.public_config import PublicConfig, public_config
from connectors.connections.service import ConnectionChanges
from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from connectors.registry import registry
from connectors.third_party.errors import configuring
from connectors.types.config_form import ConfigForm

CONFIG = "config_"
CLEAR = "clear_"
FIRST_IS_DEFAULT = " The first connection of an organization becomes its default."


class ConnectionForm(LeavingAcks):
    """Without a connector's fields, for a connector that is not installed any more."""

    connector_type: ClassVar[str] = ""
    config_form: ClassVar[type[ConfigForm]] = ConfigForm
    secrets: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        model = ERPConnection
        fields = ("organization", "name", "status", "is_default")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.connector_type:
            self.instance.connector_type = self.connector_type
        if self.instance._state.adding and "is_default" in self.fields:
            self.fields["is_default"].help_text += FIRST_IS_DEFAULT
        # What is new, or what nobody can read any more, is entered whole; else the edits are laid over the stored.
        self.whole = not _known_config(self.instance).values

    def _clean_fields(self) -> None:
        # Their star is shown; whether the mode needs them, and whether another field fills them, the config tells.
        names = [CONFIG + name for name in self.config_form.required_when_needed]
        starred = [field for name, field in self.fields.items() if name in names and field.required]
        for field in starred:
            field.required = False
        try:
            with configuring(self.connector_type):
                super()._clean_fields()  # type: ignore[misc] # the stubs lack it
        except ConfigError as error:
            self.add_error(None, str(error))
        for field in starred:
            field.required = True

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self._forget_needless(cleaned)
        if self.connector_type and NON_FIELD_ERRORS not in self.errors:
            self._check_secrets(cleaned)
            self._check_config()
        return cleaned

    def _forget_needless(self, cleaned: dict[str, Any]) -> None:
        """What the chosen mode has no use for is hidden: a mistake there could neither be seen nor fixed."""
        chosen = {name.removeprefix(CONFIG): value for name, value in cleaned.items() if name.startswith(CONFIG)}
        for name in self.config_form.needless(chosen):
            for field in (CONFIG + name, CLEAR + name):
                self.errors.pop(field, None)
                cleaned.pop(field, None)

    def _check_secrets(self, cleaned: dict[str, Any]) -> None:
        for name in self.secrets:
            if cleaned.get(CONFIG + name) and cleaned.get(CLEAR + name):
                self.add_error(CONFIG + name, "Enter a new one or tick the box that removes it, not both.")

    def _check_config(self) -> None:
        """Fields that have an error of their own already keep that one."""
        connection = copy(self.instance)
        if self.whole:
            connection.config_encrypted = b""
        try:
            self.check_acks(merged_config(connection, self.config_changes()))
        except ConfigError as error:
            for one in error.each:
                name = CONFIG + one.field
                if name not in self.fields:
                    self.add_error(None, str(one))
                elif name not in self.errors:
                    self.add_error(name, one.at_field)

    def save_as(self, actor: str) -> ERPConnection:
        """Raises `ConfigError`."""
        if self.whole and self.connector_type:
            self.instance.config_encrypted = b""
        return connection_service.save(self.instance, self._changes(), actor=actor)

    def _changes(self) -> ConnectionChanges:
        """What the person changed; for a new connection, everything."""
        new = self.instance._state.adding
        own = {name: self.cleaned_data[name] for name in ("name", "status", "is_default")}
        if new:
            # A box that is not ticked leaves it open, so that the first connection becomes the default.
            own["is_default"] = own["is_default"] or None
        return ConnectionChanges(
            config=self.config_changes() or None,
            # The form has checked it.
            leave_acks=True,
            **{name: value for name, value in own.items() if new or name in self.changed_data},
        )

    def config_changes(self) -> dict[str, Any]:
        """As `ConnectionChanges` takes them."""
        changes = {
            name.removeprefix(CONFIG): value
            for name, value in self.cleaned_data.items()
            if name.startswith(CONFIG) and (self.whole or name in self.changed_data)
        }
        return changes | {name: None for name in self.secrets if self.cleaned_data.get(CLEAR + name)}

    def _get_validation_exclusions(self) -> set[str]:
        # The new default takes the place of the old one, so two of them at this point are no error.
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc] # the stubs lack it


def connection_form(connection: ERPConnection) -> type[ConnectionForm]:
    """A form for this very connection. Raises `ConfigError` for a connector that cannot be used."""
    with configuring(connection.connector_type):
        return _connection_form(connection)


def _connection_form(connection: ERPConnection) -> type[ConnectionForm]:
    connector = registry.connector_class(connection.connector_type)
    attributes = {
        "connector_type": connection.connector_type,
        "config_form": connector.config_form,
        "secrets": connector.secret_fields,
    }
    fields = _config_fields(connector, _known_config(connection))
    return type("ConnectorConfigForm", (ConnectionForm,), {**attributes, **fields})


def shown_when(form: type[ConnectionForm]) -> dict[str, str]:
    """For each field that not every mode needs, when it is shown: as unfold's `conditional_fields` take it."""
    return {
        kind + name: f"{CONFIG}{decisive} == {json.dumps(value)}"
        for name, (decisive, value) in form.config_form.needed_when.items()
        for kind in (CONFIG, CLEAR)
    }


def _known_config(connection: ERPConnection) -> PublicConfig:
    return public_config(connection) if connection.config_encrypted else PublicConfig(values={})


def _config_fields(connector: type[BaseConnector], known: PublicConfig) -> dict[str, forms.Field]:
    fields: dict[str, forms.Field] = {}
    for name, field in connector.config_form().fields.items():
        secret = name in connector.secret_fields
        fields[CONFIG + name] = field
        field.label = field.label or pretty_name(name)
        field.required = field.required or name in connector.config_form.required_when_needed
        _dress(field, secret_widget(field) if secret else widget(field))
        if not secret:
            field.initial = (known.values or {}).get(name, field.initial)
        elif name in known.secrets_set:
            _mark_stored(field)
            fields[CLEAR + name] = _clear_box(name)
    return fields


def _mark_stored(field: forms.Field) -> None:
    field.required = False
    field.help_text = "One is stored. Leave this blank to keep it."


def _clear_box(name: str) -> forms.BooleanField:
    return forms.BooleanField(
        required=False, label=f"Remove the stored {name.replace('_', ' ')}", widget=UnfoldBooleanWidget
    )


def _dress(field: forms.Field, looks: forms.Widget) -> None:
    """Give a plain form's field the admin's looks."""
    looks.is_required = field.required
    looks.attrs.update(field.widget_attrs(looks))
    field.widget = looks
    if isinstance(field, forms.ChoiceField):
        field.choices = field.choices
