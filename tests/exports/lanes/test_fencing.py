"""Workers that resume after their lease has ended: they neither change what their successor staged nor record it."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.utils import timezone

from connectors import fencing
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.dropzones import settings as dropzone_settings
from connectors.dropzones.backends.base import Move, OutgoingFile
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.exceptions import ConfigError, ConnectorError, RejectedError, TransientError
from connectors.failpoints import Failpoint
from connectors.models import ERPConnection
from exports.delivery import drain
from exports.lanes import leases
from exports.models import Lane
from exports.rollback import guard
from tests.exports.conftest import Push, names
from tests.support.temporary_names import unmarked


class Died(BaseException):
    """The worker, as far as the product can tell."""


class ERP:
    """Collects every order the moment that it is called for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.collected: Counter[bytes] = Counter()

    def collect(self) -> None:
        for path in self.folder.glob("*.json"):
            self.collected[path.read_bytes()] += 1
            path.unlink()


class Takeover:
    """The lease ends; a successor delivers everything, and the ERP collects it."""

    def __init__(self, connection: ERPConnection, erp: ERP, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connection, self.erp, self.monkeypatch = connection, erp, monkeypatch

    def __call__(self) -> None:
        self.monkeypatch.undo()
        Lane.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        drain.drain(self.connection.pk)
        self.erp.collect()


@pytest.fixture
def take_over(connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Takeover:
    return Takeover(connection, ERP(folder / "in"), monkeypatch)


def rename_connection(connection: ERPConnection) -> None:
    connection_service.save(connection, ConnectionChanges(name="Renamed"), actor="test")


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("before", [True, False], ids=["before writing", "after writing"])
def test_a_worker_that_resumes_while_it_stages_leaves_its_successors_files_alone(
    push: Push,
    connection: ERPConnection,
    take_over: Takeover,
    monkeypatch: pytest.MonkeyPatch,
    *,
    before: bool,
    edited: bool,
) -> None:
    """F30, F31."""

    class Paused(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            outcomes = [] if before else super().write(files)
            if edited:
                rename_connection(connection)
            take_over()
            return super().write(files) if before else outcomes

    exports = [push() for _ in range(3)]
    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Paused)
    drain.drain(connection.pk)
    erp = take_over.erp
    erp.collect()
    assert [*erp.collected.values()] == [1, 1, 1]
    assert {len(content) > 0 for content in erp.collected} == {True}
    for export in exports:
        export.refresh_from_db()
        assert (export.status, export.tries) == ("SENT", 1)
        assert [event.kind for event in export.events.all()] == ["REQUESTED", "STAGED", "SENT"]


def test_a_worker_that_resumes_after_a_successor_that_died_does_not_remove_its_staged_files(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31: the successor journaled, and the next worker would take their absence for a delivery."""

    class Dying(LocalDropzone):
        def rename(self, _moves: Sequence[Move]) -> list[ConnectorError | None]:
            raise Died

    class Paused(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            outcomes = super().write(files)
            rename_connection(connection)
            monkeypatch.setattr(dropzone_settings, "LocalDropzone", Dying)
            Lane.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
            with pytest.raises(Died):
                drain.drain(connection.pk)
            return outcomes

    export = push()
    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Paused)
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert export.staged_path.rpartition("/")[2] in names(folder / "in")
    monkeypatch.undo()
    Lane.objects.update(leased_until=None)
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert export.status == "SENT"
    assert [name for name in names(folder / "in") if name.endswith(".json")] == [export.filename]


def test_a_worker_that_lost_its_lease_records_no_failure(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30: the order would be pushed again while the successor still delivers it."""

    class Refusing(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            Lane.objects.update(token=99, leased_until=timezone.now() + timedelta(minutes=1))
            return [RejectedError("The name is too long.") for _ in files]

    export = push()
    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Refusing)
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, export.tries, export.draft_order.status) == ("PENDING", 0, "PUSHING")
    assert Lane.objects.get(kind="DELIVERY").token == 99


@pytest.mark.parametrize("step", ["write", "rename"])
def test_a_worker_whose_clock_says_that_the_lease_is_over_stops_before_its_next_step(
    push: Push,
    connection: ERPConnection,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    queue: list[UUID],
    step: str,
) -> None:
    """F30: a machine that was suspended, with no successor yet. So the worker wakes the lane for the next one."""
    real = fencing.now

    class Suspended(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            if step == "write":
                monkeypatch.setattr(fencing, "now", lambda: real() + 3600)
            return super().write(files)

        def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
            monkeypatch.setattr(fencing, "now", lambda: real() + 3600)
            return super().rename(moves)

    export = push()
    queue.clear()
    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Suspended)
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, export.tries, queue) == ("PENDING", 0, [connection.pk])
    assert unmarked(names(folder / "in")) == ([] if step == "write" else [f"{export.filename}.tmp"])
    monkeypatch.undo()
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, names(folder / "in")) == ("SENT", [export.filename])


def test_a_document_is_archived_only_once_its_bytes_are_journaled(
    push: Push, connection: ERPConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30: a paused worker may store it late, and must not replace what its successor sent."""
    archived: list[int] = []

    class Counting(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            archived.append(sum(path.is_file() for path in (tmp_path / "storage").rglob("*")))
            return super().write(files)

    export = push()
    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Counting)
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert archived == [0]
    assert (tmp_path / "storage" / export.storage_key).is_file()


def test_a_renewal_that_is_rolled_back_does_not_extend_the_fence(connection: ERPConnection) -> None:
    with leases.holding(connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease
        until = vars(lease.fence)["_until"]
        with pytest.raises(ZeroDivisionError), leases.held(lease):
            raise ZeroDivisionError
        assert vars(lease.fence)["_until"] == until


def lose_lane() -> None:
    Lane.objects.update(token=99, leased_until=timezone.now() + timedelta(minutes=1))


def test_a_worker_that_lost_its_lease_after_the_renames_records_no_success(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30: its successor finds the file and records it."""

    class Late(LocalDropzone):
        def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
            outcomes = super().rename(moves)
            lose_lane()
            return outcomes

    export = push()
    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Late)
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, export.tries, names(folder / "in")) == ("PENDING", 0, [export.filename])


@pytest.mark.parametrize("error", [RejectedError("No."), ConfigError("Wrong."), TransientError("Lost.")], ids=repr)
def test_a_worker_that_loses_its_lease_while_it_records_goes_no_further(
    error: ConnectorError, push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30: what it met may be over, and its successor may have met something else."""

    class Failing(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            if isinstance(error, RejectedError):
                return [error for _ in files]
            raise error

    def lose_at(point: Failpoint) -> None:
        if point is Failpoint.SENT_RECORDED:
            lose_lane()

    export = push()
    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Failing)
    monkeypatch.setattr(drain, "reached", lose_at)
    drain.drain(connection.pk)
    export.refresh_from_db()
    connection.refresh_from_db()
    assert (export.status, export.tries, export.next_attempt_at) == ("PENDING", 0, None)
    assert (connection.blocked_at, connection.failures_in_a_row) == (None, 0)


def test_what_is_not_journaled_is_not_archived(
    push: Push, connection: ERPConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30: the successor may render other bytes, and its copy has the same key."""

    class Late(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            outcomes = super().write(files)
            lose_lane()
            return outcomes

    push()
    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Late)
    drain.drain(connection.pk)
    assert [path for path in (tmp_path / "storage").rglob("*") if path.is_file()] == []


def test_each_batch_of_one_turn_has_a_mark_of_its_own(
    push: Push, connection: ERPConnection, folder: Path, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30."""
    monkeypatch.setattr(settings, "DELIVERY_BATCH_SIZE", 1)
    exports = [push(), push()]
    drain.drain(connection.pk)
    token = Lane.objects.get(kind="DELIVERY").token
    for export, batch in zip(exports, (1, 2), strict=True):
        export.refresh_from_db()
        assert f".t{token}-{batch}." in export.staged_path


def test_no_lane_is_taken_while_all_are_held_for_a_recovery(connection: ERPConnection) -> None:
    guard.hold("Test.")
    with leases.holding(connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease is None
