"""Recognizes a form that was sent before and saved: the admin's log of a change keeps a digest of what was sent."""

import json
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.http import HttpRequest

from orderflow.admin.optimistic_locking.row_version import SEEN, digest_of

SUBMISSION = "submission"
# Of one person on one row: somebody who goes back in the browser goes back a few pages.
LOOKED_THROUGH = 20


def noted(request: HttpRequest, message: list[Any]) -> list[Any]:
    """The log's `message` with the digest, which no page shows."""
    return [*message, {SUBMISSION: _digest(request)}]


def earlier(request: HttpRequest, row: models.Model) -> LogEntry | None:
    """The change that this person made to `row` with the same form, sent from the same page."""
    entries = LogEntry.objects.filter(
        user=request.user.pk,
        content_type=ContentType.objects.get_for_model(row, for_concrete_model=False),
        object_id=str(row.pk),
        action_flag=CHANGE,
    )
    digest = _digest(request)
    newest = entries.order_by("-action_time", "-id")[:LOOKED_THROUGH]
    return next((entry for entry in newest if digest in _submissions(entry)), None)


def _submissions(entry: LogEntry) -> list[str]:
    try:
        message = json.loads(entry.change_message)
    except ValueError:
        return []
    return [part.get(SUBMISSION, "") for part in message if isinstance(part, dict)] if isinstance(message, list) else []


def _digest(request: HttpRequest) -> str:
    """Whichever button sent it. The token against forgery is another one on every page."""
    fields = {name: values for name, values in request.POST.lists() if name == SEEN or not name.startswith("_")}
    fields.pop("csrfmiddlewaretoken", None)
    return digest_of([request.path, request.GET.urlencode(), fields])
