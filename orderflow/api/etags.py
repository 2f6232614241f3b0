"""Which version of a thing an answer shows, as RFC 9110 has it: who changes the thing can say which one was seen."""

import hashlib
from typing import Any

from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from orderflow.api.errors.problems import Problem

IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of what you saw, or several; 412 when it changed meanwhile. Without it, nobody looks.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="The ETag of what you have; 304 while that is current."
)
ETAG = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, description="Changes with whatever the answer shows.", response=[200, 201]
)


def etag_of(shown: Any) -> str:
    """A strong one, of all that the answer shows, so that no change goes unseen."""
    return f'"{hashlib.sha256(JSONRenderer().render(shown)).hexdigest()[:32]}"'


def is_known(request: Request, etag: str) -> bool:
    """Whether the caller has it by If-None-Match, which does not tell weak tags from strong ones."""
    tags = parse_etags(request.headers.get("If-None-Match", ""))
    return tags == ["*"] or etag in [tag.removeprefix("W/") for tag in tags]


def require_match(request: Request, etag: str) -> None:
    """Raises a `Problem` unless If-Match names it. A header without any tag, such as one that lost its quotes, names
    nothing: to pass it over would overwrite what the caller wants kept."""
    header = request.headers.get("If-Match")
    if header is None:
        return
    tags = parse_etags(header)
    if tags != ["*"] and etag not in tags:
        text = f"If-Match names {header[:200]}, and the ETag is {etag} now. Load it again, and decide anew."
        raise Problem("changed_meanwhile", text)
