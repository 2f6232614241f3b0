"""Lists, narrowed down by what the address names."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django_filters import ChoiceFilter, FilterSet, IsoDateTimeFilter, MultipleChoiceFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from orderflow.api.input.datetimes import EXAMPLE, zoned_time
from orderflow.api.lists.pagination import ORDERING

# More than a cursor has by the longest name of a connection.
LONGEST = 2000
# Control characters, and what Django puts in the place of bytes that are not UTF-8.
UNREADABLE = re.compile("[\x00-\x1f\x7f\ufffd]")


class KnownFilters(DjangoFilterBackend):  # type: ignore[misc]  # django-filter has no types
    """A parameter that the call does not know is an error, so that no typing slip shows every row. Calls on one row
    know none at all: what is meant for the body would be lost there."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if view.detail:
            require_known(request, ())
            return queryset
        filterset = self.get_filterset_class(view, queryset)
        filters = filterset.base_filters if filterset else {}
        pages = view.paginator
        of_pages = (ORDERING, pages.cursor_query_param, pages.page_size_query_param) if pages else ()
        repeatable = [name for name, known in filters.items() if isinstance(known, MultipleChoiceFilter)]
        require_known(request, (*filters, *of_pages), repeatable)
        narrowed: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return narrowed


def require_known(request: Request, known: Collection[str], repeatable: Collection[str] = ()) -> None:
    """Raises `ValidationError` unless each parameter of the address is known and has one value, or several where it is
    `repeatable`, none of them empty, overlong or unreadable."""
    faults = {
        name: fault
        for name, values in request.query_params.lists()
        if (fault := _unknown(name, known) or _repeated(name, values, repeatable) or _unusable(name, values))
    }
    if faults:
        raise ValidationError(faults)


def _unknown(name: str, known: Collection[str]) -> str | None:
    choice = f"only {', '.join(known)}" if known else "nor any other"
    return None if name in known else f"There is no parameter {name!r} here, {choice}."


def _repeated(name: str, values: Sequence[str], repeatable: Collection[str]) -> str | None:
    if len(values) == 1 or name in repeatable:
        return None
    return f"The parameter {name!r} is set {len(values)} times, and only one value is possible. Send one."


def _unusable(name: str, values: Sequence[str]) -> str | None:
    if any(not value.strip() for value in values):
        return f"The parameter {name!r} is empty. Set its value, or leave the parameter out."
    if any(len(value) > LONGEST for value in values):
        return f"The value of {name!r} is longer than {LONGEST} characters."
    if any(UNREADABLE.search(value) for value in values):
        return f"The value of {name!r} has control characters, or is not UTF-8."
    return None


class TimeField(forms.Field):
    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values or isinstance(value, datetime):
            return value or None
        try:
            return zoned_time(value)
        except ValueError as error:
            raise forms.ValidationError(EXAMPLE) from error


class TimeFilter(IsoDateTimeFilter):  # type: ignore[misc]
    field_class = TimeField


class OneOf(ChoiceFilter):  # type: ignore[misc]
    """A filter by one of some values, whose error names them."""

    def __init__(self, *args: Any, choices: Sequence[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, choices=choices, error_messages=_unknown_choice(choices), **kwargs)


class AnyOf(MultipleChoiceFilter):  # type: ignore[misc]
    """A filter by any of some values, whose error names them. The parameter may be repeated."""

    def __init__(self, *args: Any, choices: Sequence[tuple[str, Any]], **kwargs: Any) -> None:
        # DISTINCT would sort all of an organization's rows for one page.
        messages = _unknown_choice(choices)
        super().__init__(*args, choices=choices, distinct=False, error_messages=messages, **kwargs)


def _unknown_choice(choices: Sequence[tuple[str, Any]]) -> dict[str, str]:
    allowed = ", ".join(value for value, _ in choices)
    return {"invalid_choice": f"Unknown value '%(value)s'. Allowed: {allowed}."}


class CreatedFilter(FilterSet):  # type: ignore[misc]
    """From one time up to another, so that one span begins where the last one ended."""

    created_after = TimeFilter(field_name="created_at", lookup_expr="gte", help_text="At this time or later.")
    created_before = TimeFilter(field_name="created_at", lookup_expr="lt", help_text="Earlier than this time.")
