"""Servers that fall silent: a delivery ends by its deadline, and the export waits for a better time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exports.models import ERPExport
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import Freezes
from tests.servers.faulty.server import silent_subsystem
from tests.servers.raw import Talk, drip, greet_only, raw_server, say_nothing
from tests.support.temporary_names import unmarked

# The connection's timeout, and what a loaded machine may add; without a deadline these would take for ever.
WITHIN_S = 1 + 9


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def waits(export: ERPExport, zone: Zone, why: str) -> None:
    export.refresh_from_db()
    assert (export.status, export.tries, export.staged_path) == ("PENDING", 1, "")
    assert why in export.error_message
    assert export.next_attempt_at is not None
    assert export.events.last().kind == "RETRY"  # type: ignore[union-attr]
    assert not [name for name in zone.names if name.endswith(".json")]


@pytest.mark.parametrize("talk", [drip, say_nothing, greet_only])
def test_a_banner_without_an_end_ends_the_delivery(talk: Talk, push: Push, zone: Zone) -> None:
    """F16."""
    export = push()
    with raw_server(talk) as port:
        zone.edit(port=port)
        with within(WITHIN_S):
            zone.drain()
    waits(export, zone, "within 1 s")

    zone.edit(port=zone.server.port)
    zone.drain_later()
    assert zone.names == [export.filename]


def test_a_subsystem_that_says_nothing_ends_the_delivery(push: Push, zone: Zone, tmp_path: Path) -> None:
    """F15."""
    export = push()
    with silent_subsystem(tmp_path / "silent") as silent:
        zone.edit(port=silent.port, host_key=silent.host_key)
        with within(WITHIN_S):
            zone.drain()
    waits(export, zone, "did not start SFTP within 1 s")


@pytest.mark.parametrize("operation", ["open", "write", "fsync", "close"])
def test_a_server_that_freezes_in_the_middle_of_a_file_ends_the_delivery(
    operation: str, push: Push, zone: Zone
) -> None:
    """F17."""
    export = push()
    zone.faults.append(Freezes(operations=frozenset({operation}), at_most=1))
    with within(WITHIN_S):
        zone.drain()
    waits(export, zone, "did not answer within 1 s")
    zone.drain_later()
    export.refresh_from_db()
    # The server may still carry out what the first attempt asked for: that file has another name.
    assert (export.status, [n for n in zone.names if n.endswith(".json")]) == ("SENT", [export.filename])


def test_a_server_that_freezes_at_the_rename_leaves_the_export_in_doubt(push: Push, zone: Zone) -> None:
    """F17, F2."""
    export = push()
    zone.faults.append(Freezes(operations=frozenset({"rename"}), at_most=1))
    with within(WITHIN_S):
        zone.drain()
    export.refresh_from_db()
    assert export.status == "PENDING"
    assert zone.names == [export.staged_path.rpartition("/")[2]]
    assert unmarked(zone.names) == [f"{export.filename}.tmp"]
    zone.drain_later()
    export.refresh_from_db()
    assert (export.status, zone.names) == ("SENT", [export.filename])
