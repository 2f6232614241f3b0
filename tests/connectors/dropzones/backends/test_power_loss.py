"""A folder on this machine and a power cut: what is reported as done has reached the disk, in the right order."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.dropzones.backends.base import Move, OutgoingFile
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.dropzones.backends.local.rename import Place, rename_without_replacing
from connectors.exceptions import InDoubtError, TransientError
from connectors.ports import Ack, AckOutcome

Trace = list[tuple[str, str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("in", "other", "acks"):
        (tmp_path / "root" / name).mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def dropzone(root: Path) -> Iterator[LocalDropzone]:
    with LocalDropzone(root) as dropzone:
        yield dropzone


@pytest.fixture
def trace(root: Path, monkeypatch: pytest.MonkeyPatch) -> Trace:
    """What reached the disk, and each rename, in order; paths below the root, and a file's with its bytes."""
    found: Trace = []
    sync = os.fsync

    def synced(fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").resolve()
        size = f" {path.stat().st_size}" if path.is_file() else ""
        found.append(("sync", f"{path.relative_to(root)}{size}"))
        sync(fd)

    def renamed(source: Place, target: Place) -> None:
        rename_without_replacing(source, target)
        found.append(("rename", target.name))

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr("connectors.dropzones.backends.local.dropzone.rename_without_replacing", renamed)
    return found


FailSync = Callable[..., None]


@pytest.fixture
def fail_sync(root: Path, monkeypatch: pytest.MonkeyPatch) -> FailSync:
    """From now on the disk fails for `path`, and for nothing else."""
    sync = os.fsync

    def fail_sync(path: str, code: int = errno.EIO) -> None:
        def synced(fd: int) -> None:
            if Path(f"/proc/self/fd/{fd}").resolve() == root / path:
                raise OSError(code, os.strerror(code))
            sync(fd)

        monkeypatch.setattr(os, "fsync", synced)

    return fail_sync


def files(*paths: str) -> list[OutgoingFile]:
    return [OutgoingFile(path=path, content=b"12345") for path in paths]


def test_a_file_is_on_the_disk_with_its_bytes_before_its_name_is(dropzone: LocalDropzone, trace: Trace) -> None:
    """F1: or the journal would speak of a file that is empty after a power cut."""
    assert dropzone.write(files("in/a", "in/b")) == [None, None]
    assert trace == [("sync", "in/a 5"), ("sync", "in/b 5"), ("sync", "in")]


def test_a_new_name_is_on_the_disk_before_it_is_reported(dropzone: LocalDropzone, trace: Trace) -> None:
    """F1, F3: an order that is SENT is there after a power cut."""
    dropzone.write(files("in/a", "in/b"))
    trace.clear()
    moves = [Move(source="in/a", target="other/a"), Move(source="in/b", target="in/c")]
    assert dropzone.rename(moves) == [None, None]
    assert trace[:2] == [("rename", "a"), ("rename", "c")]
    assert sorted(trace[2:]) == [("sync", "in"), ("sync", "other")]


def test_a_folder_that_was_made_is_on_the_disk_before_something_is_moved_into_it(
    dropzone: LocalDropzone, trace: Trace
) -> None:
    """A13: an ack that was moved away is still somewhere after a power cut."""
    from connectors.dropzones.acks.inbox import DropzoneAckInbox  # noqa: PLC0415

    dropzone.write(files("acks/ack_a"))
    inbox = DropzoneAckInbox(
        dropzone, "acks", export_filename=lambda name: name, parse=lambda *_: Ack(outcome=AckOutcome.ACKED)
    )
    trace.clear()
    assert inbox.archive(list(inbox.entries())) == [None]
    assert trace == [("sync", "acks"), ("rename", "ack_a"), ("sync", "acks/processed")]


def test_a_file_that_does_not_reach_the_disk_is_removed_and_tried_again(
    dropzone: LocalDropzone, root: Path, fail_sync: FailSync
) -> None:
    """F10."""
    fail_sync("in/a")
    first, second = dropzone.write(files("in/a", "in/b"))
    assert (type(first), second) == (TransientError, None)
    assert [path.name for path in (root / "in").iterdir()] == ["b"]


def test_files_whose_folder_does_not_reach_the_disk_are_written_again(
    dropzone: LocalDropzone, fail_sync: FailSync
) -> None:
    """F10: those of that folder, and no others."""
    fail_sync("in")
    first, second, third = dropzone.write(files("in/a", "other/b", "in/c"))
    assert (type(first), second, type(third)) == (TransientError, None, TransientError)
    assert "in/a may not have reached the disk" in str(first)


def test_a_rename_that_may_not_have_reached_the_disk_is_in_doubt(
    dropzone: LocalDropzone, root: Path, fail_sync: FailSync
) -> None:
    """F2: it was carried out, and a power cut may undo it; no refusal, and no success."""
    dropzone.write(files("in/a", "in/b"))
    fail_sync("other")
    moves = [Move(source="in/a", target="other/a"), Move(source="in/b", target="in/c")]
    first, second = dropzone.rename(moves)
    assert (type(first), second) == (InDoubtError, None)
    assert (root / "other" / "a").exists()


def test_what_was_refused_stays_refused_when_the_disk_fails_too(
    dropzone: LocalDropzone, root: Path, fail_sync: FailSync
) -> None:
    dropzone.write(files("in/a", "in/b", "in/taken"))
    fail_sync("in")
    moves = [Move(source="in/a", target="in/taken"), Move(source="in/b", target="in/c")]
    first, second = dropzone.rename(moves)
    assert first is not None
    assert not isinstance(first, InDoubtError)
    assert type(second) is InDoubtError


def test_only_folders_in_which_something_changed_are_synced(dropzone: LocalDropzone, trace: Trace) -> None:
    assert [error is None for error in dropzone.write(files("missing/a", "in/b"))] == [False, True]
    assert trace == [("sync", "in/b 5"), ("sync", "in")]


CANNOT = [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EROFS, errno.EBADF, errno.EACCES, errno.EPERM]
LOSES = [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.ETIMEDOUT]


@pytest.mark.parametrize(("path", "code"), [(path, code) for path in ("in/a", "in", "other") for code in CANNOT])
def test_a_disk_that_cannot_sync_never_decides(
    path: str, code: int, dropzone: LocalDropzone, fail_sync: FailSync, caplog: pytest.LogCaptureFixture
) -> None:
    """F7, F10: some shares have no such operation, for files or for folders."""
    fail_sync(path, code)
    assert dropzone.write(files("in/a", "in/b")) == [None, None]
    assert dropzone.rename([Move(source="in/a", target="other/a"), Move(source="in/b", target="in/c")]) == [None, None]
    dropzone.make_directory("in/processed")
    assert [entry.name for entry in dropzone.list("other")] == ["a"]
    assert sum("does not flush to its disk" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("code", LOSES, ids=errno.errorcode.get)
def test_a_disk_that_may_have_lost_bytes_decides(
    code: int, dropzone: LocalDropzone, root: Path, fail_sync: FailSync
) -> None:
    """F10, F11: a share that is full says so only here, and the file may be short once its cache is gone."""
    fail_sync("in/a", code)
    first, second = dropzone.write(files("in/a", "in/b"))
    assert (type(first), second) == (TransientError, None)
    assert [path.name for path in (root / "in").iterdir()] == ["b"]
