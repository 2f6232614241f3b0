"""A form that was sent on top of a row that has changed: what the person entered, over what is stored now.

A field's value is a list of texts here, as a browser sends it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField
from django.forms.models import BaseInlineFormSet
from django.http import QueryDict

from orderflow.admin.optimistic_locking.differences import Difference
from orderflow.admin.optimistic_locking.form_data import (
    Values,
    is_echoed,
    may_be_missing,
    rendered,
    same,
    sent_fields,
    value_text,
)


@dataclass(kw_only=True)
class Rebased:
    """`data` is to be shown in the form in place of `posted`. `base` has the values as the person's page had them."""

    posted: QueryDict
    base: Values
    data: QueryDict = field(init=False)
    differences: list[Difference] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data = self.posted.copy()

    def add_form(self, form: forms.BaseForm) -> None:
        """`form` shows the row as it is stored."""
        for bound in sent_fields(form):
            self.data.setlist(bound.html_name, self.value(bound, bound.html_name, str(bound.label)))

    def add_formset(self, formset: "BaseInlineFormSet[Any, Any, Any]", *, known_by: str, name: str) -> None:
        """Its rows as they are stored, with what was entered for each; then those that are new. A row that somebody
        put in the place of another has the same value of the field `known_by`. `name` is what one of them is called."""
        _FormSet(rebased=self, formset=formset, known_by=known_by, name=name).add()

    def entered(self, bound: BoundField, name: str) -> bool:
        if name not in self.posted and not may_be_missing(bound):
            # The page left it out, for want of a use.
            return False
        return not same(bound, self.posted.getlist(name), self.base.get(name, rendered(bound)))

    def value(self, bound: BoundField, name: str, label: str) -> list[str]:
        """Of the field that was sent as `name`: what was entered, else what is stored."""
        stored, mine = rendered(bound), self.posted.getlist(name)
        entered = self.entered(bound, name)
        changed = not same(bound, stored, self.base.get(name, stored))
        if entered and not is_echoed(bound):
            self.note(label, "Entered, but not kept: enter it again.", "Not shown")
        elif changed or (entered and not same(bound, mine, stored)):
            self.note(label, value_text(bound, mine) if entered else "", value_text(bound, stored))
        return mine if entered else stored

    def note(self, label: str, yours: str, stored: str) -> None:
        self.differences.append(Difference(label=label, yours=yours, stored=stored or "Empty"))


@dataclass(kw_only=True)
class _FormSet:
    rebased: Rebased
    formset: "BaseInlineFormSet[Any, Any, Any]"
    known_by: str
    name: str

    def add(self) -> None:
        prefix, posted = str(self.formset.prefix), self.rebased.posted
        sent = range(_number(posted, f"{prefix}-INITIAL_FORMS"))
        self.left = {posted.get(f"{prefix}-{i}-{self._key}", ""): i for i in sent}
        extra = [i for i in range(_number(posted, f"{prefix}-TOTAL_FORMS")) if i not in sent]
        row = re.compile(rf"{re.escape(prefix)}-\d+-")
        for name in filter(row.match, posted):
            del self.rebased.data[name]
        stored = list(self.formset.initial_forms)
        of_stored = [self._posted_as(form) for form in stored]
        for form, i in zip(stored, of_stored, strict=True):
            self._add_stored(form, i)
        new = [*self._deleted_rows(), *extra]
        for at, i in enumerate(new, start=len(stored)):
            self._add_new(at, i)
        self.rebased.data[f"{prefix}-INITIAL_FORMS"] = str(len(stored))
        self.rebased.data[f"{prefix}-TOTAL_FORMS"] = str(len(stored) + len(new))

    @property
    def _model(self) -> Any:
        return self.formset.model

    @property
    def _key(self) -> str:
        return str(self._model._meta.pk.name)

    @property
    def _structure(self) -> set[str]:
        return {self._key, self.formset.fk.name}

    def _posted_as(self, form: Any) -> int | None:
        """The number that the row had in the page, if it was there."""
        found = self.left.pop(str(form.instance.pk), None)
        if found is not None or not self.known_by:
            return found
        for key, i in list(self.left.items()):
            if self._base(i, self.known_by) == [str(form[self.known_by].value())]:
                return self.left.pop(key)
        return None

    def _base(self, i: int, name: str) -> list[str]:
        name = f"{self.formset.prefix}-{i}-{name}"
        return list(self.rebased.base.get(name, self.rebased.posted.getlist(name)))

    def _add_stored(self, form: Any, i: int | None) -> None:
        for bound in sent_fields(form):
            if bound.name in self._structure or i is None:
                value = rendered(bound)
            else:
                label = f"{form.instance}: {bound.label}"
                value = self.rebased.value(bound, f"{self.formset.prefix}-{i}-{bound.name}", label)
            self.rebased.data.setlist(bound.html_name, value)
        if i is None:
            self.rebased.note(str(form.instance), "", "Added")

    def _deleted_rows(self) -> Iterator[int]:
        """Those in which something was entered are kept, as new ones."""
        for key, i in self.left.items():
            label = f"{self.name} {' '.join(self._base(i, self.known_by or self._key))}".capitalize()
            if self._exists(key):
                self.rebased.note(label, "Not kept", "On another page of this list now")
                continue
            kept = self._is_edited(i)
            self.rebased.note(label, "Kept below, as a new row" if kept else "", "Deleted")
            if kept:
                yield i

    def _exists(self, key: str) -> bool:
        rows = self._model._default_manager.filter(**{self.formset.fk.name: self.formset.instance})
        try:
            return bool(key) and rows.filter(pk=key).exists()
        except (ValueError, ValidationError):
            return False

    def _is_edited(self, i: int) -> bool:
        if f"{self.formset.prefix}-{i}-DELETE" in self.rebased.posted:
            return False
        fields = [bound for bound in sent_fields(self.formset.empty_form) if bound.name not in self._structure]
        return any(self.rebased.entered(bound, f"{self.formset.prefix}-{i}-{bound.name}") for bound in fields)

    def _add_new(self, at: int, i: int) -> None:
        prefix = self.formset.prefix
        for bound in sent_fields(self.formset.empty_form):
            value = self.rebased.posted.getlist(f"{prefix}-{i}-{bound.name}")
            if bound.name in self._structure:
                value = [""] if bound.name == self._key else [str(self.formset.instance.pk)]
            self.rebased.data.setlist(f"{prefix}-{at}-{bound.name}", value)


def _number(posted: QueryDict, name: str) -> int:
    text = posted.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
