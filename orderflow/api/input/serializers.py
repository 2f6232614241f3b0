from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.settings import api_settings

KINDS = {bool: "true or false", str: "a text", list: "a list", dict: "an object", type(None): "null"}


class StrictSerializer(serializers.Serializer[Any]):
    """Takes input; a name that it does not know is an error, so that no typing slip is lost."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            text = f"An object {{ … }} is expected here, not {kind_of(data)}."
            raise serializers.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [text]}, code="invalid")
        unknown = [name for name in data if name not in self.fields]
        if unknown:
            raise serializers.ValidationError({name: self._unknown(name) for name in unknown})
        values: dict[str, Any] = super().to_internal_value(data)
        return values

    def _unknown(self, name: Any) -> str:
        known = f"only {', '.join(self.fields)}" if self.fields else "nor any other"
        return f"There is no field {name!r} to set here, {known}."


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    return KINDS.get(type(value), "a number")
