"""OrderFlow's own way from bytes to files: `Drop` over an SFTP dropzone, with rendering and database left out."""

import hashlib
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.core.files.storage import storages

from connectors.dropzones.backends.base import Dropzone
from connectors.dropzones.publisher import Drop
from connectors.dropzones.recovery import Parcel
from connectors.dropzones.settings import DropzoneSettings
from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from connectors.ports import ExportDocument, Staged
from tests.servers.sftp.openssh import OpenSSHServer


class NoJournal:
    def staged(self, files: Mapping[UUID, Staged]) -> None:
        pass

    def discarded(self, export_ids: Sequence[UUID]) -> None:
        pass

    def unwitnessed(self, export_ids: Sequence[UUID]) -> None:
        pass


def connection_config(server: OpenSSHServer, port: int, folder: str, **more: Any) -> dict[str, Any]:
    return {
        "mode": "sftp",
        "host": server.host,
        "port": port,
        "username": server.username,
        "private_key": server.private_key,
        "host_key": server.host_key,
        "export_path": folder,
        **more,
    }


def dropzone_settings(config: Mapping[str, Any]) -> DropzoneSettings:
    connector = DropzoneJsonV1Connector(storages["exports"])
    return DropzoneSettings.from_config(connector.clean_config(config))


def random_documents(count: int, size: int, name: str = "sales_order") -> list[ExportDocument]:
    contents = [os.urandom(size) for _ in range(count)]
    return [
        ExportDocument(filename=f"{name}_{n}.json", content=content, sha256=hashlib.sha256(content).hexdigest())
        for n, content in enumerate(contents)
    ]


def drop(settings: DropzoneSettings, documents: Sequence[ExportDocument], batch: int) -> float:
    """Seconds for all of them, batch by batch over one session; connecting is left out."""
    with settings.open() as dropzone:
        dropzone.stat([settings.export_path])
        started = time.perf_counter()
        for start in range(0, len(documents), batch):
            deliver(dropzone, settings, documents[start : start + batch])
        return time.perf_counter() - started


def deliver(dropzone: Dropzone, settings: DropzoneSettings, documents: Sequence[ExportDocument]) -> None:
    parcels = [Parcel(export_id=uuid4(), document=document) for document in documents]
    outcomes = Drop(dropzone, settings, NoJournal()).deliver(parcels)
    failed = [outcome for outcome in outcomes.values() if not isinstance(outcome, str)]
    assert not failed, failed[0]


def round_trip_ms(settings: DropzoneSettings) -> float:
    """What one question costs that the server answers at once."""
    series = []
    with settings.open() as dropzone:
        for _ in range(11):
            started = time.perf_counter()
            dropzone.stat([settings.export_path])
            series.append((time.perf_counter() - started) * 1000)
    return statistics.median(series)


def write_locally(documents: Sequence[ExportDocument], folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for document in documents:
        (folder / document.filename).write_bytes(document.content)
    return [folder / document.filename for document in documents]
