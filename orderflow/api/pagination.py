from datetime import datetime
from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request


class NewestFirst(CursorPagination):
    """Pages that stay put while rows are added, at the same cost however deep."""

    ordering = ("-created_at", "id")
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def decode_cursor(self, request: Request) -> Any:
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None:
            _require_time(cursor.position)
        return cursor


def _require_time(position: Any) -> None:
    # The cursor comes back from outside, and its position goes into the query as it is.
    try:
        datetime.fromisoformat(str(position))
    except ValueError as error:
        raise NotFound("The cursor is none of ours. Follow `next` and `previous` as they are given.") from error
