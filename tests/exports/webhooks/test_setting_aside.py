"""A message that is refused waits by itself; its receiver is left alone only where several are refused in a row."""

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from email.utils import formatdate
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from exports.webhooks import attempts, endpoint_service, in_flight, leases, sender
from exports.webhooks import retry_policy as webhook_retry_policy
from exports.webhooks.client.client import Answer
from exports.webhooks.models import WebhookEndpoint, WebhookMessage, WebhookTry
from tests.exports.conftest import Push
from tests.exports.webhooks.conftest import MakeMessage, fail, let_time_pass, numbers
from tests.servers.webhooks import Heard, Scripted, judge, silence
from tests.support.shared_database import until


def number_of(heard: Heard) -> int:
    return int(json.loads(heard.body)["number"])


def poison(*numbers: int, answer: Any = 500) -> list[Any]:
    """Refuses these messages and accepts all others."""
    return [judge(lambda heard: answer if number_of(heard) in numbers else 204)]


def paused_s(endpoint: WebhookEndpoint) -> float:
    """From the last attempt on, however slow the machine is."""
    endpoint.refresh_from_db()
    last = WebhookTry.objects.filter(message__endpoint=endpoint).last()
    assert endpoint.paused_until is not None
    assert last is not None
    return (endpoint.paused_until - last.at).total_seconds()


def waits_s(message: WebhookMessage) -> float:
    message.refresh_from_db()
    last = message.log.last()
    assert message.next_attempt_at is not None
    assert last is not None
    return (message.next_attempt_at - last.at).total_seconds()


@pytest.mark.parametrize("answer", [500, 400, 401, (503, {}, b"busy"), (307, {"Location": "/x"}, b"")])
def test_a_message_that_is_refused_holds_up_no_other(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, answer: Any
) -> None:
    messages = [make_message() for _ in range(14)]
    shop.answers = poison(1, answer=answer)
    sender.send(endpoint.pk)
    assert sorted(numbers(shop, endpoint)) == list(range(1, 15))
    for message in messages:
        message.refresh_from_db()
    assert [message.status for message in messages] == ["PENDING"] + ["DELIVERED"] * 13
    assert 4 < waits_s(messages[0]) < 6
    endpoint.refresh_from_db()
    assert endpoint.paused_until is None


def test_a_message_that_hangs_holds_up_no_other(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    """Nor those that come while it hangs for the rest of its 10 s."""
    for _ in range(3):
        make_message()
    shop.answers = [judge(lambda heard: silence(shop) if number_of(heard) == 2 else 204)]
    sender.send(endpoint.pk)
    assert sorted(numbers(shop, endpoint)) == [1, 2, 3]
    assert WebhookTry.objects.get(http_status=None).error == "The receiver did not answer within 10 s."
    assert WebhookMessage.objects.filter(status="DELIVERED").count() == 2
    endpoint.refresh_from_db()
    assert endpoint.paused_until is None


def test_a_refused_message_keeps_its_own_schedule(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    message = make_message()
    shop.answers = poison(1)
    for tries, wait in enumerate((5, 15, 60, 300, 1800), start=1):
        sender.send(endpoint.pk)
        assert waits_s(message) == pytest.approx(wait, rel=0.15, abs=2)
        sender.send(endpoint.pk)
        assert len(shop.heard) == tries
        make_message()
        sender.send(endpoint.pk)
        assert number_of(shop.heard.pop()) == tries + 1
        let_time_pass(seconds=1.2 * wait)
    shop.answers = [204]
    sender.send(endpoint.pk)
    message.refresh_from_db()
    assert (message.status, message.tries) == ("DELIVERED", 6)


def test_two_that_are_refused_for_ever_do_not_count_as_several(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    """However often, and though nothing else happens."""
    for _ in range(2):
        make_message()
    shop.answers = [500]
    for _ in range(4):
        sender.send(endpoint.pk)
        let_time_pass(minutes=6)
    endpoint.refresh_from_db()
    assert (endpoint.failures_in_a_row, endpoint.paused_until, len(shop.heard)) == (2, None, 8)
    assert endpoint.failing_since is not None
    shop.answers = poison(1, 2)
    make_message()
    sender.send(endpoint.pk)
    assert WebhookMessage.objects.filter(status="DELIVERED").count() == 1


def test_several_that_fail_in_a_row_pause_the_webhook(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    for _ in range(6):
        make_message()
    shop.answers = [500]
    sender.send(endpoint.pk)
    assert numbers(shop, endpoint) == [1, 2, 3]
    assert 26 < paused_s(endpoint) < 34
    sender.send(endpoint.pk)
    assert len(shop.heard) == 3


def test_what_was_under_way_before_a_pause_does_not_make_it_longer(
    endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    lease = leases.take(endpoint.pk)
    assert lease is not None
    for _ in range(6):
        attempts.enter(lease, make_message(), Answer(status=500))
    assert 26 < paused_s(endpoint) < 34
    assert (endpoint.failures_in_a_row, endpoint.pauses_in_a_row) == (6, 1)


@pytest.mark.django_db(transaction=True)
def test_a_success_that_was_under_way_ends_a_pause_that_has_just_begun(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    for _ in range(9):
        make_message()
    refused = threading.Semaphore(0)

    def answer(handler: Any) -> None:
        if number_of(handler.heard) in (2, 3, 4):
            handler.give(500)
            refused.release()
        elif number_of(handler.heard) == 5:
            for _ in range(3):
                refused.acquire(timeout=10)
            until(lambda: WebhookTry.objects.filter(http_status=500).count() == 3)
            database.close()
            handler.give(204)
        else:
            handler.give(204)

    shop.answers = [answer]
    sender.send(endpoint.pk)
    assert sorted(numbers(shop, endpoint)) == list(range(1, 10))
    endpoint.refresh_from_db()
    assert endpoint.paused_until is None


def test_a_success_in_between_begins_the_count_anew(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_flight, "AT_ONCE", 1)
    for _ in range(8):
        make_message()
    shop.answers = poison(1, 2, 4, 5, 7, 8)
    sender.send(endpoint.pk)
    assert sorted(numbers(shop, endpoint)) == list(range(1, 9))
    endpoint.refresh_from_db()
    assert endpoint.paused_until is None


def test_a_paused_webhook_is_probed_with_one_message_at_a_time(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    for _ in range(20):
        make_message()
    shop.answers = [500]
    found = []
    for pause in (*webhook_retry_policy.PAUSES, webhook_retry_policy.PAUSES[-1]):
        before = len(shop.heard)
        sender.send(endpoint.pk)
        found.append(len(shop.heard) - before)
        assert paused_s(endpoint) == pytest.approx(pause.total_seconds(), rel=0.1, abs=2)
        let_time_pass(seconds=1.1 * pause.total_seconds())
    assert found == [3, *[1] * 6]
    shop.answers = [204]
    for _ in range(2):
        sender.send(endpoint.pk)
        let_time_pass(hours=1)
    assert not WebhookMessage.objects.filter(status="PENDING").exists()
    as_new = {"failures_in_a_row": 0, "pauses_in_a_row": 0, "paused_until": None, "failing_since": None}
    assert WebhookEndpoint.objects.filter(**as_new).get() == endpoint


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_a_receiver_that_is_away_for_15_s_costs_less_than_a_minute(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, count: int
) -> None:
    """By the clock of what was planned: every 10 s beat looks what is due."""
    for _ in range(count):
        make_message()
    clock = 0
    while WebhookMessage.objects.filter(status="PENDING").exists():
        assert clock < 60
        shop.answers = [503 if clock < 15 else 204]
        sender.send(endpoint.pk)
        let_time_pass(seconds=10)
        clock += 10
    assert {message.status for message in WebhookMessage.objects.all()} == {"DELIVERED"}


def test_new_messages_and_set_aside_ones_do_not_wait_for_each_other(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_flight, "AT_ONCE", 1)
    due = timezone.now() - timedelta(seconds=1)
    for _ in range(4):
        make_message(tries=1, next_attempt_at=due, failed_at=due)
    for _ in range(4):
        make_message()
    sender.send(endpoint.pk)
    assert numbers(shop, endpoint) == [5, 1, 6, 2, 7, 3, 8, 4]


def test_one_message_does_not_disable_a_webhook(endpoint: WebhookEndpoint, make_message: MakeMessage) -> None:
    """Where few are sent, it may be the only one for days."""
    message = make_message()
    for _ in range(3):
        fail(endpoint, message)
        let_time_pass(days=6)
    endpoint.refresh_from_db()
    assert endpoint.enabled


def test_a_person_who_has_fixed_the_receiver_waits_for_nothing(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    """A test that passes sends what failed at once, and what the receiver postponed when it asked for it."""
    messages = [make_message() for _ in range(5)]
    for message in messages[:4]:
        fail(endpoint, message)
        let_time_pass(minutes=1)
    fail(endpoint, messages[4], Answer(status=429, retry_after_s=600))
    WebhookMessage.objects.filter(tries=1).update(next_attempt_at=timezone.now() + timedelta(hours=20))
    assert endpoint_service.test(endpoint, actor="ina").delivered
    sender.send(endpoint.pk)
    assert [message.type for message in WebhookMessage.objects.filter(status="PENDING")] == ["export.sent"]
    assert WebhookMessage.objects.get(status="PENDING") == messages[4]


@pytest.mark.parametrize(("asked", "expected"), [("12", 12), ("0", 1), ("7200", 7200), ("999999", 86400), (None, 60)])
def test_a_message_that_is_answered_with_429_goes_again_when_the_receiver_asks(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, asked: str | None, expected: float
) -> None:
    message = make_message()
    make_message()
    shop.answers = poison(1, answer=(429, {"Retry-After": asked} if asked else {}, b"slowly"))
    for _ in range(4):
        sender.send(endpoint.pk)
        assert waits_s(message) == pytest.approx(expected, abs=2)
        let_time_pass(seconds=expected + 1)
    endpoint.refresh_from_db()
    message.refresh_from_db()
    assert (message.status, message.tries, message.failed_at) == ("PENDING", 0, None)
    assert (endpoint.failures_in_a_row, endpoint.failing_since, endpoint.paused_until) == (0, None, None)
    assert WebhookMessage.objects.filter(status="DELIVERED").count() == 1
    shop.answers = [204]
    sender.send(endpoint.pk)
    message.refresh_from_db()
    assert (message.status, message.tries, message.postponed_since) == ("DELIVERED", 1, None)
    assert list(message.log.values_list("http_status", flat=True)) == [429] * 4 + [204]


def test_a_date_to_go_again_is_followed(shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage) -> None:
    message = make_message()
    shop.answers = [(429, {"Retry-After": formatdate(time.time() + 300, usegmt=True)}, b"")]
    sender.send(endpoint.pk)
    assert waits_s(message) == pytest.approx(300, abs=3)


@pytest.mark.parametrize(("asked", "expected"), [(12, 12), (99999, 3600)])
def test_a_receiver_that_answers_429_to_all_is_left_alone(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, asked: int, expected: float
) -> None:
    for _ in range(10):
        make_message()
    shop.answers = [(429, {"Retry-After": str(asked)}, b"")]
    for turns in range(1, 4):
        sender.send(endpoint.pk)
        assert len(shop.heard) == 2 * turns
        assert paused_s(endpoint) == pytest.approx(expected, abs=2)
        let_time_pass(seconds=expected + 1)
    assert (endpoint.failures_in_a_row, endpoint.enabled) == (0, True)
    shop.answers = [204]
    sender.send(endpoint.pk)
    let_time_pass(days=1)
    sender.send(endpoint.pk)
    assert WebhookMessage.objects.filter(status="DELIVERED", tries=1).count() == 10


@pytest.mark.parametrize(("days", "status"), [(4.9, "PENDING"), (5.1, "FAILED")])
def test_a_message_that_is_postponed_for_days_has_failed(
    endpoint: WebhookEndpoint, make_message: MakeMessage, days: float, status: str
) -> None:
    message = make_message()
    limited = Answer(status=429)
    fail(endpoint, message, limited)
    let_time_pass(days=days)
    fail(endpoint, message, limited)
    message.refresh_from_db()
    endpoint.refresh_from_db()
    assert (message.status, endpoint.enabled) == (status, True)
    assert message.log.count() == 2


@pytest.mark.parametrize(("asked", "expected"), [("1", 1), ("2", 2), ("600", 600), ("999999", 86400)])
def test_503_is_a_failure_with_a_time_of_its_own(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, asked: str, expected: float
) -> None:
    message = make_message(tries=3)
    shop.answers = [(503, {"Retry-After": asked}, b"")]
    sender.send(endpoint.pk)
    assert waits_s(message) == pytest.approx(expected, abs=1)
    assert message.tries == 4
    for _ in range(2):
        make_message()
    sender.send(endpoint.pk)
    assert paused_s(endpoint) == pytest.approx(min(expected, 3600), abs=1)


@pytest.mark.parametrize(
    ("waits", "wait_s"),
    [
        (webhook_retry_policy.WAITS, webhook_retry_policy.wait_s),
        (webhook_retry_policy.PAUSES, webhook_retry_policy.pause_s),
    ],
    ids=["waits", "pauses"],
)
def test_waits_are_spread_by_a_tenth(waits: tuple[timedelta, ...], wait_s: Callable[[int], float]) -> None:
    for count, wait in enumerate((*waits, waits[-1]), start=1):
        found = {wait_s(count) for _ in range(50)}
        assert all(abs(seconds - wait.total_seconds()) <= 0.1 * wait.total_seconds() for seconds in found)
        assert len(found) > 1


def test_several_messages_are_under_way_at_once(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    """While nothing fails: a receiver that takes its time need not be waited for with each."""
    together = threading.Barrier(4)

    def meet(handler: Any) -> None:
        together.wait(10)
        handler.give(204)

    for _ in range(9):
        make_message()
    shop.answers = [204, meet]
    sender.send(endpoint.pk)
    assert WebhookMessage.objects.filter(status="DELIVERED", tries=1).count() == 9
    assert len({heard.connection for heard in shop.heard}) == 4


@pytest.mark.parametrize("answer", [500, 429])
def test_a_receiver_that_does_not_accept_gets_one_at_a_time(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, answer: int
) -> None:
    under_way, most = 0, 0
    guard = threading.Lock()

    def count(handler: Any) -> None:
        nonlocal under_way, most
        with guard:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.05)
        with guard:
            under_way -= 1
        handler.give((answer, {"Retry-After": "1"}, b""))

    for _ in range(8):
        make_message()
    shop.answers = [count]
    sender.send(endpoint.pk)
    assert most == 1


def test_messages_of_one_export_keep_their_order(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, push: Push
) -> None:
    for export in [push() for _ in range(3)]:
        for _ in range(3):
            make_message(export=export)
    begins: dict[int, float] = {}
    ends: dict[int, float] = {}

    def slow(handler: Any) -> None:
        number = number_of(handler.heard)
        begins[number] = time.monotonic()
        shop.end.wait(0.2)
        ends[number] = time.monotonic()
        handler.give(204)

    shop.answers = [slow]
    sender.send(endpoint.pk)
    assert len(shop.heard) == 9
    for first in (1, 2, 4, 5, 7, 8):
        assert ends[first] <= begins[first + 1]
    assert begins[4] < ends[2]
