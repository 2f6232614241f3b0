"""Identifiers as columns of models and as fields of forms."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from orderflow.fields.identifiers import NotAnIdentifier, identifier, normalised

if TYPE_CHECKING:
    TextColumn = models.CharField[str, str]
else:
    # Django's class is not generic when run.
    TextColumn = models.CharField


def require_visible(text: str) -> None:
    """Raises `ValidationError`."""
    try:
        identifier(text)
    except NotAnIdentifier as error:
        raise ValidationError(str(error), code="invisible") from error


class IdentifierFormField(forms.CharField):
    default_validators = [require_visible]

    def to_python(self, value: Any) -> Any:
        return _normalised(super().to_python(value))


class IdentifierField(TextColumn):
    """A `CharField` that stores and looks up identifiers only, whichever way they come to the database.

    A lookup of what cannot be an identifier finds nothing; storing it raises `NotAnIdentifier`.
    """

    default_validators = [require_visible]

    def to_python(self, value: Any) -> Any:
        """Also on the way into a lookup, so that it does not raise."""
        return _normalised(super().to_python(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = _normalised(super().pre_save(model_instance, add))
        # So that the caller's instance has what is stored.
        setattr(model_instance, self.attname, value)
        return value

    def get_prep_value(self, value: Any) -> Any:
        return _normalised(super().get_prep_value(value))

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        if isinstance(value, str):
            value = identifier(value)
        return super().get_db_prep_save(value, connection)

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": IdentifierFormField, **kwargs})

    def deconstruct(self) -> Any:
        """To the database, and so to migrations, it is a `CharField`."""
        name, _, arguments, keywords = super().deconstruct()
        return name, "django.db.models.CharField", arguments, keywords


def _normalised(value: Any) -> Any:
    return normalised(value) if isinstance(value, str) else value
