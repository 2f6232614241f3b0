import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from connectors.connections import service as connection_service
from connectors.connections.lookup import UnknownConnection, connection_named
from connectors.ports import TestStep


class Command(BaseCommand):
    help = "Try a connection step by step. Exits with 1 when it fails."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="The organization's slug.")
        parser.add_argument("connection", nargs="?", help="The connection's name; without one, the default.")
        parser.add_argument("--json", action="store_true", help="Print the result as JSON.")

    def handle(self, **options: Any) -> None:
        try:
            connection = connection_named(options["organization"], options["connection"])
        except UnknownConnection as error:
            raise CommandError(str(error)) from error
        on_step = None if options["json"] else self._tell
        result = connection_service.test(connection, actor="test_connection", on_step=on_step)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(result)))
        if not result.success:
            raise CommandError(result.error_message or "The test failed.")
        if not options["json"]:
            self.stdout.write(f"{connection.name} works ({result.latency_ms} ms).")

    def _tell(self, step: TestStep) -> None:
        mark = "ok    " if step.success else "failed"
        self.stdout.write(
            f"{mark} {step.name:<14} {step.duration_ms:>5} ms  {step.detail if step.success else ''}".rstrip()
        )
