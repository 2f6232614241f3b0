"""A list's filter by days, from one to another, both included."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.widgets import INPUT_CLASSES


class DateSpanForm(forms.Form):
    """The browser's own date fields."""

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for end, label in (("from", "From"), ("to", "To")):
            widget = forms.DateInput(attrs={"type": "date", "class": " ".join(INPUT_CLASSES)})
            self.fields[f"{name}_{end}"] = forms.DateField(label=label, required=False, widget=widget)


class DateSpanFilter(RangeDateFilter):  # type: ignore[misc] # unfold has no types
    """For a time. The list has a button to apply it: `list_filter_submit`."""

    form_class = DateSpanForm
    template = "tenancy/date_span.html"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        begins, ends = self._day("from"), self._day("to")
        if begins:
            queryset = queryset.filter(**{f"{self.field_path}__gte": begins})
        if ends:
            queryset = queryset.filter(**{f"{self.field_path}__lt": ends + timedelta(days=1)})
        return queryset

    def _day(self, end: str) -> datetime | None:
        """Its first moment. What is no date narrows nothing, and the form says so."""
        try:
            day = parse_date(self.used_parameters.get(f"{self.field_path}_{end}") or "")
            # A day more can be reckoned with at either end.
            return timezone.make_aware(datetime.combine(day, time.min)) if day and 1 < day.year < 9999 else None
        except ValueError:
            return None
