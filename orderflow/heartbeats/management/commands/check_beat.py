from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orderflow.heartbeats import standstill


class Command(BaseCommand):
    help = "Exit with 0 if beat has sent tasks recently: the health check of a beat container."
    # Every 30 seconds, and about beat alone: the checks load every page and log in to Redis.
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        silent = [each for each in standstill.found() if each.component == standstill.BEAT]
        if silent:
            raise CommandError(str(silent[0]))
        self.stdout.write("Beat sends tasks.")
