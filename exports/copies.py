"""The copy of every document in object storage: beside the drop, never in its way."""

import logging
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, storages
from django.db.models import Value
from django.db.models.functions import Concat, Now

from connectors.registry import registry
from exports.documents import attempt_of, sales_order, with_orders
from exports.models import ERPExport

logger = logging.getLogger(__name__)

WRITERS = 4
# How long the end of a slice waits for a slow storage; what is late then is stored by the sweep.
PATIENCE_S = 5
# Younger ones may still be under way in a worker.
MISSING_AFTER = timedelta(minutes=1)
MISSING_AT_ONCE = 200


class Copies(Storage):
    """A storage whose `save` returns at once. `confirm` records what has really been stored."""

    def __init__(self, connection_id: UUID) -> None:
        self._connection_id = connection_id
        self._storage = storages["exports"]
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="copies")
        self._under_way: dict[Future[str], str] = {}

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        key = str(name)
        self._under_way[self._pool.submit(self._storage.save, key, content, max_length)] = key
        return key

    def confirm(self) -> None:
        """Set `storage_key` on the exports whose copy is complete."""
        done = [future for future in self._under_way if future.done()]
        stored = []
        for future in done:
            key = self._under_way.pop(future)
            error = future.exception()
            if error is None:
                stored.append(key)
            else:
                logger.warning("The copy %s was not stored and will be tried again: %s", key, error)
        self._keep(stored)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wait(self._under_way, timeout=PATIENCE_S)
        self.confirm()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _keep(self, keys: list[str]) -> None:
        names = defaultdict(list)
        for key in keys:
            folder, _, name = key.rpartition("/")
            names[folder].append(name)
        rows = ERPExport.objects.filter(connection_id=self._connection_id, storage_key="")
        for folder, filenames in names.items():
            rows.filter(filename__in=filenames).update(storage_key=Concat(Value(f"{folder}/"), "filename"))


def read(export: ERPExport) -> "File[bytes]":
    """The exact bytes that were sent. Raises `FileNotFoundError` while there is no copy."""
    if not export.storage_key:
        raise FileNotFoundError(f"The copy of {export} is not stored yet.")
    return storages["exports"].open(export.storage_key, "rb")


def store_missing() -> int:
    """Store the copies that did not come about when their files were sent. Tells how many."""
    rows = ERPExport.objects.filter(storage_key="", sent_at__lt=Now() - MISSING_AFTER)
    return sum(_store(export) for export in with_orders(rows.select_related("connection"))[:MISSING_AT_ONCE])


def _store(export: ERPExport) -> bool:
    try:
        document = registry.create(export.connection.connector_type).render(
            sales_order(export.draft_order), attempt_of(export)
        )
        if document.sha256 != export.document_sha256:
            logger.error("Export %s renders to other bytes than were sent; its copy is not stored.", export)
            return False
        key = f"exports/{export.organization_id}/{export.filename}"
        export.storage_key = storages["exports"].save(key, ContentFile(document.content))
    except Exception as error:  # noqa: BLE001 - whatever a storage backend raises
        logger.warning("The copy of export %s cannot be stored: %s", export, error)
        return False
    return ERPExport.objects.filter(pk=export.pk, storage_key="").update(storage_key=export.storage_key) == 1
