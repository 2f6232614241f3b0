"""How values of the product look in JSON."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class OptionalText(serializers.CharField):
    """Empty in the database, null in JSON; takes both, and none at all."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> str:
        return super().run_validation(data) or ""

    def to_representation(self, value: str) -> str | None:  # type: ignore[override]  # null is the point
        return super().to_representation(value) or None


@extend_schema_field({"type": "number"})
class ExactNumber(serializers.DecimalField):
    """A JSON number with the exact decimal value: up to 15 digits survive a double, in and out."""

    def to_representation(self, value: Decimal) -> int | float:  # type: ignore[override]
        return int(value) if value == value.to_integral_value() else float(value)
