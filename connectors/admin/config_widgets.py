"""The admin's looks for the fields of a connector's form."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

WIDGETS: dict[type[forms.Field], type[forms.Widget]] = {
    forms.BooleanField: UnfoldBooleanSwitchWidget,
    forms.ChoiceField: UnfoldAdminSelectWidget,
}


class WriteOnlyTextarea(UnfoldAdminTextareaWidget):  # type: ignore[misc] # unfold has no types
    def format_value(self, value: Any) -> str:
        return ""


def secret_widget(field: forms.Field) -> forms.Widget:
    attributes = {"autocomplete": "new-password", "spellcheck": "false"}
    multiline = isinstance(field.widget, forms.Textarea)
    chosen: forms.Widget = (
        WriteOnlyTextarea({**attributes, "rows": 4}) if multiline else UnfoldAdminPasswordWidget(attributes)
    )
    return chosen


def widget(field: forms.Field) -> forms.Widget:
    """For the first kind of field that fits; a text area stays one."""
    fitting = (widget for kind, widget in WIDGETS.items() if isinstance(field, kind))
    chosen: forms.Widget = (
        UnfoldAdminTextareaWidget(field.widget.attrs)
        if isinstance(field.widget, forms.Textarea)
        else next(fitting, UnfoldAdminTextInputWidget)()
    )
    return chosen
