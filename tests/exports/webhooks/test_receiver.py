"""What goes over the wire, and what of a receiver's conduct is borne."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from exports.webhooks import receiver as receivers
from exports.webhooks.receiver import Answer, Receiver, fresh_secret
from tests.servers.webhooks import Authority, Scripted, deaf, drip, receiver, silence

TRY_S = 1.0
# For a busy machine.
LATE_S = 3.0
PAYLOAD = '{"type":"export.sent","data":{"external_order_number":"Größe 漢字 🚚"}}'


def post(url: str, secret: str = "") -> Answer:
    with Receiver(url=url, secret=secret or fresh_secret(), try_s=TRY_S) as to:
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
    with Receiver(url=shop.url, secret=fresh_secret()) as to:
        assert [to.post(f"msg_{n}", PAYLOAD).status for n in range(3)] == [204] * 3
    assert len({heard.connection for heard in shop.heard}) == 1


def test_a_connection_that_the_receiver_closed_is_not_used_again(shop: Scripted) -> None:
    def close(handler: Any) -> None:
        handler.say(204, {}, b"")
        handler.close_connection = True

    shop.answers = [close]
    with Receiver(url=shop.url, secret=fresh_secret()) as to:
        for number in range(3):
            assert to.post(f"msg_{number}", PAYLOAD).delivered
            time.sleep(0.1)
    assert len({heard.connection for heard in shop.heard}) == 3


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


@pytest.mark.usefixtures("timed")
@pytest.mark.parametrize("status", [200, 500])
def test_what_a_status_says_holds_though_its_words_drip(shop: Scripted, status: int) -> None:
    shop.answers = [drip(shop, b"HTTP/1.1 %d X\r\nContent-Length: 9000\r\n\r\n" % status, b"x")]
    answer = post(shop.url)
    assert (answer.status, answer.error) == (status, "")


def test_of_a_long_answer_the_beginning_is_read(shop: Scripted) -> None:
    shop.answers = [(500, {}, b"x" * 10_000_000)]
    answer = post(shop.url)
    assert (answer.status, len(answer.text)) == (500, 500)


def test_after_a_long_answer_the_next_message_gets_its_own(shop: Scripted) -> None:
    shop.answers = [(200, {}, b"HTTP/1.1 500 No\r\n\r\n" * 500), 204]
    with Receiver(url=shop.url, secret=fresh_secret()) as to:
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
    [("120", 120), ("0", 0), ("-5", 0), ("soon", 0), ("", 0), ("9" * 5000, 0), ("Wed, 21 Oct 2015 07:28:00 GMT", None)],
)
def test_how_long_to_wait_is_read_from_what_may_be_anything(header: str, expected: int | None) -> None:
    found = receivers._seconds(header)
    assert found == expected if expected is not None else found < 0


def test_no_thread_and_no_connection_is_left_behind(shop: Scripted) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    shop.answers = [204, silence(shop), 204, (500, {}, b"x" * 9000)]
    with Receiver(url=shop.url, secret=fresh_secret(), try_s=0.5) as to:
        for number in range(4):
            to.post(f"msg_{number}", PAYLOAD)
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}
    shop.end.set()
    deadline = time.monotonic() + 5
    # The receiver's own end of each goes a moment later.
    while len(list(Path("/proc/self/fd").iterdir())) > before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
