"""The fields of a form as a browser sends them. A value is a list of texts."""

from collections.abc import Iterator, Mapping

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField
from django.forms.widgets import ChoiceWidget

Values = Mapping[str, list[str]]


def rendered_values(form: forms.BaseForm) -> dict[str, list[str]]:
    """What a browser sends for each field of `form`, which is not bound, if nobody touches it."""
    hidden = (bound for bound in form.hidden_fields() if bound.field.disabled)
    return {bound.html_name: rendered(bound) for bound in (*sent_fields(form), *hidden)}


def rendered(bound: BoundField) -> list[str]:
    widget, value = bound.field.widget, bound.initial
    if isinstance(widget, forms.CheckboxInput):
        return ["on"] if widget.check_test(value) else []
    if not is_echoed(bound):
        return [""]
    sent = widget.format_value(bound.field.prepare_value(value))
    return [line_ends(str(text)) for text in (sent if isinstance(sent, list | tuple) else [sent or ""])]


def sent_fields(form: forms.BaseForm) -> Iterator[BoundField]:
    for bound in form:
        if not bound.field.disabled and not isinstance(bound.field.widget, forms.MultiWidget):
            yield bound


def is_echoed(bound: BoundField) -> bool:
    """Whether the page shows again what was entered: a secret's does not."""
    widget = bound.field.widget
    if isinstance(widget, forms.PasswordInput):
        return widget.render_value
    return isinstance(widget, forms.CheckboxInput | ChoiceWidget) or bool(widget.format_value("x"))


def may_be_missing(bound: BoundField) -> bool:
    """Whether sending nothing is a choice."""
    widget = bound.field.widget
    return isinstance(widget, forms.CheckboxInput) or getattr(widget, "allow_multiple_selected", False)


def same(bound: BoundField, one: list[str], other: list[str]) -> bool:
    if isinstance(bound.field.widget, forms.CheckboxInput):
        return bool(one) == bool(other)
    return [line_ends(text) for text in one or [""]] == [line_ends(text) for text in other or [""]]


def value_text(bound: BoundField, value: list[str]) -> str:
    """The submitted `value` of the field as the page shows it to a person, such as a chosen row by its name."""
    found, text = bound.field, ", ".join(value)
    if isinstance(bound.field.widget, forms.CheckboxInput):
        return "Yes" if value else "No"
    if isinstance(found, forms.ModelChoiceField):
        try:
            return str(found.to_python(text) or "Empty")
        except ValidationError:
            return text
    if isinstance(found, forms.ChoiceField):
        return str(dict(found.choices).get(text, text)) or "Empty"  # type: ignore[arg-type] # no groups here
    return text or "Empty"


def line_ends(text: str) -> str:
    return text.replace("\r\n", "\n")
