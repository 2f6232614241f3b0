"""Bodies whose end is in doubt: what did not arrive completely has no effect, and no request hides in another."""

import gzip
import json
import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory

from exports.models import ERPExport
from orderflow.api.models import ApiToken
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Membership, Organization
from orderflow.tenancy.roles import Role
from orderflow.web.request_body import FAULT, with_whole_bodies
from orderflow.wsgi import application
from tests.orderflow.api.conftest import Tenant
from tests.servers.web import Response, abandon, chunks, exchange, head
from tests.support.api.requests import JSON, PASSWORD
from tests.support.shared_database import until

Ask = Callable[..., Response]
# As long with the blanks behind it as without them, for JSON: only the framing tells that something is missing.
BODY = b'{"notes": "edited"}' + b" " * 30


@pytest.fixture
def token(ours: Tenant) -> str:
    user = User.objects.create_user("framing", password=PASSWORD)
    Membership.objects.create(user=user, organization=ours.organization, role=Role.ADMIN)
    return str(ApiToken.objects.create(user, name="Test")[1])


@pytest.fixture
def opening(ours: Tenant, token: str) -> Callable[..., bytes]:
    """The head of a request that changes the order."""

    def opening(*, path: str = "", version: str = "1.1", method: str = "PATCH", **headers: str) -> bytes:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**JSON, "Authorization": f"Bearer {token}", **names}
        return head(method, f"/api/v1/draft-orders/{ours.order.pk}/{path}", sent, version)

    return opening


def notes(ours: Tenant) -> str:
    return DraftOrder.objects.get(pk=ours.order.pk).notes


FRAMES: dict[str, tuple[dict[str, str], bytes]] = {
    "shorter than its length": ({"Content_Length": "60"}, BODY),
    "nothing of its length": ({"Content_Length": "60"}, b""),
    "without the last chunk": ({"Transfer_Encoding": "chunked"}, chunks(BODY)[:-5]),
    "without the last line": ({"Transfer_Encoding": "chunked"}, chunks(BODY)[:-2]),
    "in the middle of a chunk": ({"Transfer_Encoding": "chunked"}, chunks(BODY)[:25]),
    "in the middle of a size": ({"Transfer_Encoding": "chunked"}, b"3"),
    "no chunk at all": ({"Transfer_Encoding": "chunked"}, b""),
    "half a gzip": ({"Transfer_Encoding": "chunked", "Content_Encoding": "gzip"}, chunks(b"\x1f\x8b\x08")[:-5]),
}
MALFORMED: dict[str, tuple[dict[str, str], bytes]] = {
    "size that is none": ({"Transfer_Encoding": "chunked"}, b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "size with a sign": ({"Transfer_Encoding": "chunked"}, b"+31\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "size with 0x": ({"Transfer_Encoding": "chunked"}, b"0x31\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "size too small": ({"Transfer_Encoding": "chunked"}, b"5\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "negative size": ({"Transfer_Encoding": "chunked"}, b"-1\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "bad trailer": ({"Transfer_Encoding": "chunked"}, chunks(BODY)[:-2] + b"Content-Length: 3\r\n\r\n"),
    "trailer without a colon": ({"Transfer_Encoding": "chunked"}, chunks(BODY)[:-2] + b"nonsense\r\n\r\n"),
}
REFUSED: dict[str, tuple[dict[str, str], bytes]] = {
    "both framings": ({"Transfer_Encoding": "chunked", "Content_Length": "5"}, chunks(BODY)),
    "length twice": ({"Content_Length": f"{len(BODY)}\r\nContent-Length: 3"}, BODY),
    "length that is none": ({"Content_Length": "+5"}, BODY),
    "chunked twice": ({"Transfer_Encoding": "chunked, chunked"}, chunks(BODY)),
    "chunked, then gzip": ({"Transfer_Encoding": "chunked, gzip"}, chunks(BODY)),
    "gzip alone": ({"Transfer_Encoding": "gzip"}, BODY),
    "gzip, chunked": ({"Transfer_Encoding": "gzip, chunked"}, chunks(BODY)),
    "unknown coding": ({"Transfer_Encoding": "xchunked"}, chunks(BODY)),
}


@pytest.mark.django_db(transaction=True)
def test_a_body_that_ends_early_has_no_effect(web: int, ours: Tenant, opening: Callable[..., bytes]) -> None:
    for name, (headers, sent) in FRAMES.items():
        response = exchange(web, opening(**headers) + sent, half_close=True)
        # To gunicorn, a last line that is missing is a malformed chunk.
        code = "bad_request" if name == "without the last line" else "broken_off"
        assert (response.status, response.code) == (400, code), (name, response)
        assert notes(ours) == "", name
    assert exchange(web, opening(Content_Length=str(len(BODY))) + BODY).status == 200
    assert notes(ours) == "edited"


@pytest.mark.django_db(transaction=True)
def test_a_call_that_needs_no_body_does_not_run_on_half_of_one(
    web: int, ours: Tenant, opening: Callable[..., bytes]
) -> None:
    """The order was approved and pushed over the default connection."""
    for path, status in (("approve/", "READY"), ("push/", "APPROVED"), ("retry-push/", "ERROR")):
        DraftOrder.objects.filter(pk=ours.order.pk).update(status=status)
        for name, (headers, sent) in {**FRAMES, **MALFORMED, **REFUSED}.items():
            response = exchange(web, opening(path=path, method="POST", **headers) + sent, half_close=True)
            assert response.status in (400, 501), (path, name, response)
            assert DraftOrder.objects.get(pk=ours.order.pk).status == status, (path, name)
    assert not ERPExport.objects.filter(draft_order=ours.order).exists()


@pytest.mark.django_db(transaction=True)
def test_malformed_chunks_are_a_problem_without_effect(web: int, ours: Tenant, opening: Callable[..., bytes]) -> None:
    for name, (headers, sent) in MALFORMED.items():
        response = exchange(web, opening(**headers) + sent)
        assert (response.status, response.code) == (400, "bad_request"), (name, response)
        assert "chunks" in response.json["detail"]
        assert notes(ours) == "", name


@pytest.mark.django_db(transaction=True)
def test_no_request_hides_in_the_body_of_another(web: int, ours: Tenant, opening: Callable[..., bytes]) -> None:
    hidden = opening(path="approve/", method="POST")
    for name, (headers, sent) in REFUSED.items():
        kept_open = opening(**headers).replace(b"Connection: close", b"Connection: keep-alive")
        response = exchange(web, kept_open + sent + hidden, half_close=True)
        assert response.status in (400, 501), (name, response)
        order = DraftOrder.objects.get(pk=ours.order.pk)
        assert (order.notes, order.status) == ("", "READY"), name


@pytest.mark.django_db(transaction=True)
def test_chunk_extensions_trailers_and_pauses_are_taken(web: int, ours: Tenant, opening: Callable[..., bytes]) -> None:
    sent = b'5;a=b\r\n{"not\r\n0E;c="d"\r\n' + BODY[5:19] + b"\r\n0;last\r\nX-Digest: abc\r\nX-Other: 1\r\n\r\n"
    assert exchange(web, opening(Transfer_Encoding="identity, Chunked") + sent).status == 200
    assert notes(ours) == "edited"


@pytest.mark.django_db(transaction=True)
def test_two_chunked_requests_follow_each_other_on_one_connection(
    web: int, ours: Tenant, opening: Callable[..., bytes]
) -> None:
    first = opening(Transfer_Encoding="chunked").replace(b"Connection: close", b"Connection: keep-alive")
    second = opening(path="approve/", method="POST", Transfer_Encoding="chunked")
    assert exchange(web, first + chunks(BODY) + second + chunks(b"")).status == 200
    until(lambda: DraftOrder.objects.get(pk=ours.order.pk).status == "APPROVED")
    assert notes(ours) == "edited"


@pytest.mark.django_db(transaction=True)
def test_http_1_0_knows_no_chunks_and_no_body_without_a_length(
    web: int, ours: Tenant, opening: Callable[..., bytes]
) -> None:
    assert exchange(web, opening(version="1.0", Transfer_Encoding="chunked") + chunks(BODY)).status == 400
    without = exchange(web, opening(version="1.0") + BODY, half_close=True)
    assert (without.status, without.code) == (422, "body_required")
    assert notes(ours) == ""
    assert exchange(web, opening(version="1.0", Content_Length=str(len(BODY))) + BODY).status == 200
    assert notes(ours) == "edited"


@pytest.mark.django_db(transaction=True)
def test_a_client_that_dies_in_the_middle_leaves_no_effect_and_the_server_well(
    web: int, ours: Tenant, opening: Callable[..., bytes]
) -> None:
    DraftOrder.objects.filter(pk=ours.order.pk).update(status="APPROVED")
    for headers, sent in FRAMES.values():
        abandon(web, opening(path="push/", method="POST", **headers) + sent)
    # More requests than the server has threads: the others are done with when these are.
    for _ in range(8):
        assert exchange(web, opening(method="GET")).status == 200
    assert DraftOrder.objects.get(pk=ours.order.pk).status == "APPROVED"
    assert not ERPExport.objects.filter(draft_order=ours.order).exists()


@pytest.mark.django_db(transaction=True)
def test_a_key_is_compared_by_what_was_sent_however_it_was_sent(web: int, ours: Tenant, token: str) -> None:
    """A client that compresses again writes another time into the gzip."""
    headers = {**JSON, "Authorization": f"Bearer {token}", "Idempotency-Key": "k-1"}
    body = b'{"external_order_number": "PO-K", "notes": "first"}'

    def create(body: bytes, **framing: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in framing.items()}
        return exchange(web, head("POST", "/api/v1/draft-orders/", {**headers, **named}) + body)

    def length(body: bytes) -> str:
        return str(len(body))

    early, late = gzip.compress(body, mtime=1), gzip.compress(body, mtime=2)
    answers = [
        create(body, Content_Length=length(body)),
        create(chunks(body, [1]), Transfer_Encoding="chunked"),
        create(early, Content_Encoding="gzip", Content_Length=length(early)),
        create(chunks(late, [5]), Content_Encoding="gzip", Transfer_Encoding="chunked"),
    ]
    assert {(answer.status, answer.body) for answer in answers} == {(201, answers[0].body)}
    other = create(chunks(body.replace(b"first", b"other")), Transfer_Encoding="chunked")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert DraftOrder.objects.filter(external_order_number="PO-K").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_header_that_comes_twice_is_not_one(web: int, ours: Tenant, opening: Callable[..., bytes]) -> None:
    for twice in ("k-1\r\nIdempotency-Key: k-2", "k-1\r\nIdempotency-Key: k-1"):
        sent = opening(path="push/", method="POST", Idempotency_Key=twice, Content_Length="2") + b"{}"
        response = exchange(web, sent)
        assert (response.status, response.code) == (400, "bad_idempotency_key")
    twice = "gzip\r\nContent-Encoding: gzip"
    response = exchange(web, opening(Content_Encoding=twice, Content_Length="2") + b"{}")
    assert (response.status, response.code) == (415, "unsupported_encoding")
    assert response.headers["accept-encoding"] == "gzip"


@pytest.mark.django_db(transaction=True)
def test_a_body_that_is_refused_by_its_size_is_answered_before_the_connection_closes(
    web: int, ours: Tenant, opening: Callable[..., bytes]
) -> None:
    body = b'{"notes": "' + b"x" * 8_000_000 + b'"}'
    for sent in (
        opening(Content_Length=str(len(body))) + body,
        opening(Transfer_Encoding="chunked") + chunks(body),
    ):
        response = exchange(web, sent)
        assert (response.status, response.code) == (413, "too_large")
    assert notes(ours) == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("chunked", [False, True])
def test_the_forms_of_the_admin_take_chunks(chunked: bool, web: int, organization: Organization) -> None:
    """Their fields were lost, and the log-in asked for a name."""
    User.objects.create_superuser("root", password=PASSWORD)
    page = exchange(web, head("GET", "/admin/login/", {}))
    found = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page.body)
    assert found
    cookie = page.headers["set-cookie"].partition(";")[0]
    fields = {"csrfmiddlewaretoken": found[1].decode(), "username": "root", "password": PASSWORD, "next": "/admin/"}
    for content_type, body in (_urlencoded(fields), _multipart(fields)):
        headers = {"Content-Type": content_type, "Cookie": cookie}
        framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
        sent = head("POST", "/admin/login/", {**headers, **framing}) + (chunks(body, [5]) if chunked else body)
        response = exchange(web, sent)
        assert (response.status, response.headers.get("location")) == (302, "/admin/"), response.body[:3000]
        short = exchange(web, sent[:-8], half_close=True)
        assert short.status == 400
        assert "set-cookie" not in short.headers


def _urlencoded(fields: dict[str, str]) -> tuple[str, bytes]:
    text = "&".join(f"{name}={value.replace(' ', '+')}" for name, value in fields.items())
    return "application/x-www-form-urlencoded", text.encode()


def _multipart(fields: dict[str, str]) -> tuple[str, bytes]:
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{fields[name]}\r\n' for name in fields]
    return "multipart/form-data; boundary=x", ("".join(parts) + "--x--\r\n").encode()


def test_a_server_that_does_not_decode_chunks_is_asked_for_a_length(db: None) -> None:
    """As Django's own development server is one."""
    environ = RequestFactory().generic("POST", "/api/v1/token/", b"{}", "application/json").environ
    environ |= {"HTTP_TRANSFER_ENCODING": "chunked"}
    del environ["CONTENT_LENGTH"]
    statuses: list[str] = []
    body = b"".join(application(environ, lambda status, _: statuses.append(status)))
    assert statuses == ["411 Length Required"]
    assert json.loads(body)["code"] == "length_required"


def test_a_body_is_received_without_a_length_where_the_server_marks_its_end() -> None:
    """As with HTTP/2, where a request has neither a length nor chunks."""
    seen: list[Any] = []

    def app(environ: dict[str, Any], _: Any) -> list[bytes]:
        seen.append((environ["wsgi.input"].read(), environ["CONTENT_LENGTH"], environ.get(FAULT)))
        return []

    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/"}
    with_whole_bodies(app)({**environ, "wsgi.input": BytesIO(b"abc"), "wsgi.input_terminated": True}, None)
    with_whole_bodies(app)({**environ, "wsgi.input": BytesIO(b"abc")}, None)
    assert seen == [(b"abc", "3", None), (b"", "0", None)]
