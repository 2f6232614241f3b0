"""Which media types bodies come in and go out."""

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from django.utils.http import parse_header_parameters
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from orderflow.api.errors.problems import Problem

JSON = ("application/json", "text/json")
# What PATCH does anyway: it sets what the body names, and null removes.
MERGE_PATCH = "application/merge-patch+json"
CHARSETS = ("utf-8", "utf8", "us-ascii")
LONGEST = 256


class JsonNegotiation(DefaultContentNegotiation):
    """JSON in UTF-8 under each of its usual names."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """The one parser. Raises `Problem`."""
        accepted = (*JSON, MERGE_PATCH) if request.method == "PATCH" else JSON
        header = request.content_type
        if not header.strip():
            _reject("The body has no Content-Type", accepted)
        if len(header) > LONGEST:
            _reject("The Content-Type is too long", accepted)
        media_type, parameters = parse_header_parameters(header)
        if media_type not in accepted:
            _reject(f"The body is {media_type}", accepted)
        if parameters.get("charset", "utf-8").lower() not in CHARSETS:
            _reject(f"The body's charset is {parameters['charset']}, and only UTF-8 is supported", accepted)
        return next(iter(parsers))

    def filter_renderers(self, renderers: Iterable[BaseRenderer], format: str) -> Any:  # noqa: A002 - the framework's name
        """Only the OpenAPI document has a choice of formats; elsewhere the parameter is as unknown as any other."""
        return renderers if len(list(renderers)) == 1 else super().filter_renderers(renderers, format)


def _reject(fault: str, accepted: Sequence[str]) -> NoReturn:
    text = f"{fault}. Send {accepted[0]}."
    raise Problem("unsupported_media_type", text, headers={"Accept": ", ".join(accepted)})
