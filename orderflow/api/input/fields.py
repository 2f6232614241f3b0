"""How values of the product look in JSON."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from orderflow.api.input.datetimes import EXAMPLE, zoned_time
from orderflow.fields.identifiers import NotAnIdentifier, identifier, normalised
from orderflow.fields.number_parsing import NotANumber, TooManyDecimals, fitted, read_strict


class OptionalText(serializers.CharField):
    """Empty in the database, null in JSON; takes both, and none at all."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> str:
        return super().run_validation(data) or ""

    def to_representation(self, value: str) -> str | None:  # type: ignore[override]  # null is the point
        return super().to_representation(value) or None


class Identifier(serializers.CharField):
    """A text that identifies something, as `orderflow.fields.identifiers` has it."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(normalised(data) if isinstance(data, str) else data)

    def to_internal_value(self, data: Any) -> str:
        try:
            return identifier(super().to_internal_value(data))
        except NotAnIdentifier as error:
            raise serializers.ValidationError(str(error)) from error


class OptionalIdentifier(OptionalText, Identifier):
    """An `Identifier` that is empty in the database and null in JSON where there is none."""


@extend_schema_field({"type": "number"})
class ExactNumber(serializers.DecimalField):
    """A JSON number with the exact decimal value: up to 15 digits survive a double, in and out. A string holds the
    same notation, without an exponent: a comma would mean thousands to some and decimals to others."""

    def to_internal_value(self, data: Any) -> Decimal:
        try:
            return super().to_internal_value(read_strict(data) if isinstance(data, str) else data)
        except TooManyDecimals as error:
            raise serializers.ValidationError(str(error) if isinstance(data, str) else self._noise(data)) from error
        except NotANumber as error:
            raise serializers.ValidationError(str(error)) from error

    def validate_precision(self, value: Decimal) -> Decimal:
        """Zeros beyond the last decimal are no decimals. Raises `NotANumber`."""
        return fitted(value, places=self.decimal_places or 0, digits=self.max_digits or 0)

    def _noise(self, number: Any) -> str:
        """Sums of binary fractions print as 0.30000000000000004."""
        places = self.decimal_places
        return f"{number!s:.40} has too many digits. Round it to {places} decimals, or send it as a string."

    def to_representation(self, value: Decimal) -> int | float:  # type: ignore[override]
        return int(value) if value == value.to_integral_value() else float(value)


class WholeNumber(serializers.IntegerField):
    """Takes a string of ASCII digits too; Python would take others as well."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and not re.fullmatch("-?[0-9]+", data):
            self.fail("invalid")
        return super().to_internal_value(data)


class Id(serializers.UUIDField):
    """A text: the framework would take the number 1 for an id too."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class ZonedTime(serializers.DateTimeField):
    """Takes ISO 8601 with a zone only: without one, nobody knows which moment is meant."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return zoned_time(value)
        except (TypeError, ValueError) as error:
            raise serializers.ValidationError(EXAMPLE) from error
