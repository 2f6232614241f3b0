"""How messages leave: one sender at a time, again after a failure, and nobody waits for a receiver."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from connectors.models import ERPConnection
from exports import tasks
from exports.delivery import drain
from exports.models import ERPExport
from exports.webhooks import attempts, endpoint_service, in_flight, leases, sender
from exports.webhooks import dispatch as webhook_dispatch
from exports.webhooks import retry_policy as webhook_retry_policy
from exports.webhooks.client import url_policy
from exports.webhooks.client.client import Answer, Receiver
from exports.webhooks.models import WebhookEndpoint, WebhookMessage, WebhookTry
from orderflow.celery import app
from orderflow.tenancy.models import AuditEntry
from tests.exports.conftest import Push
from tests.exports.webhooks.conftest import MakeEndpoint, MakeMessage, fail, let_time_pass, numbers, verified
from tests.servers.webhooks import Scripted, silence
from tests.support.shared_database import database_url, until

ROOT = Path(__file__).parents[3]
SEND = "import sys, django; django.setup(); from exports.tasks import send_webhooks; send_webhooks(sys.argv[1])"


def test_messages_arrive_each_once_and_can_be_checked(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    messages = [make_message() for _ in range(5)]
    sender.send(endpoint.pk)
    assert sorted(numbers(shop, endpoint)) == [1, 2, 3, 4, 5]
    heard = {heard.headers["webhook-id"]: heard.body.decode() for heard in shop.heard}
    assert heard == {f"msg_{message.uuid.hex}": message.payload for message in messages}
    for message in WebhookMessage.objects.all():
        (only,) = message.log.all()
        assert (message.status, message.tries, only.http_status, only.error) == ("DELIVERED", 1, 204, "")
        assert message.settled_at is not None
    sender.send(endpoint.pk)
    assert len(shop.heard) == 5


def test_a_refused_message_comes_again_with_the_same_id_and_a_fresh_signature(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    message = make_message()
    shop.answers = [(503, {}, b"<b>busy</b>"), 204]
    sender.send(endpoint.pk)
    message.refresh_from_db()
    assert (message.status, message.tries) == ("PENDING", 1)
    sender.send(endpoint.pk)
    assert len(shop.heard) == 1
    let_time_pass(seconds=6)
    with time_machine.travel(timezone.now() + timedelta(seconds=1)):
        sender.send(endpoint.pk)
    first, second = shop.heard
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert first.headers["webhook-timestamp"] < second.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert numbers(shop, endpoint) == [1, 1]
    message.refresh_from_db()
    assert (message.status, message.tries) == ("DELIVERED", 2)
    assert list(message.log.values_list("http_status", "answer")) == [(503, "<b>busy</b>"), (204, "")]


def test_a_fault_of_our_own_costs_a_pause_too(
    endpoint: WebhookEndpoint, make_message: MakeMessage, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    make_message()
    monkeypatch.setattr(url_policy, "checked", lambda _url: 1 / 0)
    sender.send(endpoint.pk)
    assert "The worker's log has why" in WebhookTry.objects.get().error
    sender.send(endpoint.pk)
    assert WebhookTry.objects.count() == 1


def test_a_paused_webhook_is_not_woken(endpoint: WebhookEndpoint, make_message: MakeMessage, queue: list[UUID]) -> None:
    for _ in range(webhook_retry_policy.SEVERAL):
        fail(endpoint, make_message())
    make_message()
    assert webhook_dispatch.wake(endpoint.pk)
    webhook_dispatch.call_next()
    assert queue == []
    let_time_pass(seconds=34)
    webhook_dispatch.call_next()
    webhook_dispatch.call_next()
    assert queue == [endpoint.pk]


def test_the_twelfth_failure_of_a_message_is_its_last(endpoint: WebhookEndpoint, make_message: MakeMessage) -> None:
    message = make_message()
    for tries in range(1, 13):
        message.refresh_from_db()
        assert message.status == "PENDING"
        fail(endpoint, message)
        let_time_pass(seconds=1.2 * webhook_retry_policy.WAITS[min(tries, 11) - 1].total_seconds())
        assert WebhookTry.objects.filter(message=message).count() == tries
    message.refresh_from_db()
    assert (message.status, message.tries, message.next_attempt_at) == ("FAILED", 12, None)
    assert leases.take(endpoint.pk) is not None
    assert not leases.due_messages().exists()


@pytest.mark.parametrize("status", ["FAILED", "DELIVERED"])
def test_a_settled_message_can_be_sent_again(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, status: str
) -> None:
    """Also one that the receiver accepted, and lost."""
    message = make_message(status=status, tries=12, failed_at=timezone.now(), settled_at=timezone.now())
    endpoint_service.send_again(message, actor="ina")
    with pytest.raises(endpoint_service.StillPending, match="is pending: it is sent anyway"):
        endpoint_service.send_again(message, actor="ina")
    sender.send(endpoint.pk)
    assert [heard.headers["webhook-id"] for heard in shop.heard] == [message.webhook_id]
    message.refresh_from_db()
    assert (message.status, message.tries) == ("DELIVERED", 1)
    assert AuditEntry.objects.filter(action="send webhook again", actor="ina").count() == 1


def test_what_was_heard_before_a_message_is_sent_again_does_not_settle_it(
    endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    """A test's process that was stopped, while a sender delivered its message and a person had it sent again."""
    message = make_message()
    WebhookMessage.objects.update(status="DELIVERED")
    endpoint_service.send_again(message, actor="ina")
    with pytest.raises(leases.LeaseLost), transaction.atomic():
        attempts.settle(message, Answer(status=500))
    assert WebhookMessage.objects.get().status == "PENDING"


def test_a_receiver_that_is_gone_is_asked_no_more(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    make_message()
    shop.answers = [410]
    sender.send(endpoint.pk)
    endpoint.refresh_from_db()
    assert not endpoint.enabled
    assert "410 Gone" in endpoint.disabled_reason
    assert endpoint.disabled_at is not None
    assert timezone.now() - endpoint.disabled_at < timedelta(minutes=1)
    let_time_pass(hours=1)
    sender.send(endpoint.pk)
    assert len(shop.heard) == 1
    assert AuditEntry.objects.get(action="disable webhook").actor == "OrderFlow"

    endpoint.enabled = True
    endpoint_service.edit(endpoint, ["enabled"], actor="ina")
    shop.answers = [204]
    sender.send(endpoint.pk)
    assert WebhookEndpoint.objects.filter(disabled_reason="", disabled_at=None).get() == endpoint
    assert WebhookMessage.objects.get().status == "DELIVERED"


@pytest.mark.parametrize(("days", "enabled"), [(4.9, True), (5.1, False)])
def test_five_days_without_a_success_disable_it(
    endpoint: WebhookEndpoint, make_message: MakeMessage, days: float, enabled: bool
) -> None:
    messages = [make_message() for _ in range(webhook_retry_policy.SEVERAL)]
    for message in messages:
        fail(endpoint, message)
    let_time_pass(days=days)
    fail(endpoint, messages[0], Answer(error="The receiver hung up without an answer."))
    endpoint.refresh_from_db()
    assert endpoint.enabled == enabled
    assert (endpoint.disabled_at is None) == enabled
    assert enabled or "5 days. The last try: The receiver hung up" in endpoint.disabled_reason
    assert set(WebhookMessage.objects.values_list("status", flat=True)) == {"PENDING"}


def test_two_senders_never_work_for_one_endpoint(endpoint: WebhookEndpoint, make_message: MakeMessage) -> None:
    make_message()
    assert leases.take(endpoint.pk) is not None
    assert leases.take(endpoint.pk) is None
    assert not leases.due().exists()
    let_time_pass(seconds=leases.LEASE_S + 1)
    assert leases.due().exists()
    assert leases.take(endpoint.pk) is not None


@pytest.mark.parametrize("meanwhile", ["edit", "new secret", "another sender"])
def test_what_a_sender_hears_after_it_lost_its_endpoint_counts_no_more(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, meanwhile: str
) -> None:
    make_message()
    lease = leases.take(endpoint.pk)
    assert lease is not None
    if meanwhile == "edit":
        endpoint_service.edit(endpoint, ["name"], actor="ina")
    elif meanwhile == "new secret":
        endpoint_service.renew_secret(endpoint, actor="ina")
    else:
        let_time_pass(seconds=leases.LEASE_S + 1)
        assert leases.take(endpoint.pk) is not None
    with pytest.raises(leases.LeaseLost):
        sender._send(lease)
    assert WebhookMessage.objects.get().status == "PENDING"
    assert not WebhookTry.objects.exists()
    let_time_pass(seconds=leases.LEASE_S + 1)
    sender.send(endpoint.pk)
    assert len({heard.headers["webhook-id"] for heard in shop.heard}) == 1
    assert WebhookMessage.objects.get().status == "DELIVERED"


def test_few_are_sent_to_at_once_and_failing_ones_leave_a_place(
    make_endpoint: MakeEndpoint, make_message: MakeMessage, settings: Any
) -> None:
    settings.WEBHOOK_SENDERS = 2
    healthy = [make_endpoint() for _ in range(2)]
    failing = [make_endpoint() for _ in range(2)]
    WebhookEndpoint.objects.filter(pk__in=[e.pk for e in failing]).update(failures_in_a_row=1)
    one = leases.take(failing[0].pk)
    assert one is not None
    assert leases.take(failing[1].pk) is None
    two = leases.take(healthy[0].pk)
    assert two is not None
    assert leases.take(healthy[1].pk) is None
    leases.give_back(one)
    assert leases.take(healthy[1].pk) is not None


def test_whoever_is_done_calls_the_next(
    make_endpoint: MakeEndpoint, make_message: MakeMessage, queue: list[UUID], settings: Any
) -> None:
    settings.WEBHOOK_SENDERS = 1
    first, second = make_endpoint(), make_endpoint()
    for endpoint in (first, second):
        make_message(endpoint=endpoint)
    sender.send(first.pk)
    assert queue == [second.pk]
    sender.send(second.pk)
    assert queue == [second.pk]
    assert not leases.due_messages().exists()


def test_beat_finds_what_a_lost_wake_up_left(
    endpoint: WebhookEndpoint, make_message: MakeMessage, queue: list[UUID]
) -> None:
    make_message()
    assert webhook_dispatch.wake(endpoint.pk)
    queue.clear()
    tasks.webhooks_due()
    assert queue == []
    let_time_pass(seconds=31)
    tasks.webhooks_due()
    assert queue == [endpoint.pk]


def test_webhooks_stand_in_a_line_of_their_own() -> None:
    assert app.amqp.router.route({}, webhook_dispatch.TASK)["queue"].name == "webhooks"
    assert tasks.send_webhooks.name == webhook_dispatch.TASK


def test_a_turn_ends_when_its_time_is_over(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, queue: list[UUID], monkeypatch: Any
) -> None:
    for _ in range(3):
        make_message()
    monkeypatch.setattr(leases, "SLICE_S", 0)
    sender.send(endpoint.pk)
    assert (len(shop.heard), queue) == (1, [endpoint.pk])


def test_a_secret_that_cannot_be_read_is_told_in_the_log(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    """S2."""
    make_message()
    WebhookEndpoint.objects.update(secret_encrypted=b"\x01" + b"?" * 60)
    sender.send(endpoint.pk)
    assert "The secret of webhook 'Shop' cannot be decrypted" in WebhookTry.objects.get().error
    assert shop.heard == []


@pytest.mark.django_db(transaction=True)
def test_receivers_that_hang_hold_up_no_delivery(
    shop: Scripted,
    make_endpoint: MakeEndpoint,
    push: Push,
    connection: ERPConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(in_flight, "Receiver", partial(Receiver, try_s=60))
    shop.answers = [silence(shop)]
    endpoints = [make_endpoint() for _ in range(3)]
    push()
    drain.drain(connection.pk)
    senders = [threading.Thread(target=in_own_connection, args=(sender.send, e.pk)) for e in endpoints]
    for thread in senders:
        thread.start()
    until(lambda: len(shop.heard) == 2)
    started = time.monotonic()
    export = push()
    drain.drain(connection.pk)
    assert time.monotonic() - started < 2
    export.refresh_from_db()
    assert export.status == "SENT"
    # The third found no place: two workers wait for receivers at the most.
    assert len(shop.heard) == 2
    shop.end.set()
    for thread in senders:
        thread.join(15)


def in_own_connection(work: Callable[[UUID], None], endpoint_id: UUID) -> None:
    try:
        work(endpoint_id)
    finally:
        database.close()


@pytest.mark.django_db(transaction=True)
def test_what_a_killed_sender_had_in_hand_goes_again_with_the_same_id(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, settings: Any
) -> None:
    message = make_message()
    shop.answers = [silence(shop), 204]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "orderflow.settings",
        "DATABASE_URL": database_url(),
        "ENCRYPTION_MASTER_KEY": settings.ENCRYPTION_MASTER_KEY,
        "WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8",
        "WEBHOOK_CA_FILE": settings.WEBHOOK_CA_FILE,
    }
    with subprocess.Popen([sys.executable, "-c", SEND, str(endpoint.pk)], env=environment, cwd=ROOT) as process:
        until(lambda: len(shop.heard) == 1)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    sender.send(endpoint.pk)
    assert len(shop.heard) == 1
    let_time_pass(seconds=leases.LEASE_S + 1)
    sender.send(endpoint.pk)
    assert [heard.headers["webhook-id"] for heard in shop.heard] == [message.webhook_id] * 2
    message.refresh_from_db()
    assert (message.status, message.tries) == ("DELIVERED", 1)


def test_every_export_counts_once_in_the_messages_that_arrive(
    shop: Scripted, endpoint: WebhookEndpoint, push: Push, connection: ERPConnection, folder: Path
) -> None:
    for _ in range(20):
        push()
    drain.drain(connection.pk)
    sender.send(endpoint.pk)
    found = [verified(heard, endpoint)["data"]["export_id"] for heard in shop.heard]
    assert sorted(found) == sorted(str(pk) for pk in ERPExport.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("answer", [Answer(status=200), Answer(status=500)], ids=["accepted", "refused"])
def test_each_message_renews_the_lease_of_its_endpoint_alone(
    endpoint: WebhookEndpoint, make_endpoint: MakeEndpoint, make_message: MakeMessage, answer: Answer
) -> None:
    """Many messages take longer than one lease, which nobody may take over meanwhile."""
    other = make_endpoint()
    for each in (endpoint, other):
        assert leases.take(each.pk) is not None
    let_time_pass(seconds=leases.LEASE_S - 1)
    endpoint.refresh_from_db()
    attempts.enter(leases.Lease(endpoint=endpoint), make_message(), answer)
    left = {
        row.pk: row.leased_until.timestamp() - time.time()
        for row in WebhookEndpoint.objects.all()
        if row.leased_until is not None
    }
    assert left[endpoint.pk] > leases.LEASE_S / 2 > 5 > left[other.pk]
    other.refresh_from_db()
    assert (other.failures_in_a_row, other.paused_until) == (0, None)
