from collections.abc import Sequence
from typing import Any

from django.db import models
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from orderflow.api.parsers import UNSTORABLE
from orderflow.api.zoned_time import zoned_time

ORDERING = "ordering"
NEWEST_FIRST = ("-created_at", "created_at")


class NewestFirst(CursorPagination):
    """Pages that stay put while rows are added, at the same cost however deep.

    A view may name other `orderings`; the first one is what a caller gets who asks for none.
    """

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_ordering(self, request: Request, queryset: models.QuerySet[Any], view: Any) -> tuple[str, ...]:
        known = orderings(view)
        wanted = request.query_params.get(ORDERING, known[0])
        if wanted not in known:
            raise ValidationError({ORDERING: f"There is no ordering {wanted!r} here, only {', '.join(known)}."})
        self.ordered_by: models.Field[Any, Any] = queryset.model._meta.get_field(wanted.removeprefix("-"))
        return wanted, "id"

    def decode_cursor(self, request: Request) -> Any:
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None and not _could_be(self.ordered_by, str(cursor.position)):
            raise NotFound("The cursor is none of ours. Follow `next` and `previous` as they are given.")
        return cursor

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        known = orderings(view)
        ordering = {
            "name": ORDERING,
            "required": False,
            "in": "query",
            "description": f"A - before the name turns it round. {known[0]} unless said otherwise.",
            "schema": {"type": "string", "enum": list(known)},
        }
        return [*super().get_schema_operation_parameters(view), ordering]


def orderings(view: Any) -> Sequence[str]:
    named: Sequence[str] = getattr(view, "orderings", NEWEST_FIRST)
    return named


def _could_be(field: models.Field[Any, Any], position: str) -> bool:
    """The cursor comes back from outside, and its position goes into the query as it is."""
    try:
        if isinstance(field, models.DateTimeField):
            zoned_time(position)
        elif isinstance(field, models.IntegerField):
            int(position)
    except ValueError:
        return False
    return not UNSTORABLE.search(position)
