"""One organization with one connection into a folder, and everybody who acts on it: people, workers, time, the ERP."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from unittest.mock import patch

from django.conf import settings
from django.db import DatabaseError, connection, models, transaction
from django.db.models import F
from django.test import override_settings
from django.utils import timezone

from connectors.dropzones import settings as dropzone_settings
from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from exports import ack_poller
from exports.delivery import drain as delivery
from exports.models import AckFile, ERPExport, ExportEvent, Lane
from orderflow.keys import fresh_keys
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import AuditEntry, Organization
from tests.system.model import tables
from tests.system.model.actors.erp import ERP, FOLDERS
from tests.system.model.steps import Killed, Steps, Workers
from tests.system.model.watched import WatchedDropzone

MEMORY = Path("/dev/shm")  # noqa: S108 - thousands of small files, each synced
FILES = "django.core.files.storage.FileSystemStorage"
SLUG = "acme"
CONFIG = {"mode": "filesystem", "export_path": "in", "ack_path": "acks"}
# In the order in which they can be emptied.
EMPTIED = (AckFile, ExportEvent, ERPExport, DraftOrderLine, DraftOrder, Lane, AuditEntry)
KEYS = fresh_keys()["ENCRYPTION_MASTER_KEY"], fresh_keys()["ENCRYPTION_MASTER_KEY"]
LOST = fresh_keys()["ENCRYPTION_MASTER_KEY"]
# What moves back when the clock goes on. `created_at` stays: an export's file has it in its name.
TIMED: tuple[tuple[type[models.Model], tuple[str, ...]], ...] = (
    (ERPExport, ("next_attempt_at", "sent_at")),
    (ERPConnection, ("paused_until",)),
    (Lane, ("leased_until", "awake_since", "last_run_at")),
)


class World:
    """As new for each sequence."""

    def __init__(self, folder: Path, connection: ERPConnection, customer: Customer) -> None:
        self.connection = connection
        self.customer = customer
        self.workers = Workers()
        self.folder = Path(tempfile.mkdtemp(prefix="sequence-", dir=folder))
        self.roots = tuple(self.folder / name for name in ("first", "second"))
        self.erp = ERP(roots=tuple(root / SLUG for root in self.roots))
        self._watching = ExitStack()
        for root in self.erp.roots:
            for name in (*FOLDERS, "acks"):
                (root / name).mkdir(parents=True)
        self._orders = 0
        self._reset()
        dropzone = partial(WatchedDropzone, workers=self.workers, erp=self.erp)
        self._watching.enter_context(patch.object(dropzone_settings, "LocalDropzone", dropzone))
        self._watching.enter_context(self.workers.watched())

    @property
    def place(self) -> Path:
        """Where the connection leads to just now."""
        return Path(settings.DROPZONE_ROOT) / SLUG

    @property
    def acks(self) -> Path:
        return self.place / "acks"

    def temporaries(self) -> list[Path]:
        return [path for root in self.erp.roots for path in root.glob("*/*.tmp")]

    def move_to(self, root: Path) -> None:
        settings.DROPZONE_ROOT = root

    def set_keys(self, master: str, *previous: str) -> None:
        settings.ENCRYPTION_MASTER_KEY, settings.ENCRYPTION_PREVIOUS_KEYS = master, list(previous)

    def new_order(self) -> DraftOrder:
        self._orders += 1
        order = DraftOrder.objects.create(
            organization_id=self.connection.organization_id,
            customer=self.customer,
            external_order_number=f"PO-{self._orders}",
            currency="EUR",
            status=OrderStatus.READY,
        )
        DraftOrderLine.objects.create(order=order, line_no=1, internal_sku="42", qty=Decimal(10), uom="ST")
        return order

    def drain(self, steps: Steps | None = None) -> None:
        self._work(partial(delivery.drain, self.connection.pk), steps or Steps())

    def poll(self, steps: Steps | None = None) -> None:
        for answer in self.erp.answers:
            answer.polls += 1
        # An outage is told to the caller; the model looks at what it leaves behind.
        with suppress(ConnectorError):
            self._work(partial(ack_poller.poll, self.connection.pk), steps or Steps())

    def pass_time(self, span: timedelta) -> None:
        """The rows' times move back, which to the product is the clock going on."""
        for model, names in TIMED:
            model._default_manager.update(**{name: F(name) - span for name in names})

    def end(self) -> None:
        self._watching.close()
        shutil.rmtree(self.folder)

    def _work(self, work: Callable[[], object], steps: Steps) -> None:
        try:
            with self.workers.working(steps):
                work()
        except Killed:
            pass
        except DatabaseError:
            # Only where the model itself took the database away.
            if not steps.has_happened:
                raise
        if connection.in_atomic_block:
            raise AssertionError("a transaction outlived its worker")

    @transaction.atomic
    def _reset(self) -> None:
        with connection.cursor() as cursor:
            for model in EMPTIED:
                cursor.execute(f'DELETE FROM "{model._meta.db_table}"')  # noqa: S608 - the name is the model's
        self.move_to(self.roots[0])
        self.set_keys(KEYS[0])
        self.connection = ERPConnection(
            pk=self.connection.pk,
            organization_id=self.connection.organization_id,
            name="Folder",
            connector_type="DROPZONE_JSON_V1",
            is_default=True,
            created_at=timezone.now(),
        )
        self.connection.set_config(CONFIG)
        self.connection.save(force_update=True)
        Customer.objects.filter(pk=self.customer.pk).update(name="Toms Spezialitäten")


@contextmanager
def stage() -> Iterator["partial[World]"]:
    """Makes worlds, one after the other, in one database."""
    folder = Path(tempfile.mkdtemp(prefix="orderflow-model-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
    copies = {"location": str(folder / "copies"), "allow_overwrite": True}
    try:
        with override_settings(
            ACK_POLL_INTERVAL_S=0,
            DROPZONE_ROOT=folder / "none",
            STORAGES={**settings.STORAGES, "exports": {"BACKEND": FILES, "OPTIONS": copies}},
            ENCRYPTION_MASTER_KEY=KEYS[0],
            ENCRYPTION_PREVIOUS_KEYS=[],
        ):
            organization = Organization.objects.create(name="Acme", slug=SLUG)
            customer = Customer.objects.create(organization=organization, erp_customer_number="TOMSP", name="Toms")
            way = ERPConnection(organization=organization, name="Folder", connector_type="DROPZONE_JSON_V1")
            way.set_config(CONFIG)
            way.save()
            with tables.held_to():
                yield partial(World, folder, way, customer)
    finally:
        shutil.rmtree(folder)
