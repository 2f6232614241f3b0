"""A list of the admin that can be filtered and sorted by what its page declares, and by nothing else.

Django accepts any lookup of any field in the address, such as a regular expression that takes minutes, and sorts by any
column.
"""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, ChangeListSearchForm
from django.core.validators import MaxLengthValidator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.text import capfirst
from unfold.views import ChangeList

LONGEST_SEARCH = 200
# Of a hundred rows each. Further pages cost more and more, and a search gets there sooner.
LAST_PAGE = 10_000
# Parameters that leave out no row.
SHOWS_ALL = frozenset({ORDER_VAR, PAGE_VAR, IS_POPUP_VAR, TO_FIELD_VAR})


def can_be_searched(term: str) -> bool:
    """Whether a search may look for `term`: SQLite compares each of its words with each row, and PostgreSQL takes no
    NUL."""
    return len(term) <= LONGEST_SEARCH and "\0" not in term


class SearchForm(ChangeListSearchForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.CharField):
                field.validators.append(MaxLengthValidator(LONGEST_SEARCH))


class DeclaredList(ChangeList):  # type: ignore[misc] # unfold has no types
    search_form_class = SearchForm

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        # Whether the list may have rows that this page leaves out.
        self.is_narrowed = bool(set(request.GET) - SHOWS_ALL) or self.page_num > 1
        if not self.is_popup:
            self.title = capfirst(self.opts.verbose_name_plural)

    def get_filters(self, request: HttpRequest) -> tuple[Any, ...]:
        """Raises `DisallowedModelAdminLookup` for a parameter that is neither a filter's nor one of the own links'."""
        found: tuple[Any, ...] = super().get_filters(request)
        _, _, lookups, *_ = found
        if unknown := set(lookups) - self.model_admin.linked_lookups:
            raise DisallowedModelAdminLookup(f"This list cannot be filtered by {min(unknown)[:100]}.")
        return found

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        if ORDER_VAR in self.params:
            self.params[ORDER_VAR] = ".".join(self._sortable(str(self.params[ORDER_VAR]).split(".")))
        ordering: list[Any] = super().get_ordering(request, queryset)
        return ordering

    def get_results(self, request: HttpRequest) -> None:
        """Raises `DisallowedModelAdminLookup` for a page too far away."""
        self.show_all = False
        if not 1 <= self.page_num <= LAST_PAGE:
            raise DisallowedModelAdminLookup(f"A list has pages 1 to {LAST_PAGE:,}.")
        super().get_results(request)

    def _sortable(self, wanted: list[str]) -> list[str]:
        """Of columns, written as -3 or 3, those that may be sorted by, each once."""
        chosen: dict[str, str] = {}
        for part in wanted[: len(self.list_display)]:
            number = part.removeprefix("-")
            if number.isdecimal() and int(number) < len(self.list_display):
                name = self.list_display[int(number)]
                if name in self.sortable_by:
                    chosen.setdefault(name, part)
        return list(chosen.values())


class DeclaredListAdmin:
    """For an admin class: in front of Django's."""

    # Lookups that links of our own have beside those of the filters.
    linked_lookups: ClassVar[frozenset[str]] = frozenset()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DeclaredList]:
        return DeclaredList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Nothing for a term that cannot be searched: the list rejects it earlier, the fields that complete what is
        typed do not."""
        if not can_be_searched(search_term):
            return queryset.none(), False
        found: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, search_term)  # type: ignore[misc] # a mixin
        return found

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        try:
            page: HttpResponse = super().changelist_view(request, extra_context)  # type: ignore[misc] # a mixin
        except DisallowedModelAdminLookup as error:
            messages.warning(request, f"{error} The list is shown without a filter.")
            return HttpResponseRedirect(request.path)
        return page
