"""One installation with its ERP, whose database a test sets back."""

import json
import shutil
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command
from moto.server import ThreadedMotoServer

from connectors.models import ERPConnection
from exports import ack_poller, push_service
from exports.delivery import drain
from exports.models import ERPExport, Installation
from exports.push_service import PushRequest
from exports.rollback import guard
from orderflow.orders.models import DraftOrder
from tests.conftest import MakeOrder
from tests.exports.recovery.backups import Backup
from tests.exports.recovery.erp import ERP


@dataclass(kw_only=True)
class Scene:
    connection: ERPConnection
    backup: Backup
    erp: ERP
    make_order: MakeOrder
    folder: Path
    s3: ThreadedMotoServer | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def push(self, order: DraftOrder | None = None, key: str | None = None) -> ERPExport:
        request = PushRequest(
            order=order or self.make_order(), actor="ops", connection=self.connection, idempotency_key=key
        )
        return push_service.push(request)

    def work(self) -> None:
        """What workers do when they are woken, and the ERP."""
        drain.drain(self.connection.pk)
        self.erp.work()
        ack_poller.poll(self.connection.pk)

    def restore(self) -> None:
        """Set the database back, and start the workers again."""
        self.backup.restore()
        guard._checked.clear()

    def is_held(self) -> bool:
        return Installation.objects.filter(held_since__isnull=False).exists()

    @property
    def names(self) -> set[str]:
        """What ever appeared under its final name."""
        return set(self.erp.seen)

    def lose_archive(self) -> None:
        if self.s3:
            self.s3.stop()
        else:
            shutil.rmtree(self.folder / "storage")

    def recover(self, *arguments: str) -> int:
        """The command's exit code; `report` has the rest."""
        file, code = self.folder / "report.json", 0
        try:
            call_command("recover", "--json", "--report", str(file), *arguments, stdout=StringIO(), stderr=StringIO())
        except CommandError as error:
            code = error.returncode
        self.report = json.loads(file.read_text())
        return code

    def named(self, kind: str) -> set[str]:
        """The files that the report lists under that."""
        return {each["name"] if isinstance(each, dict) else each for each in self.report[kind]}


def status_of(order: DraftOrder) -> tuple[str, list[str]]:
    order.refresh_from_db()
    return order.status, sorted(order.exports.values_list("status", flat=True))
