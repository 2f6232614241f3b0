"""The form that describes a connector's config, for admin, API and checks."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django import forms


class ConfigForm(forms.Form):
    """`needed_when` says of a field which value of which other field needs it. While that one has another value, the
    field is not asked for, and what is entered there all the same has to be right but is not kept."""

    needed_when: ClassVar[Mapping[str, tuple[str, str]]] = {}

    @classmethod
    def needless(cls, values: Mapping[str, Any]) -> Iterator[str]:
        for name, (decisive, value) in cls.needed_when.items():
            if values.get(decisive) != value:
                yield name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in self.needless(cleaned):
            if name in cleaned:
                field = self.fields[name]
                cleaned[name] = getattr(field, "empty_value", None) if field.initial is None else field.initial
        return cleaned
