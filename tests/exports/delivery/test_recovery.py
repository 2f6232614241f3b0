"""What a second try does with what the first one left, when the place or the connection has changed meanwhile."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.dropzones import settings as dropzone_settings
from connectors.dropzones.backends.base import Entry, Move, OutgoingFile
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.dropzones.outages import MOUNT_IT
from connectors.exceptions import ConnectorError, TransientError
from connectors.models import ERPConnection
from exports.delivery import drain
from exports.models import ERPExport
from tests.exports.conftest import Push, names
from tests.support.temporary_names import unmarked


def drain_later(connection: ERPConnection) -> None:
    """As if the waits of the schedule were over."""
    ERPExport.objects.filter(status="PENDING").update(next_attempt_at=None)
    ERPConnection.objects.update(paused_until=None)
    drain.drain(connection.pk)


class Died(BaseException):
    """The worker, as far as the product can tell."""


@pytest.fixture
def staged(push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ERPExport:
    """Journaled, and then the worker died before it could rename."""

    class Dying(LocalDropzone):
        def rename(self, _moves: Sequence[Move]) -> list[ConnectorError | None]:
            raise Died

    export = push()
    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Dying)
    with pytest.raises(Died):
        drain.drain(connection.pk)
    monkeypatch.undo()
    export.refresh_from_db()
    assert (export.status, unmarked(names(folder / "in"))) == ("PENDING", [f"{export.filename}.tmp"])
    assert export.staged_path
    return export


def test_a_folder_that_is_gone_is_not_taken_for_an_erp_that_took_the_file(
    staged: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """F13: a share that is not mounted."""
    (folder / "in").rename(folder / "elsewhere")
    drain.drain(connection.pk)
    staged.refresh_from_db()
    connection.refresh_from_db()
    assert (staged.status, connection.blocked_at, staged.error_message) == (
        "PENDING",
        None,
        f"The folder in is gone. {MOUNT_IT}",
    )

    (folder / "elsewhere").rename(folder / "in")
    drain_later(connection)
    staged.refresh_from_db()
    assert (staged.status, names(folder / "in")) == ("SENT", [staged.filename])


def test_a_folder_that_is_gone_tells_nothing_of_what_an_earlier_version_staged(
    staged: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """F13, F31: it waits for the share, and needs no decision yet."""
    temporary = folder / "in" / staged.staged_path.rpartition("/")[2]
    temporary.rename(temporary.with_name(f"{staged.filename}.tmp"))
    ERPExport.objects.update(staged_path=f"{staged.staged_path.rpartition('/')[0]}/{staged.filename}.tmp")
    (folder / "in").rename(folder / "elsewhere")
    drain.drain(connection.pk)
    staged.refresh_from_db()
    connection.refresh_from_db()
    assert (staged.status, staged.undecided_since, connection.blocked_at) == ("PENDING", None, None)
    assert staged.error_message.startswith("The folder in is gone.")


def test_a_damaged_temporary_is_removed_and_written_anew_under_another_name(
    staged: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """F31: a rename that a former holder sent may still arrive."""
    before = staged.staged_path
    os.truncate(folder / "in" / before.rpartition("/")[2], 10)
    drain.drain(connection.pk)
    staged.refresh_from_db()
    assert (staged.status, names(folder / "in")) == ("SENT", [staged.filename])
    assert staged.staged_path != before


def test_a_folder_that_goes_while_files_are_renamed_is_no_delivery(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F13."""

    class Unmounted(LocalDropzone):
        def rename(self, moves: Sequence[Move]) -> list[ConnectorError | None]:
            shutil.rmtree(folder / "in")
            return super().rename(moves)

    export = push()
    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Unmounted)
    drain.drain(connection.pk)
    export.refresh_from_db()
    connection.refresh_from_db()
    assert (export.status, connection.blocked_at) == ("PENDING", None)
    assert export.next_attempt_at
    assert export.error_message.startswith("The folder in is gone.")


def test_a_former_folder_that_is_gone_holds_up_only_what_was_staged_there(
    staged: ERPExport, connection: ERPConnection, folder: Path, push: Push
) -> None:
    """F13."""
    (folder / "in").rename(folder / "new")
    connection_service.save(connection, ConnectionChanges(config={"export_path": "new"}), actor="test")
    other = push()
    drain.drain(connection.pk)
    staged.refresh_from_db()
    other.refresh_from_db()
    assert (staged.status, staged.undecided_since is None, other.status) == ("PENDING", False, "SENT")
    assert staged.error_message.startswith(
        f"An earlier attempt left it at {staged.staged_path}, and that folder is gone."
    )


@pytest.mark.parametrize("fails_by", ["error", "death"])
def test_a_temporary_that_is_lost_while_it_is_written_anew_is_not_taken_for_a_delivery(
    staged: ERPExport, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch, fails_by: str
) -> None:
    """F1, F10, F12: its place had lost bytes of it."""
    temporary = folder / "in" / staged.staged_path.rpartition("/")[2]
    content = temporary.read_bytes()
    os.truncate(temporary, 10)

    class FullDisk(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            temporary.unlink(missing_ok=True)
            if fails_by == "death":
                raise Died
            return [TransientError("The disk is full.") for _ in files]

    monkeypatch.setattr(dropzone_settings, "LocalDropzone", FullDisk)
    with suppress(Died):
        drain.drain(connection.pk)
    monkeypatch.undo()
    ERPExport.objects.update(next_attempt_at=None)
    drain.drain(connection.pk)
    staged.refresh_from_db()
    assert staged.status == "SENT"
    assert (folder / "in" / staged.filename).read_bytes() == content


def test_an_edit_while_a_damaged_temporary_is_written_anew_does_not_lose_the_order(
    staged: ERPExport, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F26."""
    os.truncate(folder / "in" / staged.staged_path.rpartition("/")[2], 10)
    edits = [lambda: connection_service.save(connection, ConnectionChanges(name="Edited"), actor="test")]

    class EditedMeanwhile(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            outcomes = super().write(files)
            if edits:
                edits.pop()()
            return outcomes

    monkeypatch.setattr(dropzone_settings, "LocalDropzone", EditedMeanwhile)
    drain.drain(connection.pk)
    staged.refresh_from_db()
    assert (staged.status, names(folder / "in")) == ("SENT", [staged.filename])


def test_a_connection_that_is_disabled_while_the_second_try_looks_publishes_nothing(
    staged: ERPExport, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F26: what an earlier try journaled is no leave to publish now."""

    class DisabledMeanwhile(LocalDropzone):
        def stat(self, paths: Sequence[str]) -> list[Entry | ConnectorError | None]:
            connection_service.save(connection, ConnectionChanges(status="DISABLED"), actor="test")
            return super().stat(paths)

    monkeypatch.setattr(dropzone_settings, "LocalDropzone", DisabledMeanwhile)
    drain.drain(connection.pk)
    staged.refresh_from_db()
    assert (staged.status, unmarked(names(folder / "in"))) == ("PENDING", [f"{staged.filename}.tmp"])
    assert staged.staged_path


def test_a_file_that_is_taken_while_it_is_compared_was_published(
    staged: ERPExport, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F8."""
    final = folder / "in" / staged.filename
    next((folder / "in").iterdir()).rename(final)

    class Taken(LocalDropzone):
        def read(self, paths: Sequence[str], *, limit: int) -> list[bytes | ConnectorError | None]:
            final.unlink(missing_ok=True)
            return super().read(paths, limit=limit)

    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Taken)
    drain.drain(connection.pk)
    staged.refresh_from_db()
    assert (staged.status, names(folder / "in")) == ("SENT", [])
