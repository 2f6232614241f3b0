"""What goes over the wire, and what of a receiver's conduct is borne."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from email.utils import formatdate
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from exports.webhooks.client.client import Answer, Receiver, fresh_secret
from exports.webhooks.client.connection import EXCERPT_S
from tests.servers.webhooks import Authority, Scripted, deaf, drip, receiver, silence

TRY_S = 1.0
# For a busy machine.
LATE_S = 3.0
PAYLOAD = '{"type":"export.sent","data":{"external_order_number":"Größe 漢字 🚚"}}'


def post(url: str, secret: str = "") -> Answer:
    with Receiver(url=url, secrets=[secret or fresh_secret()], try_s=TRY_S) as to:
        return to.post("msg_1", PAYLOAD)


@pytest.fixture
def timed() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < TRY_S + LATE_S


def test_a_message_is_signed_and_can_be_checked_by_the_library(shop: Scripted) -> None:
    secret = fresh_secret()
    answer = post(shop.url + "?shop=1", secret)
    assert (answer.status, answer.delivered, answer.error) == (204, True, "")
    (heard,) = shop.heard
    assert (heard.path, heard.body) == ("/hook?shop=1", PAYLOAD.encode())
    assert heard.headers["webhook-id"] == "msg_1"
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["host"] == shop.url.split("/")[2]
    assert Webhook(secret).verify(heard.body, heard.headers)["type"] == "export.sent"
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(fresh_secret()).verify(heard.body, heard.headers)


def test_secrets_are_32_random_bytes() -> None:
    secrets = {fresh_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(Webhook(secret)._whsecret) for secret in secrets} == {32}


def test_messages_of_one_turn_share_a_connection(shop: Scripted) -> None:
    with Receiver(url=shop.url, secrets=[fresh_secret()]) as to:
        assert [to.post(f"msg_{n}", PAYLOAD).status for n in range(3)] == [204] * 3
    assert len({heard.connection for heard in shop.heard}) == 1


def test_a_connection_that_the_receiver_closed_is_not_used_again(shop: Scripted) -> None:
    def close(handler: Any) -> None:
        handler.say(204, {}, b"")
        handler.close_connection = True

    shop.answers = [close]
    with Receiver(url=shop.url, secrets=[fresh_secret()]) as to:
        for number in range(3):
            assert to.post(f"msg_{number}", PAYLOAD).delivered
            time.sleep(0.1)
    assert len({heard.connection for heard in shop.heard}) == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_redirect_tells_its_url(shop: Scripted, status: int) -> None:
    shop.answers = [(status, {"Location": "https://www.shop.example/hook"}, b"Moved.")]
    told = "The receiver redirects to https://www.shop.example/hook: enter that URL."
    assert str(post(shop.url)) == f"The receiver answered with HTTP status {status}. {told}"


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://www.shop.example/hook", "redirects to https://www.shop.example/hook: enter that URL."),
        ("//www.shop.example/hook", "redirects to https://www.shop.example/hook: enter that URL."),
        ("/hook/", "redirects to https://localhost:PORT/hook/: enter that URL."),
        ("http://shop.example/", "redirects to http://shop.example/, which cannot be entered. The URL is not"),
        ("https://u:canary@shop.example/", "redirects to a URL, which cannot be entered. The URL holds a user name"),
        ("https://shop.example/\x1b[31m", "redirects to https://shop.example/ [31m, which cannot be entered."),
        ("https://shop.example:99999/", "redirects to https://shop.example:99999/, which cannot be entered."),
        ("https://[::1", "redirects to https://[::1, which cannot be entered."),
        ("https://shop.example/" + "x" * 9000, "redirects to a URL, which cannot be entered. It is too long."),
    ],
)
def test_a_redirect_tells_the_url_to_enter(shop: Scripted, location: str, told: str) -> None:
    """S16 for what the receiver chose."""
    shop.answers = [(308, {"Location": location}, b"")]
    answer = post(shop.url)
    assert (answer.status, answer.delivered) == (308, False)
    assert told.replace("PORT", shop.url.split(":")[2].split("/")[0]) in str(answer)
    assert len(answer.error) < 500
    assert "canary" not in str(answer)
    assert str(answer).isprintable()


@pytest.mark.parametrize(("status", "headers"), [(302, {}), (304, {"Location": "/x"}), (500, {"Location": "/x"})])
def test_what_is_no_redirect_names_no_url(shop: Scripted, status: int, headers: dict[str, str]) -> None:
    shop.answers = [(status, headers, b"")]
    assert str(post(shop.url)) == f"The receiver answered with HTTP status {status}."


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(shop: Scripted, start_receiver: Callable[[], Scripted], status: int) -> None:
    """S7."""
    elsewhere = start_receiver()
    shop.answers = [(status, {"Location": elsewhere.url}, b"")]
    answer = post(shop.url)
    assert (answer.status, answer.delivered) == (status, False)
    assert elsewhere.heard == []


def test_a_proxy_of_the_environment_is_not_asked(shop: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """S7: it would connect to addresses that nobody checked."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert post(shop.url).delivered


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_out_of_reach_unless_the_operator_allows_it(shop: Scripted, settings: Any, host: str) -> None:
    """S7."""
    settings.WEBHOOK_PRIVATE_NETWORKS = ()
    answer = post(shop.url.replace("localhost", host))
    assert "may not be connected to" in answer.error
    assert "WEBHOOK_PRIVATE_NETWORKS" in answer.error
    assert "127.0.0.1" not in answer.error.replace(host.strip("[]"), "")
    assert shop.heard == []


@pytest.mark.parametrize(
    "meant", ["10.0.0.5", "172.16.1.1", "192.168.0.1", "169.254.169.254", "fd00:ec2::254", "fe80::1", "100.64.0.1"]
)
def test_a_name_that_leads_to_a_private_address_is_refused(
    settings: Any, monkeypatch: pytest.MonkeyPatch, meant: str
) -> None:
    """S7: unlike a connection, a webhook has no reason to go there."""
    settings.WEBHOOK_PRIVATE_NETWORKS = ()
    family = socket.AF_INET6 if ":" in meant else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (meant, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
    assert "may not be connected to" in post("https://innocent.example/hook").error


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    shop: Scripted, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S7: a name that changes its mind in between changes nothing."""
    settings.WEBHOOK_PRIVATE_NETWORKS = (ip_network("127.0.0.1/32"),)
    port, asked = int(shop.url.split(":")[2].split("/")[0]), []

    def resolve(host: str, *_args: Any, **_options: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{len(asked)}", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert post(shop.url).delivered
    assert asked == ["localhost"]


def test_without_encryption_only_the_operators_networks_are_reached(settings: Any) -> None:
    """S7."""
    with receiver() as plain:
        assert "not encrypted" in post(plain.url).error
        settings.WEBHOOK_ALLOW_HTTP = True
        assert post(plain.url).delivered
        settings.WEBHOOK_PRIVATE_NETWORKS = (ip_network("10.0.0.0/8"),)
        assert "may not be connected to" in post(plain.url).error
        assert "may not be connected to" in post("http://93.184.215.14/hook").error
    assert len(plain.heard) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(shop: Scripted, settings: Any) -> None:
    settings.WEBHOOK_CA_FILE = ""
    assert "certificate is not trusted: " in post(shop.url).error
    assert shop.heard == []


def test_certificates_that_cannot_be_read_are_the_operators_to_mend(shop: Scripted, settings: Any) -> None:
    settings.WEBHOOK_CA_FILE = "/no/such/file.pem"
    assert post(shop.url).error.startswith("WEBHOOK_CA_FILE holds no certificates.")


def test_a_certificate_of_another_name_is_refused(authority: Authority) -> None:
    with receiver(authority.server_context("other.example")) as other:
        assert "certificate is not trusted: " in post(other.url).error
    assert other.heard == []


@pytest.mark.usefixtures("timed")
def test_a_receiver_that_says_nothing_is_left_at_the_deadline(shop: Scripted) -> None:
    shop.answers = [silence(shop)]
    assert post(shop.url).error == "The receiver did not answer within 1 s."


@pytest.mark.usefixtures("timed")
def test_a_receiver_that_never_begins_with_tls_is_left_at_the_deadline() -> None:
    with deaf() as port:
        assert post(f"https://localhost:{port}/").error == "The receiver did not answer within 1 s."


@pytest.mark.usefixtures("timed")
@pytest.mark.parametrize(
    ("beginning", "drop"),
    [(b"", b"H"), (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["before the status", "in a header", "with promises"],
)
def test_a_receiver_that_drips_is_left_at_the_deadline(shop: Scripted, beginning: bytes, drop: bytes) -> None:
    shop.answers = [drip(shop, beginning, drop)]
    answer = post(shop.url)
    assert not answer.delivered
    assert answer.error == "The receiver did not answer within 1 s."


@pytest.mark.parametrize("status", [200, 202, 500, 302])
@pytest.mark.parametrize(
    "framing", ["Content-Length: 9000", "Content-Length: 90", "Transfer-Encoding: chunked", "Connection: close"]
)
def test_a_body_that_drips_keeps_no_sender(shop: Scripted, status: int, framing: str) -> None:
    """A success is complete with its headers. The text of a failure is read for a moment; none is complete by then."""
    drop = b"1\r\n1\r\n" if "chunked" in framing else b"1"
    shop.answers = [drip(shop, f"HTTP/1.1 {status} X\r\n{framing}\r\n\r\n".encode(), drop), 204]
    started = time.monotonic()
    with Receiver(url=shop.url, secrets=[fresh_secret()], try_s=30) as to:
        answer, next_answer = (to.post(f"msg_{number}", PAYLOAD) for number in range(2))
        assert (answer.status, next_answer.status) == (status, 204)
        assert answer.duration_ms < (LATE_S + EXCERPT_S) * 1000
        assert answer.error == ""
        assert bool(answer.text) == (status in (500, 302))
    assert time.monotonic() - started < 2 * LATE_S + EXCERPT_S


@pytest.mark.parametrize("status", [200, 201])
def test_a_success_with_a_short_text_keeps_its_connection(shop: Scripted, status: int) -> None:
    shop.answers = [(status, {}, b"ok"), (status, {}, b""), (status, {}, b"thanks"), 204]
    with Receiver(url=shop.url, secrets=[fresh_secret()]) as to:
        for number in range(4):
            assert to.post(f"msg_{number}", PAYLOAD).delivered
            time.sleep(0.1)
    assert len({heard.connection for heard in shop.heard}) == 1


def test_a_short_text_that_is_late_is_not_taken_for_the_next_response(shop: Scripted) -> None:
    def late(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n")
        handler.wfile.flush()
        shop.end.wait(0.5)
        with suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 410 Gone\r\n\r\n   ")

    shop.answers = [late, 204]
    with Receiver(url=shop.url, secrets=[fresh_secret()]) as to:
        assert [to.post(f"msg_{number}", PAYLOAD).status for number in range(2)] == [200, 204]


def test_of_a_long_answer_the_beginning_is_read(shop: Scripted) -> None:
    shop.answers = [(500, {}, b"x" * 10_000_000)]
    answer = post(shop.url)
    assert (answer.status, len(answer.text)) == (500, 500)


def test_after_a_long_answer_the_next_message_gets_its_own(shop: Scripted) -> None:
    shop.answers = [(200, {}, b"HTTP/1.1 500 No\r\n\r\n" * 500), 204]
    with Receiver(url=shop.url, secrets=[fresh_secret()]) as to:
        assert [to.post(f"msg_{n}", PAYLOAD).status for n in range(2)] == [200, 204]


def test_what_a_receiver_says_is_tamed(shop: Scripted) -> None:
    """S16."""
    shop.answers = [(400, {}, "\x1b[31mred\r\nSet-Cookie: x\0 \u202ereversed".encode())]
    assert post(shop.url).text == "[31mred Set-Cookie: x reversed"


def test_what_is_no_http_is_told_so(shop: Scripted) -> None:
    def talk(handler: Any) -> None:
        handler.wfile.write(b"220 smtp.example ESMTP\r\n")
        handler.close_connection = True

    shop.answers = [talk]
    assert post(shop.url).error == "The receiver's answer is not HTTP."


def test_a_receiver_that_hangs_up_is_told_so(shop: Scripted) -> None:
    def hang_up(handler: Any) -> None:
        handler.close_connection = True

    shop.answers = [hang_up]
    assert post(shop.url).error == "The receiver hung up without an answer."


def test_a_port_where_nothing_listens_is_told_so() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    assert "nothing listens there" in post(f"https://localhost:{port}/").error


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", 120), ("0", 0), ("-5", None), ("soon", None), ("", None), ("9" * 5000, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None), ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
def test_how_long_to_wait_is_read_from_what_may_be_anything(
    shop: Scripted, status: int, header: str, expected: int | None
) -> None:
    shop.answers = [(status, {"Retry-After": header}, b"")]
    assert post(shop.url).retry_after_s == expected


@pytest.mark.parametrize("clock_s", [0, -3600, 3600])
def test_a_date_to_wait_for_is_read_by_the_receivers_clock(shop: Scripted, clock_s: int) -> None:
    def ask(handler: Any) -> None:
        now = time.time() + clock_s
        handler.send_response_only(429)
        handler.send_header("Date", formatdate(now, usegmt=True))
        handler.send_header("Retry-After", formatdate(now + 90, usegmt=True))
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    shop.answers = [ask]
    assert post(shop.url).retry_after_s == pytest.approx(90, abs=2)


def test_other_failures_ask_for_no_time(shop: Scripted) -> None:
    shop.answers = [(500, {"Retry-After": "90"}, b"")]
    assert post(shop.url).retry_after_s is None


def test_no_thread_and_no_connection_is_left_behind(shop: Scripted) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    shop.answers = [204, silence(shop), 204, (500, {}, b"x" * 9000)]
    with Receiver(url=shop.url, secrets=[fresh_secret()], try_s=0.5) as to:
        for number in range(4):
            to.post(f"msg_{number}", PAYLOAD)
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}
    shop.end.set()
    deadline = time.monotonic() + 5
    # The receiver's own end of each goes a moment later.
    while len(list(Path("/proc/self/fd").iterdir())) > before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
