"""Number fields of forms as text inputs: a browser's own number input drops a comma without a word."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EMPTY_VALUES

from orderflow.fields.number_parsing import NotANumber, as_written, read_decimal, read_whole


class DecimalNumberField(forms.DecimalField):
    """Shows a stored value so that it reads as the same value, and an entry as it was typed."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> Any:
        if value in EMPTY_VALUES:
            return None
        if isinstance(value, Decimal):
            return value
        try:
            return read_decimal(str(value), places=self.decimal_places or 0, digits=self.max_digits or 15)
        except NotANumber as error:
            raise ValidationError(str(error), code="invalid") from error

    def prepare_value(self, value: Any) -> Any:
        return as_written(value) if isinstance(value, Decimal) else value

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "inputmode": "decimal", "autocomplete": "off"}


class WholeNumberField(forms.IntegerField):
    widget = forms.TextInput

    def to_python(self, value: Any) -> int | None:
        if value in EMPTY_VALUES:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        try:
            return read_whole(str(value))
        except NotANumber as error:
            raise ValidationError(str(error), code="invalid") from error

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "inputmode": "numeric", "autocomplete": "off"}
