import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from exports import ack_poller
from exports.models import installation


class Command(BaseCommand):
    help = "Read the answers of every active connection now, or of one organization's. Exits with 1 on a failure."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", help="The organization's slug.")
        parser.add_argument("--connection", help="The connection's name.")
        parser.add_argument("--json", action="store_true", help="Print the outcome as JSON.")

    def handle(self, **options: Any) -> None:
        outcomes = [self._poll(connection) for connection in self._connections(options)]
        if options["json"]:
            self.stdout.write(json.dumps(outcomes))
        failed = [outcome for outcome in outcomes if outcome["error"]]
        for outcome in [] if options["json"] else outcomes:
            told = outcome["error"] or f"{outcome['answers']} answers put away"
            self.stdout.write(f"{outcome['organization']} / {outcome['connection']}: {told}")
        if failed:
            raise CommandError(f"{len(failed)} of {len(outcomes)} connections could not be read.")

    def _connections(self, options: dict[str, Any]) -> list[ERPConnection]:
        rows = ERPConnection.objects.select_related("organization").filter(blocked_at=None)
        if options["organization"]:
            rows = rows.filter(organization__slug=options["organization"])
        if options["connection"]:
            rows = rows.filter(name=options["connection"])
        if not rows:
            raise CommandError("No connection goes by that, or it is blocked. See the admin's list of connections.")
        return list(rows)

    def _poll(self, connection: ERPConnection) -> dict[str, Any]:
        outcome: dict[str, Any] = {"organization": connection.organization.slug, "connection": connection.name}
        try:
            # A poll that finds the lanes held, or holds them itself, has read nothing.
            return outcome | {"answers": ack_poller.poll(connection.pk), "error": installation.why_held() or None}
        except ConnectorError as error:
            return outcome | {"answers": 0, "error": str(error)}
