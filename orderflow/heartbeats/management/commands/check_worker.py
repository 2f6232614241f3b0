import socket
import time
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from celery.utils.nodenames import default_nodename, worker_direct
from django.core.management.base import BaseCommand, CommandError
from kombu.exceptions import OperationalError

from orderflow.celery import app
from orderflow.heartbeats.models import Heartbeat
from orderflow.heartbeats.recorder import WORKER

LOOKS_EVERY_S = 0.2


class Command(BaseCommand):
    help = (
        "Send a task to one worker alone and wait until it has run: the health check of a worker container. It proves "
        "that the worker takes messages, that a process or thread of it runs them, and that it reaches the database."
    )
    # Every 30 seconds, and about the worker alone: the checks load every page and log in to Redis.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hostname", default="", help="as the worker got it; default: celery@<this machine>")
        parser.add_argument("--timeout", type=float, default=20, help="seconds to wait (20)")

    def handle(self, *_args: Any, **options: Any) -> None:
        hostname = default_nodename(options["hostname"].replace("%h", socket.gethostname()))
        before, end = _answered_at(hostname), time.monotonic() + options["timeout"]
        self._ping(hostname, options["timeout"])
        while _answered_at(hostname) == before:
            if time.monotonic() > end:
                raise CommandError(
                    f"Worker {hostname} did not run a task within {options['timeout']:g} s. "
                    "Restart it: its log has the reason."
                )
            time.sleep(LOOKS_EVERY_S)
        self.stdout.write(f"Worker {hostname} runs tasks.")

    def _ping(self, hostname: str, timeout_s: float) -> None:
        queue = worker_direct(hostname)
        try:
            app.send_task("orderflow.heartbeats.tasks.answer_ping", [hostname], queue=queue.name, expires=timeout_s)
        except OperationalError as error:
            raise CommandError(f"The broker does not take a task for worker {hostname}: {error}") from error


def _answered_at(hostname: str) -> datetime | None:
    return Heartbeat.objects.filter(name=WORKER + hostname).values_list("at", flat=True).first()
