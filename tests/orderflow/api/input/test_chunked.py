"""A body in chunks is the body that it is with a length: on a real gunicorn, for every call that takes one."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.public_config import public_config
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.models import ERPExport
from orderflow.api.models import ApiToken, KeptAnswer
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import AuditEntry, Membership, Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.orderflow.api.calls import NEEDS, PUBLIC, Call
from tests.servers.web import Response, chunks, exchange, head
from tests.support.api.requests import JSON, PASSWORD

LIMIT = settings.DATA_UPLOAD_MAX_MEMORY_SIZE


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What one request is about: an order of its own, and its organization's two connections."""

    organization: Organization
    token: str
    order: DraftOrder
    first: ERPConnection
    second: ERPConnection


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """`valid` is a body that the call takes, or None where it takes none but an empty one."""

    call: Call
    needs: OrderStatus
    valid: Callable[[Target], Any]
    optional: bool = False


def line() -> dict[str, Any]:
    return {"internal_sku": "2", "qty": 50, "uom": "ST", "unit_price": 15.2}


WRITES = [
    Write(
        call=("post", "draft-orders/"),
        needs=OrderStatus.READY,
        valid=lambda of: {
            "external_order_number": f"new-{of.order.external_order_number}",
            "customer": {"erp_customer_number": "NEW-1", "name": "New"},
            "currency": "EUR",
            "lines": [line()],
        },
    ),
    Write(
        call=("patch", "draft-orders/<uuid:pk>/"),
        needs=OrderStatus.READY,
        valid=lambda _: {"notes": "edited", "lines": [line(), line()]},
    ),
    Write(
        call=("post", "draft-orders/<uuid:pk>/approve/"),
        needs=OrderStatus.READY,
        valid=lambda _: {},
        optional=True,
    ),
    Write(
        call=("post", "draft-orders/<uuid:pk>/reopen/"),
        needs=OrderStatus.REJECTED,
        valid=lambda _: {},
        optional=True,
    ),
    Write(
        call=("post", "draft-orders/<uuid:pk>/push/"),
        needs=OrderStatus.APPROVED,
        valid=lambda of: {"connection": str(of.second.pk)},
        optional=True,
    ),
    Write(
        call=("post", "draft-orders/<uuid:pk>/retry-push/"),
        needs=OrderStatus.ERROR,
        valid=lambda of: {"connection": str(of.second.pk)},
        optional=True,
    ),
    Write(
        call=("post", "draft-orders/push/"),
        needs=OrderStatus.APPROVED,
        valid=lambda of: {
            "filter": {"external_order_number": of.order.external_order_number},
            "connection": str(of.second.pk),
        },
    ),
    Write(
        call=("post", "draft-orders/retry-push/"),
        needs=OrderStatus.ERROR,
        valid=lambda of: {"ids": [str(of.order.pk)], "connection": str(of.second.pk)},
    ),
    Write(
        call=("post", "erp-connections/"),
        needs=OrderStatus.READY,
        valid=lambda of: {
            "name": f"New {of.order.external_order_number}",
            "connector_type": "DROPZONE_JSON_V1",
            "config": {"mode": "filesystem", "export_path": "in"},
        },
    ),
    Write(
        call=("patch", "erp-connections/<uuid:pk>/"),
        needs=OrderStatus.READY,
        valid=lambda of: {"name": f"Renamed {of.order.external_order_number}", "config": {"export_path": "in"}},
    ),
    Write(
        call=("post", "erp-connections/<uuid:pk>/test/"),
        needs=OrderStatus.READY,
        valid=lambda _: {"config": {"export_path": "nowhere"}},
        optional=True,
    ),
    Write(
        call=("post", "exports/<uuid:pk>/decide/"),
        needs=OrderStatus.PUSHING,
        valid=lambda _: {"delivered": False, "reason": "The ERP has no such order."},
    ),
    Write(
        call=("post", "token/"),
        needs=OrderStatus.READY,
        valid=lambda of: {"username": f"user-{of.organization.slug}", "password": PASSWORD},
    ),
]
Sent = tuple[dict[str, str], bytes]
Rejection = tuple[int, str]
TAKEN = (0, "taken")


def plain(change: Callable[[bytes], bytes], valid: bytes) -> Sent:
    return JSON, change(valid)


def typed(content_type: str, valid: bytes) -> Sent:
    return {"Content-Type": content_type}, valid


def encoded(encoding: str, change: Callable[[bytes], bytes], valid: bytes) -> Sent:
    return {**JSON, "Content-Encoding": encoding}, change(valid)


def padded(size: int, valid: bytes) -> bytes:
    return valid + b" " * (size - len(valid))


def twice(valid: bytes) -> bytes:
    """With every member doubled."""
    return valid[:-1] + b"," + valid[1:] if valid != b"{}" else b'{"connection": null, "connection": null}'


EMPTY = (422, "body_required")
MALFORMED = (400, "malformed_json")
INVALID = (422, "invalid")
BODIES: dict[str, tuple[Callable[[bytes], Sent], Rejection | None]] = {
    "valid": (partial(plain, lambda valid: valid), TAKEN),
    "empty": (partial(plain, lambda _: b""), EMPTY),
    "object": (partial(plain, lambda _: b"{}"), None),
    "null": (partial(plain, lambda _: b"null"), INVALID),
    "list": (partial(plain, lambda _: b"[]"), INVALID),
    "text": (partial(plain, lambda _: b'""'), INVALID),
    "number": (partial(plain, lambda _: b"0"), INVALID),
    "false": (partial(plain, lambda _: b"false"), INVALID),
    "blank": (partial(plain, lambda _: b" \r\n"), MALFORMED),
    "open": (partial(plain, lambda valid: valid[:-1]), MALFORMED),
    "two": (partial(plain, lambda valid: valid + valid), MALFORMED),
    "no JSON": (partial(plain, lambda _: b"connection=1"), MALFORMED),
    "NaN": (partial(plain, lambda _: b'{"a": NaN}'), MALFORMED),
    "twice": (partial(plain, twice), INVALID),
    "unknown": (partial(plain, lambda _: b'{"zz": 1}'), INVALID),
    "NUL": (partial(plain, lambda _: b'{"zz": "\\u0000"}'), INVALID),
    "deep": (partial(plain, lambda _: b"[" * 100_000), MALFORMED),
    "BOM": (partial(plain, lambda valid: b"\xef\xbb\xbf" + valid), TAKEN),
    "UTF-16": (partial(plain, lambda valid: valid.decode().encode("utf-16")), MALFORMED),
    "Latin-1": (partial(plain, lambda _: b'{"zz": "\xe4"}'), MALFORMED),
    "spooled": (partial(plain, partial(padded, 1_000_000)), TAKEN),
    "largest": (partial(plain, partial(padded, LIMIT)), TAKEN),
    "too large": (partial(plain, partial(padded, LIMIT + 1)), (413, "too_large")),
    "much too large": (partial(plain, partial(padded, 2 * LIMIT)), (413, "too_large")),
    "text/json": (partial(typed, "text/json; charset=UTF-8"), TAKEN),
    "plain": (partial(typed, "text/plain"), (415, "unsupported_media_type")),
    "form": (partial(typed, "application/x-www-form-urlencoded"), (415, "unsupported_media_type")),
    "multipart": (partial(typed, "multipart/form-data; boundary=x"), (415, "unsupported_media_type")),
    "charset": (partial(typed, "application/json; charset=latin-1"), (415, "unsupported_media_type")),
    "gzip": (partial(encoded, "gzip", gzip.compress), TAKEN),
    "GZIP in members": (partial(encoded, "X-GZIP", lambda v: gzip.compress(v[:1]) + gzip.compress(v[1:])), TAKEN),
    "gzip of nothing": (partial(encoded, "gzip", lambda _: gzip.compress(b"")), EMPTY),
    "no gzip": (partial(encoded, "gzip", lambda valid: valid), (400, "bad_encoding")),
    "nothing as gzip": (partial(encoded, "gzip", lambda _: b""), (400, "bad_encoding")),
    "half a gzip": (partial(encoded, "gzip", lambda v: gzip.compress(v)[:-4]), (400, "bad_encoding")),
    "damaged gzip": (partial(encoded, "gzip", lambda v: gzip.compress(v)[:-8] + bytes(8)), (400, "bad_encoding")),
    "more than a gzip": (partial(encoded, "gzip", lambda v: gzip.compress(v) + b"{}"), (400, "bad_encoding")),
    "bomb": (partial(encoded, "gzip", lambda _: gzip.compress(b" " * 50 * LIMIT)), (413, "too_large")),
    "gzip twice": (partial(encoded, "gzip, gzip", gzip.compress), (415, "unsupported_encoding")),
    "deflate": (partial(encoded, "deflate", zlib.compress), (415, "unsupported_encoding")),
    "br": (partial(encoded, "br", lambda valid: valid), (415, "unsupported_encoding")),
    "identity": (partial(encoded, "identity", lambda valid: valid), TAKEN),
}
SIZES = {"valid": [1], "BOM": [1, 2, 3], "gzip": [7], "UTF-16": [1], "half a gzip": [3]}


def furnished(slug: str, write: Write, make_order: MakeOrder) -> Iterator[Target]:
    """A target for each of the bodies."""
    organization = Organization.objects.create(name=slug, slug=slug)
    user = User.objects.create_user(f"user-{slug}", password=PASSWORD)
    Membership.objects.create(user=user, organization=organization, role=Role.ADMIN)
    rows = []
    for name in ("First", "Second"):
        row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
        config = {"mode": "filesystem", "export_path": "in"}
        changes = ConnectionChanges(name=name, is_default=name == "First", config=config)
        rows.append(connection_service.save(row, changes, actor="test"))
    token = str(ApiToken.objects.create(user, name="Test")[1])
    for number in range(len(BODIES)):
        order = make_order(tenant=organization, status=write.needs, external_order_number=f"PO-{number}")
        if write.needs == OrderStatus.PUSHING:
            in_doubt(order, rows[0])
        yield Target(organization=organization, token=token, order=order, first=rows[0], second=rows[1])


def in_doubt(order: DraftOrder, connection: ERPConnection) -> None:
    """An export that a person has to decide on, with the order's id, so that one id serves for both."""
    ERPExport.objects.create(
        id=order.pk,
        organization_id=order.organization_id,
        draft_order=order,
        connection=connection,
        created_at=timezone.now(),
        filename=f"{order.pk}.json",
        undecided_since=timezone.now(),
    )


def request(write: Write, target: Target, sent: Sent, *, sizes: list[int] | None, key: str = "") -> bytes:
    method, route = write.call
    pk = target.first.pk if route.startswith("erp-") else target.order.pk
    headers = {**sent[0], **({"Idempotency-Key": key} if key else {})}
    if write.call not in PUBLIC:
        headers["Authorization"] = f"Bearer {target.token}"
    framing = {"Transfer-Encoding": "chunked"} if sizes else {"Content-Length": str(len(sent[1]))}
    path = "/api/v1/" + route.replace("<uuid:pk>", str(pk))
    return head(method.upper(), path, {**headers, **framing}) + (chunks(sent[1], sizes) if sizes else sent[1])


def effect(of: Target) -> Any:
    """All that a request may have changed, without what differs between two organizations."""
    order = DraftOrder.objects.get(pk=of.order.pk)
    exports = ERPExport.objects.filter(draft_order=order).values_list("status", "connection__name")
    connection = ERPConnection.objects.get(pk=of.first.pk)
    counted = (DraftOrder, ERPExport, ERPConnection, KeptAnswer, AuditEntry)
    return {
        "order": (order.status, order.notes, order.lines.count(), order.approved_by != ""),
        "exports": list(exports),
        "connection": (connection.name, public_config(connection).values, connection.last_test_success),
        "rows": [model._base_manager.filter(organization=of.organization).count() for model in counted],
        "tokens": ApiToken.objects.filter(user__membership__organization=of.organization).count(),
    }


def test_every_call_that_takes_a_body_is_here() -> None:
    bodies = {call for call in NEEDS.keys() | PUBLIC if call[0] in ("post", "patch", "put")}
    assert {write.call for write in WRITES} == bodies
    assert len(BODIES) >= 30


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("write", WRITES, ids=lambda write: " ".join(write.call))
def test_chunked_is_as_with_a_length(write: Write, web: int, make_order: MakeOrder) -> None:
    """F: a push went to the default connection, because its chunked body was dropped."""
    with transaction.atomic():
        targets = [list(furnished(slug, write, make_order)) for slug in ("length", "chunked")]
    for number, (name, (make, expected)) in enumerate(BODIES.items()):
        seen: list[tuple[Response, Any, Any]] = []
        for of in (of_one[number] for of_one in targets):
            sent = make(json.dumps(write.valid(of)).encode())
            before = None if seen else effect(of)
            sizes = SIZES.get(name, [65_536]) if of.organization.slug == "chunked" else None
            response = exchange(web, request(write, of, sent, sizes=sizes, key=f"k-{number}"))
            seen.append((response, before, effect(of)))
        (length, before, after), (chunked, _, after_chunks) = seen
        said = f"{name}: {length.status} {length.body!r}, {chunked.status} {chunked.body!r}"
        assert (length.status, length.code) == (chunked.status, chunked.code), said
        assert after == after_chunks, said
        assert length.status > 0, said
        assert length.status < 500, said
        if expected == TAKEN or (expected == EMPTY and write.optional):
            assert length.status < 300, said
        elif expected:
            assert (length.status, length.code) == expected, said
            assert after == before, said
