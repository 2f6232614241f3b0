from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    """Takes input; a name that it does not know is an error, so that no typing slip is lost."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        unknown = [name for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {name: f"There is no field {name!r} to set here, only {known}." for name in unknown}
            )
        values: dict[str, Any] = super().to_internal_value(data)
        return values
