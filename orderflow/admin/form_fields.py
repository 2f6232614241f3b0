"""Which form fields the admin uses for the numbers and dates of models."""

from typing import Any

from django.db import models
from unfold.widgets import UnfoldAdminTextInputWidget

from orderflow.fields.number_fields import DecimalNumberField, WholeNumberField

_WHOLE = {"form_class": WholeNumberField, "widget": UnfoldAdminTextInputWidget}

ADMIN_FIELDS: dict[Any, dict[str, Any]] = {
    models.DecimalField: {"form_class": DecimalNumberField, "widget": UnfoldAdminTextInputWidget},
    models.IntegerField: _WHOLE,
    models.BigIntegerField: _WHOLE,
    models.DateField: {"error_messages": {"invalid": "Write the date as 2026-11-30 or 30.11.2026."}},
}
