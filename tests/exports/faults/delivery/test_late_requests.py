"""A network partition that heals when the lane has another holder: what the former one had sent arrives late."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone

from connectors.dropzones import settings as config
from connectors.dropzones.backends.base import Move, OutgoingFile
from connectors.dropzones.backends.sftp import SFTPDropzone
from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from exports import push_service
from exports.delivery import drain as delivery
from exports.models import ERPExport, Lane
from exports.push_service import PushRequest
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder, SharedServer
from tests.exports.conftest import connect_to
from tests.servers.proxies.split_proxy import SplitProxy, split_proxy

ORDERS = 3
WITHIN_S = 30


def _until(is_so: Any) -> None:
    end = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def _push_and_drain_in_a_thread(connection: ERPConnection, make_order: MakeOrder) -> threading.Thread:
    for _ in range(ORDERS):
        push_service.push(PushRequest(order=make_order(), actor="ops", connection=connection))

    def drain() -> None:
        delivery.drain(connection.pk)
        connections.close_all()

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    return thread


@dataclass(frozen=True, kw_only=True)
class Place:
    connection: ERPConnection
    proxy: SplitProxy
    inbox: Path


@pytest.fixture(params=["openssh", "proftpd"])
def place(
    request: pytest.FixtureRequest, transactional_db: None, organization: Organization, shared_server: SharedServer
) -> Iterator[Place]:
    """A connection over a network that may split."""
    server, slug = shared_server(request.param), f"late-{uuid4().hex[:8]}"
    inbox = server.root / slug / "in"
    inbox.mkdir(parents=True)
    with split_proxy(server.port) as proxy:
        config = {"port": proxy.port, "export_path": f"{slug}/in", "ack_path": "", "timeout_s": 60}
        yield Place(connection=connect_to(server, organization, **config), proxy=proxy, inbox=inbox)


def test_late_requests_of_a_former_holder_do_not_change_what_its_successor_staged(
    place: Place, make_order: MakeOrder, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F32: the former holder's session is closed by then, and its requests are on their way."""
    settings.LEASE_S = 3
    # Its session stays open, and is cut off.
    push_service.push(PushRequest(order=make_order(), actor="ops", connection=place.connection))
    delivery.drain(place.connection.pk)
    (first,) = place.inbox.glob("*.json")
    first.unlink()
    place.proxy.split(everybody=False)
    stages = threading.Event()
    monkeypatch.setattr(config, "SFTPDropzone", _telling(stages))
    former = _push_and_drain_in_a_thread(place.connection, make_order)
    assert stages.wait(WITHIN_S)
    monkeypatch.setattr(config, "SFTPDropzone", _healing(place, former))
    Lane.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    delivery.drain(place.connection.pk)
    exports = ERPExport.objects.exclude(filename=first.name)
    assert [export.status for export in exports] == ["SENT"] * ORDERS
    assert {path.name: path.stat().st_size for path in place.inbox.glob("*.json")} == {
        export.filename: export.document_size for export in exports
    }


def _telling(stages: threading.Event) -> type[SFTPDropzone]:
    class Telling(SFTPDropzone):
        """The former holder's."""

        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            stages.set()
            return super().write(files)

    return Telling


def _healing(place: Place, former: threading.Thread) -> type[SFTPDropzone]:
    class Healing(SFTPDropzone):
        """The successor's, at the moment before it publishes."""

        def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
            former.join(WITHIN_S)
            assert not former.is_alive()
            assert place.proxy.heal() > 0
            _until(lambda: any(path.stat().st_size == 0 for path in place.inbox.glob("*.tmp")))
            return super().rename(moves)

    return Healing
