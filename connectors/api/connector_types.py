"""What a connector's form says, for programs that draw their own."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django import forms
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from connectors.base_connector import BaseConnector
from connectors.exceptions import ConnectorError
from connectors.registry import registry
from connectors.third_party.errors import guarded


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigField:
    """`choices` are the values that a field of type `choice` takes, each with its label."""

    name: str
    label: str
    type: str
    required: bool
    choices: tuple[dict[str, str], ...]
    default: Any
    help: str
    secret: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectorType:
    connector_type: str
    label: str
    config_fields: tuple[ConfigField, ...]


TYPES = {
    forms.BooleanField: "boolean",
    forms.ChoiceField: "choice",
    forms.FloatField: "number",
    forms.DecimalField: "number",
    # The last: to Django, the two above are integers too.
    forms.IntegerField: "integer",
}


def connector_types() -> Iterator[ConnectorType]:
    """Those whose form can be described; `manage.py check` names the others."""
    for name, connector in registry.types():
        with suppress(ConnectorError), guarded(name):
            fields = tuple(_config_fields(connector))
            yield ConnectorType(connector_type=name, label=connector.label, config_fields=fields)


def _config_fields(connector: type[BaseConnector]) -> Iterator[ConfigField]:
    for name, field in connector.config_form().fields.items():
        yield ConfigField(
            name=name,
            label=str(field.label or name.replace("_", " ").capitalize()),
            type=next((word for kind, word in TYPES.items() if isinstance(field, kind)), "text"),
            required=field.required and field.initial is None,
            choices=tuple({"value": str(value), "label": str(label)} for value, label in getattr(field, "choices", ())),
            default=field.initial,
            help=str(field.help_text),
            secret=name in connector.secret_fields,
        )


CONFIG_FIELD = inline_serializer(
    "ConfigField",
    {
        "name": serializers.CharField(),
        "label": serializers.CharField(),
        "type": serializers.ChoiceField(choices=["text", *dict.fromkeys(TYPES.values())]),
        "required": serializers.BooleanField(),
        "choices": serializers.ListField(child=serializers.DictField(child=serializers.CharField())),
        "default": serializers.JSONField(),
        "help": serializers.CharField(),
        "secret": serializers.BooleanField(),
    },
    many=True,
)
CONNECTOR_TYPE = inline_serializer(
    "ConnectorType",
    {"connector_type": serializers.CharField(), "label": serializers.CharField(), "config_fields": CONFIG_FIELD},
    many=True,
)
