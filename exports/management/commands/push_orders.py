import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import track

from connectors.connections.lookup import UnknownConnection, connection_named
from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from exports import push_service
from exports.models.status import PushRefused
from exports.push_service import PushRequest
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus


class Command(BaseCommand):
    help = "Push an organization's APPROVED orders. Exits with 1 when one was refused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="The organization's slug.")
        parser.add_argument("--connection", help="The connection's name; without one, the default.")
        parser.add_argument("--order", action="append", help="An external order number; may stand more than once.")
        parser.add_argument("--user", default="push_orders", help="Whom the history names.")
        parser.add_argument("--dry-run", action="store_true", help="Only tell what would be pushed.")
        parser.add_argument("--json", action="store_true", help="Print the outcome as JSON.")

    def handle(self, **options: Any) -> None:
        try:
            connection = connection_named(options["organization"], options["connection"])
        except UnknownConnection as error:
            raise CommandError(str(error)) from error
        orders = self._orders(options)
        if options["dry_run"]:
            self._tell(options, {"would_push": len(orders)}, f"{len(orders)} orders would be pushed.")
            return
        refusals = self._push(orders, connection, options["user"])
        pushed = len(orders) - len(refusals)
        self._tell(options, {"pushed": pushed, "refused": refusals}, f"{pushed} orders are on their way.")
        if refusals:
            raise CommandError(f"{len(refusals)} orders were refused: {dict(Counter(r['code'] for r in refusals))}")

    def _orders(self, options: dict[str, Any]) -> list[DraftOrder]:
        rows = DraftOrder.objects.filter(
            organization__slug=options["organization"], status=OrderStatus.APPROVED
        ).select_related("organization")
        if options["order"]:
            rows = rows.filter(external_order_number__in=options["order"])
        return list(rows.order_by("created_at", "id"))

    def _push(self, orders: list[DraftOrder], connection: ERPConnection, user: str) -> list[dict[str, str]]:
        refusals = []
        for order in track(orders, "Pushing", console=Console(stderr=True), transient=True):
            try:
                push_service.push(PushRequest(order=order, actor=user, connection=connection))
            except (PushRefused, ConfigError) as error:
                code = error.code if isinstance(error, PushRefused) else "connector_unusable"
                refusals.append({"order": str(order), "code": code, "reason": str(error)})
                self.stderr.write(str(error))
        return refusals

    def _tell(self, options: dict[str, Any], facts: dict[str, Any], sentence: str) -> None:
        self.stdout.write(json.dumps(facts) if options["json"] else sentence)
