"""The form that describes a connector's config, for admin, API and checks."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms

from connectors.exceptions import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Input in the form that is stored, and what is wrong with it."""

    values: Mapping[str, Any]
    errors: Sequence[ConfigError] = ()


class ConfigForm(forms.Form):
    """`needed_when` says of a field which value of which other field needs it. While that one has another value, the
    field is not asked for, and what is entered there all the same has to be right but is not kept.
    `required_when_needed` names those of them that must not be empty when they are needed."""

    needed_when: ClassVar[Mapping[str, tuple[str, str]]] = {}
    required_when_needed: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def read(cls, config: Mapping[str, Any], entered: Collection[str]) -> Reading:  # noqa: ARG003 - for subclasses
        """Check and convert input before it is cleaned. `config` has raw values, `entered` names the new ones."""
        return Reading(values=config)

    @classmethod
    def needless(cls, values: Mapping[str, Any]) -> Iterator[str]:
        for name, (decisive, value) in cls.needed_when.items():
            if values.get(decisive) != value:
                yield name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        needless = set(self.needless(cleaned))
        for name in needless & cleaned.keys():
            field = self.fields[name]
            cleaned[name] = getattr(field, "empty_value", None) if field.initial is None else field.initial
        for name in self.required_when_needed - needless:
            if cleaned.get(name) in self.fields[name].empty_values and name not in self.errors:
                self.add_error(name, self.fields[name].error_messages["required"])
        return cleaned
