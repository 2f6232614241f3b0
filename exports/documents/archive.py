"""The copy of every document in object storage: beside the drop, never in its way."""

import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, storages
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Concat, Now

from connectors.exceptions import ConnectorError
from connectors.failpoints import Failpoint, reached
from connectors.registry import registry
from connectors.third_party.errors import guarded
from connectors.types.sales_order import OrderLine
from exports.documents.rendering import checked
from exports.documents.sales_orders import attempt_of, batch_of, order_lines, sales_order
from exports.models import ERPExport

logger = logging.getLogger(__name__)

WRITERS = 4
# How long the end of a slice waits for a slow storage; what is late then is stored by the sweep.
PATIENCE_S = 5
# What waits for a slow storage is held in memory.
WAITING_BYTES = 64 * 1024 * 1024
# Younger ones may still be under way in a worker.
MISSING_AFTER = timedelta(minutes=1)


class StorageBehind(Exception):
    """As much waits for the storage as a worker may hold."""


class Copies(Storage):
    """A storage whose `save` returns at once; `stored` tells later what it came to."""

    def __init__(self, connection_id: UUID) -> None:
        self._connection_id = connection_id
        self._storage = storages["exports"]
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="copies")
        # By key and size.
        self._under_way: dict[Future[str], tuple[str, int]] = {}
        self._waiting = 0

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """Raises `StorageBehind`; the sweep stores that copy."""
        key = str(name)
        if self._waiting > WAITING_BYTES:
            raise StorageBehind(f"{len(self._under_way)} copies wait for the storage already; {key} follows later.")
        self._waiting += content.size
        self._under_way[self._pool.submit(self._storage.save, key, content, max_length)] = key, content.size
        return key

    def stored(self) -> set[str]:
        """The keys of the copies that are complete by now; each is told of once."""
        keys = set()
        for future in [future for future in self._under_way if future.done()]:
            key, size = self._under_way.pop(future)
            self._waiting -= size
            error = future.exception()
            if error is None:
                keys.add(key)
            else:
                logger.warning("The copy %s was not stored and will be tried again: %s", key, error)
        return keys

    def keep(self, keys: Collection[str]) -> None:
        """Set `storage_key` on the exports whose copies these are."""
        names = defaultdict(list)
        for key in keys:
            folder, _, name = key.rpartition("/")
            names[folder].append(name)
        rows = ERPExport.objects.filter(connection_id=self._connection_id, storage_key="")
        for folder, filenames in names.items():
            rows.filter(filename__in=filenames).update(storage_key=Concat(Value(f"{folder}/"), "filename"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wait(self._under_way, timeout=PATIENCE_S)
        self.keep(self.stored())
        self._pool.shutdown(wait=False, cancel_futures=True)


def read(export: ERPExport) -> "File[bytes]":
    """The exact bytes that were sent. Raises `FileNotFoundError` while there is no copy."""
    if not export.storage_key:
        raise FileNotFoundError(f"The copy of {export} is not stored yet.")
    return storages["exports"].open(export.storage_key, "rb")


def key_of(export: ERPExport) -> str:
    """Where the copy lies, or will lie."""
    return export.storage_key or f"exports/{export.organization_id}/{export.filename}"


def sha256(export: ERPExport) -> str:
    """Of the copy as it is stored. Raises `FileNotFoundError` while there is none."""
    digest = hashlib.sha256()
    with read(export) as file:
        for chunk in file.chunks():
            digest.update(chunk)
    return digest.hexdigest()


def store_again(ids: Iterable[UUID]) -> set[UUID]:
    """Those of the exports whose order still renders to what was sent; their copies are stored. Raises whatever a
    storage backend raises."""
    waiting, stored = set(ids), set()
    rows = ERPExport.objects.select_related("connection").order_by("pk")
    while batch := batch_of(rows.filter(pk__in=waiting)):
        waiting.difference_update(export.pk for export in batch)
        lines = order_lines(batch)
        for export in batch:
            content = _rendered_again(export, lines[export.draft_order_id])
            if content is not None and _put(export, content):
                stored.add(export.pk)
    return stored


def _put(export: ERPExport, content: bytes) -> bool:
    key = storages["exports"].save(key_of(export), ContentFile(content))
    reached(Failpoint.COPY_STORED)
    rows = ERPExport.objects.filter(pk=export.pk, storage_key=export.storage_key)
    return rows.update(storage_key=key) == 1


def store_missing() -> int:
    """Store the copies that did not come about when their files were sent, for one time slice at the most, or until the
    storage takes none. Tells how many."""
    stored = 0
    try:
        for export, content in _missing(time.monotonic() + settings.DELIVERY_SLICE_S):
            stored += _put(export, content)
    except Exception as error:  # noqa: BLE001 - whatever a storage backend raises
        logger.warning("The storage takes no copies now, the next run tries again: %s", error)
    return stored


def missing(after: timedelta) -> QuerySet[ERPExport]:
    """Exports that were sent so long ago and have no copy yet; from their index."""
    rows = ERPExport.objects.filter(storage_key="", sent_at__lt=Now() - after)
    # Of what a connector without a journal sent, the bytes may be unknown.
    return rows.exclude(document_sha256="")


def _missing(end: float) -> Iterator[tuple[ERPExport, bytes]]:
    """In the order of sending; one that cannot be rendered again does not keep the later ones from it."""
    rows = missing(MISSING_AFTER).select_related("connection").order_by("sent_at", "pk")
    after = Q()
    while batch := batch_of(rows.filter(after)):
        lines = order_lines(batch)
        for export in batch:
            if time.monotonic() > end:
                return
            content = _rendered_again(export, lines[export.draft_order_id])
            if content is not None:
                yield export, content
        last = batch[-1]
        after = Q(sent_at__gt=last.sent_at) | Q(sent_at=last.sent_at, pk__gt=last.pk)


def _rendered_again(export: ERPExport, lines: Iterable[OrderLine]) -> bytes | None:
    try:
        with guarded(export.connection.connector_type):
            connector = registry.create(export.connection.connector_type)
            document = checked(connector.render(sales_order(export.draft_order, lines), attempt_of(export)))
    except ConnectorError as error:
        logger.warning("The copy of export %s cannot be made: %s", export, error)
        return None
    if document.sha256 != export.document_sha256:
        logger.error("Export %s renders to other bytes than were sent; its copy is not stored.", export)
        return None
    return document.content
