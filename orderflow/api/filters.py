"""Lists, narrowed down by what the address names."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django_filters import FilterSet, IsoDateTimeFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from orderflow.api.pagination import ORDERING
from orderflow.api.zoned_time import EXAMPLE, zoned_time


class KnownFilters(DjangoFilterBackend):  # type: ignore[misc]  # django-filter has no types
    """A parameter that the call does not know is an error, so that no typing slip shows every row. Calls on one row
    know none at all: what is meant for the body would be lost there."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if view.detail:
            _require_known(request, ())
            return queryset
        _require_known(request, self._known(queryset, view))
        narrowed: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return narrowed

    def _known(self, queryset: QuerySet[Any], view: Any) -> list[str]:
        filterset = self.get_filterset_class(view, queryset)
        pages = view.paginator
        return [
            *(filterset.base_filters if filterset else ()),
            *((ORDERING, pages.cursor_query_param, pages.page_size_query_param) if pages else ()),
        ]


def _require_known(request: Request, known: Iterable[str]) -> None:
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        choice = f"only {', '.join(known)}" if known else "nor any other"
        raise ValidationError({name: f"There is no parameter {name!r} here, {choice}." for name in unknown})


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


class CreatedFilter(FilterSet):  # type: ignore[misc]
    """From one time up to another, so that one span begins where the last one ended."""

    created_after = TimeFilter(field_name="created_at", lookup_expr="gte", help_text="At this time or later.")
    created_before = TimeFilter(field_name="created_at", lookup_expr="lt", help_text="Earlier than this time.")
