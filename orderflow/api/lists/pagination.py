import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.db import models
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from orderflow.api.input.datetimes import zoned_time
from orderflow.api.input.parsers import UNSTORABLE

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

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get(self.page_size_query_param)
        if asked is None:
            return self.page_size
        if not re.fullmatch("[0-9]{1,9}", asked) or not 1 <= int(asked) <= self.max_page_size:
            text = f"A page has 1 to {self.max_page_size} rows, not {asked[:40]!r}."
            raise ValidationError({self.page_size_query_param: text})
        return int(asked)

    def decode_cursor(self, request: Request) -> Any:
        encoded = request.query_params.get(self.cursor_query_param)
        try:
            cursor = super().decode_cursor(request)
        except NotFound:
            cursor = None
        if encoded is not None and not self._is_sound(encoded, cursor):
            text = "Invalid cursor. Follow `next` and `previous` as they are given, or start again without a cursor."
            raise ValidationError({self.cursor_query_param: text})
        return cursor

    def _is_sound(self, encoded: str, cursor: Any) -> bool:
        # Whatever is not base64, and names that no cursor has, would be skipped: the first page again, without an end.
        if cursor is None:
            return False
        ours = parse_qs(urlsplit(self.encode_cursor(cursor)).query)
        if ours.get(self.cursor_query_param) != [encoded]:
            return False
        return cursor.position is None or _could_be(self.ordered_by, str(cursor.position))

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor, page_size = super().get_schema_operation_parameters(view)
        page_size["schema"] |= {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        known = orderings(view)
        ordering = {
            "name": ORDERING,
            "required": False,
            "in": "query",
            "description": f"A - before the name turns it round. {known[0]} unless said otherwise.",
            "schema": {"type": "string", "enum": list(known)},
        }
        return [cursor, page_size, ordering]


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
