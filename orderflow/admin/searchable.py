"""The search of the long lists."""

from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest

from orderflow.admin.declared_list import can_be_searched
from orderflow.tenancy.scope import User


class KnownAsAdmin:
    """In front of a `ScopedModelAdmin`, whose rows are found by what people know of their order."""

    # Without any, the list has no search; what is looked for, `known_as` says.
    search_fields = ("pk",)
    # Of each kind of term. A longer list has to be narrowed down.
    most: ClassVar[int] = 100
    search_help_text: ClassVar[str] = "Order number, customer, file or ERP id"

    def known_as(self, term: str, user: User) -> set[Any]:
        """The rows' keys."""
        raise NotImplementedError

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if not can_be_searched(term):
            return queryset.none(), False
        found = self.known_as(term, request.user)
        if len(found) >= self.most:
            text = f"More than {self.most} may be known as {term!r}, and not all are shown. Narrow it down."
            messages.info(request, text)
        return queryset.filter(pk__any_of=found), False
