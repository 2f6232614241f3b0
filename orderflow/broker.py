"""A broker without a server, for the processes of one machine: a queue is a folder, a message is a file.

queues/<queue>/<name>        waiting; names sort by time of publication
unreadable/<queue>@<name>    set aside for a person to look at

A message belongs to whoever deletes its file. So it is waiting or delivered and nothing between: a consumer that is
killed holds no message back on the disk, and loses at most what it had fetched and not yet run, as the sweep expects.
"""

import os
from collections import defaultdict, deque
from contextlib import suppress
from heapq import nsmallest
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from kombu import Connection
from kombu.log import get_logger
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.utils.json import dumps, loads

logger = get_logger(__name__)

CONTENT_TYPE = "application/json"
# Listing a long queue costs far more than taking a message from it, so one listing serves this many.
BATCH_SIZE = 256
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, PermissionError)


def register() -> None:
    """Makes `embedded:///absolute/folder` a broker URL."""
    TRANSPORT_ALIASES["embedded"] = f"{__name__}:Transport"


class Channel(virtual.Channel):
    def __init__(self, connection: "Transport", **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._root = connection.folder
        self._batches: defaultdict[str, deque[str]] = defaultdict(deque)

    def _new_queue(self, queue: str, **_: Any) -> None:
        self._folder(queue).mkdir(mode=0o700, exist_ok=True)

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        _require_json(message)
        self._new_queue(queue)
        name = f"{time_ns():020d}-{uuid4()}.json"
        hidden = self._folder(queue) / f".{name}"
        try:
            # Not synced to the disk: a wake-up that a power cut takes is found again by the sweep.
            hidden.touch(mode=0o600, exist_ok=False)
            hidden.write_bytes(dumps(message).encode())
            hidden.rename(hidden.with_name(name))
        except BaseException:
            hidden.unlink(missing_ok=True)
            raise

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:  # noqa: ARG002 - Kombu's signature
        while name := self._next_name(queue):
            message = self._take(self._folder(queue) / name)
            if message is not None:
                return message
        raise Empty

    def _next_name(self, queue: str) -> str | None:
        batch = self._batches[queue]
        if not batch:
            batch.extend(nsmallest(BATCH_SIZE, self._waiting(queue)))
        return batch.popleft() if batch else None

    def _take(self, path: Path) -> dict[str, Any] | None:
        """None: another consumer was first, or it cannot be read."""
        try:
            message = self._parse(path.read_bytes())
            path.unlink()
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            self._set_aside(path, error)
            return None
        return message

    def _parse(self, content: bytes) -> dict[str, Any]:
        message: dict[str, Any] = loads(content)
        _require_json(message)
        self.Message(message, channel=self)
        return message

    def _set_aside(self, path: Path, reason: Exception) -> None:
        target = self._root / "unreadable" / f"{path.parent.name}@{path.name}"
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):
            path.rename(target)
            logger.warning("Set aside a message that cannot be read (%r): %s. Look at it, delete it.", reason, target)

    def _purge(self, queue: str) -> int:
        return sum(_remove(self._folder(queue) / name) for name in self._waiting(queue))

    def _size(self, queue: str) -> int:
        return len(self._waiting(queue))

    def _waiting(self, queue: str) -> list[str]:
        with suppress(FileNotFoundError), os.scandir(self._folder(queue)) as entries:
            return [e.name for e in entries if not e.name.startswith(".") and e.is_file(follow_symlinks=False)]
        return []

    def _folder(self, queue: str) -> Path:
        return self._root / "queues" / quote(queue, safe="").replace(".", "%2E")


class Transport(virtual.Transport):
    """Direct and topic exchanges, which every process declares for itself. No fanout: no remote control, no events.

    Asynchronous, so that Celery gives each child of a prefork worker a pipe of its own. Without an event loop all
    children share two pipes and their locks: a child that is killed while it holds a lock, which an idle one always
    does, would block all others for good.
    """

    Channel = Channel
    implements = virtual.Transport.implements.extend(asynchronous=True)
    driver_type = driver_name = "embedded"
    polling_interval = 0.05
    connection_errors = (*virtual.Transport.connection_errors, OSError)
    default_connection_params: dict[str, Any] = {}

    def __init__(self, client: Connection, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        if client.hostname or client.virtual_host in (None, "/"):
            raise ValueError("The embedded broker needs an absolute folder: write embedded:///absolute/folder.")
        self.folder = Path("/") / client.virtual_host

    def establish_connection(self) -> "Transport":
        for folder in (self.folder, self.folder / "queues"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().establish_connection()
        return self

    def register_with_event_loop(self, _connection: Any, loop: Any) -> None:
        # Celery cancels the timer when the connection ends.
        loop.call_repeatedly(self.polling_interval, self._deliver_waiting)

    def _deliver_waiting(self) -> None:
        """Delivers as many messages as the consumers take. Raises `OSError`, on which Celery connects again."""
        with suppress(Empty):
            while True:
                self.cycle.get(self._deliver)


def _require_json(message: dict[str, Any]) -> None:
    if message["content-type"] != CONTENT_TYPE:
        raise ValueError(f"The embedded broker takes {CONTENT_TYPE} only, not {message['content-type']}.")


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
