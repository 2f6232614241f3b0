import logging
import os
import pickle
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue
from kombu.exceptions import OperationalError

from orderflow import broker
from tests.orderflow.broker_app import note
from tests.support.processes import family

broker.register()

REPOSITORY = Path(__file__).resolve().parents[2]
WORKER = ("celery", "-A", "tests.orderflow.broker_app", "worker", "--loglevel", "INFO")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "broker"


@pytest.fixture
def url(folder: Path) -> str:
    return f"embedded://{folder}"


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with Connection(url) as opened:
        yield opened


@pytest.fixture
def channel(connection: Connection) -> Any:
    return connection.channel()


def publish(connection: Connection, *bodies: str, queue: str = "wake", serializer: str = "json") -> None:
    with connection.Producer() as producer:
        for body in bodies:
            producer.publish(body, routing_key=queue, declare=[Queue(queue)], serializer=serializer)


def send(connection: Connection, *arguments: object) -> None:
    with connection.Producer() as producer:
        note.apply_async(arguments, producer=producer, retry=False)


def take_all(connection: Connection, queue: str = "wake") -> list[str]:
    channel: Any = connection.channel()
    taken = []
    while message := channel.basic_get(queue):
        message.ack()
        taken.append(message.decode())
    channel.close()
    return taken


def waiting(folder: Path, queue: str = "wake") -> list[Path]:
    return sorted((folder / "queues" / queue).iterdir())


def until(done: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)


def until_lines(count: int, *files: Path) -> None:
    until(lambda: len(lines(*files)) >= count, f"{count} lines")


def lines(*files: Path) -> list[str]:
    return [line for file in files if file.exists() for line in file.read_text().splitlines()]


@contextmanager
def process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, cwd=REPOSITORY, env=os.environ | environment) as running:
        try:
            yield running
        finally:
            running.terminate()
            with suppress(subprocess.TimeoutExpired):
                running.wait(20)
            running.kill()


def peer(*arguments: str) -> Any:
    return process("tests.orderflow.broker_peer", *arguments)


def worker(url: str, *pool: str) -> Any:
    return process(*WORKER, *QUIET, *pool, BROKER_URL=url)


def test_every_message_reaches_exactly_one_of_several_consumer_processes(
    tmp_path: Path, url: str, folder: Path
) -> None:
    files = [tmp_path / f"consumer-{number}" for number in range(4)]
    expected = {f"{name}-{number}" for name in ("a", "b", "c") for number in range(667)}
    with ExitStack() as running:
        for file in files:
            running.enter_context(peer("consume", url, str(file)))
        publishers = [running.enter_context(peer("publish", url, name, "667")) for name in ("a", "b", "c")]
        assert [publisher.wait(60) for publisher in publishers] == [0, 0, 0]
        until_lines(len(expected), *files)
    received = lines(*files)
    assert len(received) == len(expected)
    assert set(received) == expected
    assert waiting(folder) == []
    assert not (folder / "unreadable").exists()


def test_a_killed_consumer_loses_at_most_the_message_in_its_hands_and_holds_nothing_back(
    tmp_path: Path, url: str, folder: Path, connection: Connection
) -> None:
    """F20."""
    total, killed = 3000, [tmp_path / f"killed-{number}" for number in range(3)]
    publish(connection, *map(str, range(total)))
    for file in killed:
        with peer("consume", url, str(file)) as consumer:
            until_lines(100, file)
            consumer.kill()
    assert waiting(folder), "the consumers were killed too late to show anything"
    received = lines(*killed) + take_all(connection)
    assert len(set(received)) == len(received)
    assert total - len(killed) <= len(received) <= total
    assert waiting(folder) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff garbage",
        b'{"body": "IndvcmsiIg==", "content-ty',
        b"[]",
        b'{"content-type": "application/json"}',
        b'{"content-type": "application/json", "body": "a", "properties": {"body_encoding": "base64"}}',
        b"[" * 100_000,
        pickle.dumps({"body": "x"}),
    ],
    ids=["empty", "garbage", "truncated", "no object", "no properties", "bad base64", "nested", "pickle"],
)
def test_an_unreadable_message_is_set_aside_with_a_warning_and_the_next_one_is_delivered(
    content: bytes, folder: Path, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    publish(connection, "first", "second")
    waiting(folder)[0].write_bytes(content)
    name = waiting(folder)[0].name
    with caplog.at_level(logging.WARNING):
        assert take_all(connection) == ["second"]
    aside = folder / "unreadable" / f"wake@{name}"
    assert aside.read_bytes() == content
    assert str(aside) in caplog.text
    assert waiting(folder) == []


def test_a_message_in_another_format_than_json_is_neither_sent_nor_read(folder: Path, connection: Connection) -> None:
    """S20."""
    with pytest.raises(ValueError, match="application/json only"):
        publish(connection, "a", serializer="pickle")
    publish(connection, "b")
    file = waiting(folder)[0]
    file.write_text(file.read_text().replace("application/json", "application/x-python-serialize"))
    assert take_all(connection) == []
    assert (folder / "unreadable" / f"wake@{file.name}").exists()


def test_a_message_that_is_still_being_written_is_not_seen(folder: Path, connection: Connection, channel: Any) -> None:
    publish(connection, "whole")
    file = waiting(folder)[0]
    file.rename(file.with_name(f".{file.name}"))
    assert take_all(connection) == []
    assert channel.queue_declare("wake").message_count == 0


def test_messages_leave_in_the_order_of_their_publication(connection: Connection) -> None:
    bodies = [str(number) for number in range(broker.BATCH_SIZE * 2)]
    publish(connection, *bodies)
    assert take_all(connection) == bodies


@pytest.mark.parametrize("queue", ["a/b", "..", "../../outside", ".hidden", "ä@b", "with space"])
def test_a_queue_of_any_name_has_a_folder_of_its_own_inside_the_broker(
    queue: str, tmp_path: Path, folder: Path, connection: Connection
) -> None:
    publish(connection, "other", queue="wake")
    publish(connection, "mine", queue=queue)
    assert len(list((folder / "queues").iterdir())) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["broker"]
    assert take_all(connection, queue) == ["mine"]
    assert take_all(connection, "wake") == ["other"]


def test_a_queue_can_be_counted_and_purged(folder: Path, connection: Connection, channel: Any) -> None:
    publish(connection, "a", "b", "c")
    publish(connection, "d", queue="other")
    assert channel.queue_declare("wake").message_count == 3
    assert channel.queue_purge("wake") == 3
    assert waiting(folder) == []
    assert len(waiting(folder, "other")) == 1


def test_what_is_not_acknowledged_goes_back_to_the_queue_when_the_connection_closes(url: str) -> None:
    with Connection(url) as first:
        publish(first, "a", "b", "c")
        channel: Any = first.channel()
        messages = [channel.basic_get("wake") for _ in range(3)]
        messages[0].ack()
        messages[1].reject(requeue=True)
    with Connection(url) as second:
        assert sorted(take_all(second)) == ["b", "c"]


def test_a_consumer_takes_no_more_than_its_prefetch_count(folder: Path, connection: Connection) -> None:
    publish(connection, *"abcde")
    with Consumer(connection, [Queue("wake")], callbacks=[lambda *_: None], prefetch_count=2):
        for _ in range(2):
            connection.drain_events(timeout=5)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.2)
        assert len(waiting(folder)) == 3


def test_only_the_owner_can_read_the_folders_and_the_messages(folder: Path, connection: Connection) -> None:
    before = os.umask(0)
    try:
        publish(connection, "a")
    finally:
        os.umask(before)
    paths = [folder, *folder.rglob("*")]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()}
    assert modes == {0o700}
    assert [stat.S_IMODE(path.stat().st_mode) for path in waiting(folder)] == [0o600]


def test_a_broker_whose_folder_is_deleted_is_made_anew_by_the_next_message(folder: Path, url: str) -> None:
    received = []
    with (
        Connection(url) as consuming,
        Connection(url) as publishing,
        Consumer(consuming, [Queue("wake")], callbacks=[lambda body, _: received.append(body)]),
        publishing.Producer() as producer,
    ):
        publish(publishing, "before")
        folder.rename(folder.with_name("gone"))
        producer.publish("after", routing_key="wake", serializer="json", retry=True)
        consuming.drain_events(timeout=5)
    assert received == ["after"]


@pytest.mark.parametrize("wrong", ["embedded://var/broker", "embedded://", "embedded:///"])
def test_a_url_without_an_absolute_folder_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="embedded:///absolute/folder"):
        Connection(wrong).connect()


def test_a_task_for_a_broker_whose_folder_cannot_be_made_fails_with_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    url = f"embedded://{tmp_path / 'file' / 'broker'}"
    with (
        Connection(url, transport_options={"max_retries": 0}) as connection,
        pytest.raises(OperationalError) as failure,
    ):
        send(connection, "out", "text")
    assert url.removeprefix("embedded://") in str(failure.value)


def test_the_transport_promises_no_fanout(connection: Connection) -> None:
    assert "fanout" not in connection.transport.implements.exchange_type


@pytest.mark.full
def test_a_consumer_with_a_long_queue_before_it_is_quick(
    connection: Connection, record_property: Callable[[str, object], None]
) -> None:
    """Compared with a short queue on the same machine: the time per message does not grow with the queue."""

    def rate(count: int) -> float:
        publish(connection, *map(str, range(count)))
        started = time.monotonic()
        assert len(take_all(connection)) == count
        return count / (time.monotonic() - started)

    short, long = rate(500), rate(5000)
    record_property("messages per second", round(long))
    assert long > short / 5


@pytest.mark.parametrize(
    "pool",
    [("--pool", "prefork", "--concurrency", "2"), ("--pool", "solo"), ("--pool", "threads", "--concurrency", "4")],
    ids=["prefork", "solo", "threads"],
)
def test_a_celery_worker_runs_every_task_once_and_starts_an_idle_one_at_once(
    pool: tuple[str, ...],
    tmp_path: Path,
    url: str,
    connection: Connection,
    record_property: Callable[[str, object], None],
) -> None:
    out = tmp_path / "out"
    delays = []
    with worker(url, *pool) as running:
        send(connection, str(out), "warm-up")
        until_lines(1, out)
        for number in range(10):
            time.sleep(0.07)
            sent = time.time()
            send(connection, str(out), f"single-{number}")
            until_lines(number + 2, out)
            delays.append(float(lines(out)[-1].split()[1]) - sent)
        for number in range(200):
            send(connection, str(out), str(number))
        until_lines(211, out)
        running.terminate()
        assert running.wait(20) == 0
    names = [line.split()[0] for line in lines(out)]
    assert sorted(names[11:], key=int) == [str(number) for number in range(200)]
    assert waiting(tmp_path / "broker", "celery") == []
    record_property("idle to started, ms", [round(delay * 1000) for delay in delays])
    assert median(delays) < 1


@pytest.mark.parametrize("recycled", [(), ("--max-tasks-per-child", "3")], ids=["long-lived", "recycled"])
def test_a_killed_child_never_blocks_its_siblings(
    recycled: tuple[str, ...], tmp_path: Path, url: str, connection: Connection
) -> None:
    """F33: an idle child waits for work; what it holds while it waits must not outlive it."""
    out = tmp_path / "out"
    with worker(url, "--pool", "prefork", "--concurrency", "3", *recycled) as running:
        for number in range(6):
            until(lambda: len(family(running.pid)) > 3, "all children")
            until_heard(connection, out, f"before-{number}")
            for child in family(running.pid)[1:][: 1 + number % 3]:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            until_heard(connection, out, f"after-{number}")
        running.terminate()
        assert running.wait(20) == 0


def test_a_child_killed_for_its_time_limit_never_blocks_its_siblings(
    tmp_path: Path, url: str, connection: Connection
) -> None:
    """F33: the worker itself kills a child whose task takes too long."""
    out = tmp_path / "out"
    with worker(url, "--pool", "prefork", "--concurrency", "2", "--time-limit", "1"):
        until_heard(connection, out, "before")
        for number in range(4):
            for _ in range(2):
                send(connection, str(out), "too long", 60)
            until_heard(connection, out, f"after-{number}")
    assert not [line for line in lines(out) if "too long" in line]


def test_the_children_of_a_killed_worker_end_with_it(tmp_path: Path, url: str, connection: Connection) -> None:
    """F33: a child that lived on would hold leases, and work without anyone to hear of it."""
    out = tmp_path / "out"
    with worker(url, "--pool", "prefork", "--concurrency", "2") as running:
        until_heard(connection, out, "before")
        children = family(running.pid)[1:]
        assert len(children) == 2
        running.kill()
        until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "the children's end")


def test_a_worker_beside_one_that_is_killed_takes_every_message(
    tmp_path: Path, url: str, connection: Connection
) -> None:
    """F33: what the killed one had fetched may be lost, and nothing that is sent later."""
    doomed, out = tmp_path / "doomed", tmp_path / "out"
    with (
        worker(url, "--pool", "prefork", "--concurrency", "2", "--hostname", "one@%h") as one,
        worker(url, "--pool", "threads", "--concurrency", "2", "--hostname", "two@%h"),
    ):
        until(lambda: len(family(one.pid)) > 2, "all children")
        for number in range(20):
            send(connection, str(doomed), str(number), 0.2)
        until_lines(4, doomed)
        one.kill()
        for number in range(20):
            send(connection, str(out), str(number))
        until_lines(20, out)
    assert sorted((line.split()[0] for line in lines(out)), key=int) == [str(number) for number in range(20)]


def until_heard(connection: Connection, out: Path, text: str) -> None:
    """Until a task runs. A killed child takes at most the task along that it was given, so another one is sent."""
    end, sent = time.monotonic() + 20, 0
    while not any(line.startswith(f"{text} ") for line in lines(out)):
        assert time.monotonic() < end, f"{sent} tasks were sent and none ran: the worker is deaf"
        send(connection, str(out), text)
        sent += 1
        time.sleep(0.3)


def test_a_worker_that_stops_warmly_puts_back_what_it_had_not_started(
    tmp_path: Path, url: str, folder: Path, connection: Connection
) -> None:
    out = tmp_path / "out"
    for number in range(6):
        send(connection, str(out), str(number), 1)
    with worker(url, "--pool", "threads", "--concurrency", "1") as running:
        until(lambda: len(waiting(folder, "celery")) < 6, "the worker to start a task")
        running.terminate()
        assert running.wait(20) == 0
    ran = [line.split()[0] for line in lines(out)]
    left = take_all(connection, "celery")
    assert ran
    assert left
    assert sorted(ran + [task[0][1] for task in left]) == [str(number) for number in range(6)]
