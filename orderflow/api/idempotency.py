"""The same Idempotency-Key gets the same answer: it is kept, with what the call did."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from orderflow.api.errors.problems import Problem
from orderflow.api.models import KeptAnswer
from orderflow.db.locks import try_lock
from orderflow.tenancy.models import Organization

# Servers join a header that comes twice with a comma.
KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Any text that this one request goes by, such as a UUID: asking again changes nothing.",
)
# The problem codes of calls that take one.
OF_KEYS = ("bad_idempotency_key", "idempotency_key_reused", "still_running")
KEPT_HEADERS = ("Location", "ETag")
# Of what is forgotten in one statement.
PORTION = 1000
# Of the answer `still_running`.
ASK_AGAIN: Mapping[str, str] = {"Retry-After": "1"}


def idempotency_key(request: Request) -> str | None:
    key: str | None = request.headers.get("Idempotency-Key")
    if key is not None and not KEY.fullmatch(key):
        text = "An Idempotency-Key is 1 to 255 printable ASCII characters without spaces and commas. Send one."
        raise Problem("bad_idempotency_key", text)
    return key


def once(request: Request, organization: Organization, call: str, answer: Callable[[], Response]) -> Response:
    """`answer()`; or what it was, when this request came with its Idempotency-Key before. Nobody may have read the
    request's body yet.

    What `answer` does and what it says are committed together: after a crash there are both or neither, and a refusal
    keeps nothing. While the first request with a key runs, PostgreSQL lets others see that; SQLite has one writer at a
    time, so there they wait for it and get its answer.
    """
    key = idempotency_key(request)
    if key is None:
        return answer()
    request_hash = _hash(request)
    with transaction.atomic():
        if not try_lock(organization.pk, call, key):
            text = f"The first request with Idempotency-Key {key!r} is still running. Ask again in a second."
            raise Problem("still_running", text, headers=ASK_AGAIN)
        kept = KeptAnswer.objects.filter(organization=organization, call=call, key=key).first()
        if kept:
            return _again(kept, request_hash)
        response = answer()
        if response.status_code < HTTPStatus.BAD_REQUEST:
            _keep(response, KeptAnswer(organization=organization, call=call, key=key, request_hash=request_hash))
        return response


def _hash(request: Request) -> str:
    asked = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    asked.update(request.body)
    return asked.hexdigest()


def _again(kept: KeptAnswer, request_hash: str) -> Response:
    if kept.request_hash != request_hash:
        text = f"Idempotency-Key {kept.key!r} came with another request before. Use a new key."
        raise Problem("idempotency_key_reused", text)
    return Response(json.loads(kept.body), status=kept.status, headers=kept.headers)


def _keep(response: Response, kept: KeptAnswer) -> None:
    kept.status = response.status_code
    kept.headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    kept.body = JSONRenderer().render(response.data).decode()
    kept.save(force_insert=True)


def forget_old() -> None:
    """A portion at a time, each with a commit of its own."""
    old = KeptAnswer.objects.filter(created_at__lt=timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEEP_H))
    while portion := list(old.values_list("pk", flat=True)[:PORTION]):
        KeptAnswer.objects.filter(pk__in=portion).delete()
