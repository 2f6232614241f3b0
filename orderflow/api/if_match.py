from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import models, transaction
from django.shortcuts import get_object_or_404
from rest_framework.request import Request

from orderflow.api.etags import etag_of, require_match


@contextmanager
def held_as_seen(
    request: Request, row: models.Model, rows: "models.QuerySet[Any]", shown: Callable[[Any], Any]
) -> Iterator[None]:
    """What the block does, it does to the row that the request's If-Match names, or not at all: nobody changes it
    between the comparison and the end of the block. Without the header it is just run.

    `rows` are read with everything that `shown` makes the answer of. Raises a `Problem`.
    """
    if "If-Match" not in request.headers:
        yield
        return
    with transaction.atomic():
        now = get_object_or_404(rows.select_for_update(of=("self",), no_key=True), pk=row.pk)
        require_match(request, etag_of(shown(now)))
        yield
