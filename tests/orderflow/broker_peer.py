"""One process among several on a broker: `publish URL NAME COUNT` or `consume URL FILE`."""

import os
import sys
from pathlib import Path
from typing import Any

from kombu import Connection, Consumer, Queue

from orderflow import broker

QUEUE = Queue("wake")


def publish(url: str, name: str, count: int) -> None:
    with Connection(url) as connection, connection.Producer() as producer:
        for number in range(count):
            producer.publish(f"{name}-{number}", routing_key=QUEUE.name, declare=[QUEUE], serializer="json")


def consume(url: str, file: Path) -> None:
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def received(body: str, message: Any) -> None:
        os.write(descriptor, f"{body}\n".encode())
        message.ack()

    with Connection(url) as connection, Consumer(connection, [QUEUE], callbacks=[received], prefetch_count=1):
        while True:
            connection.drain_events()


if __name__ == "__main__":
    broker.register()
    match sys.argv[1:]:
        case ["publish", url, name, count]:
            publish(url, name, int(count))
        case ["consume", url, file]:
            consume(url, Path(file))
