"""S9: the folder is all that there is."""

import contextlib
import ctypes
import errno
import os
import resource
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from connectors.dropzones.backends.base import Entry, Move, OutgoingFile
from connectors.dropzones.backends.local import rename
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.exceptions import ConfigError, ConnectorError, RejectedError, TargetExistsError, TransientError

# Any folder that is there; the mount hides it from one process alone.
SMALL = "/mnt"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    return tmp_path / "outside"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "in").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def dropzone(root: Path) -> Iterator[LocalDropzone]:
    with LocalDropzone(root) as dropzone:
        yield dropzone


def write(dropzone: LocalDropzone, path: str) -> ConnectorError | None:
    (outcome,) = dropzone.write([OutgoingFile(path=path, content=b"x")])
    return outcome


@pytest.mark.parametrize("path", ["../outside/new", "in/../../outside/new", "/../outside/new", "in/.."])
def test_dots_do_not_lead_out(path: str, dropzone: LocalDropzone, outside: Path) -> None:
    """S9."""
    assert isinstance(write(dropzone, path), RejectedError)
    assert [file.name for file in outside.iterdir()] == ["secret"]


def test_a_linked_folder_does_not_lead_out(dropzone: LocalDropzone, root: Path, outside: Path) -> None:
    """S9."""
    (root / "in" / "way").symlink_to(outside)
    assert isinstance(write(dropzone, "in/way/new"), ConfigError)
    (read,) = dropzone.read(["in/way/secret"], limit=100)
    assert isinstance(read, ConfigError)
    (removed,) = dropzone.remove(["in/way/secret"])
    assert isinstance(removed, ConfigError)
    with pytest.raises(ConfigError):
        list(dropzone.list("in/way"))
    with pytest.raises(ConfigError):
        dropzone.make_directory("in/way/new")
    assert [file.name for file in outside.iterdir()] == ["secret"]


def test_a_linked_file_is_neither_written_through_nor_read(dropzone: LocalDropzone, root: Path, outside: Path) -> None:
    """S9."""
    (root / "in" / "order.tmp").symlink_to(outside / "secret")
    assert isinstance(write(dropzone, "in/order.tmp"), RejectedError)
    (read,) = dropzone.read(["in/order.tmp"], limit=100)
    assert isinstance(read, RejectedError)
    assert (outside / "secret").read_bytes() == b"secret"


def test_an_absolute_path_begins_at_the_root(dropzone: LocalDropzone, root: Path) -> None:
    assert write(dropzone, "/in//./order") is None
    assert (root / "in" / "order").read_bytes() == b"x"


def test_the_root_may_be_a_link_of_the_operators(tmp_path: Path, root: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    with LocalDropzone(tmp_path / "link") as dropzone:
        assert write(dropzone, "in/order") is None


def test_a_missing_root_says_what_to_create(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing is no folder .* Create the folder"):
        LocalDropzone(tmp_path / "missing")


def test_writing_a_temporary_again_leaves_its_published_name_alone(dropzone: LocalDropzone, root: Path) -> None:
    """F3: both names are one file then."""
    write(dropzone, "in/order.tmp")
    os.link(root / "in" / "order.tmp", root / "in" / "order.json")
    (outcome,) = dropzone.write([OutgoingFile(path="in/order.tmp", content=b"another")])
    assert outcome is None
    assert (root / "in" / "order.json").read_bytes() == b"x"
    assert (root / "in" / "order.tmp").read_bytes() == b"another"


def test_only_files_are_renamed(dropzone: LocalDropzone, root: Path) -> None:
    (root / "in" / "folder").mkdir()
    (outcome,) = dropzone.rename([Move(source="in/folder", target="in/other")])
    assert isinstance(outcome, RejectedError)
    assert (root / "in" / "folder").is_dir()


def test_a_rename_is_one_step(dropzone: LocalDropzone, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F1, F8: were it two, a crash between them would leave both names, and when the ERP has taken the final one, the
    temporary would pass for a file that was never published."""
    write(dropzone, "in/a")

    def crash(*args: object, **kwargs: object) -> None:
        raise SystemExit

    monkeypatch.setattr(os, "unlink", crash)
    assert dropzone.rename([Move(source="in/a", target="in/b")]) == [None]
    assert [file.name for file in (root / "in").iterdir()] == ["b"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS])
def test_a_file_system_that_cannot_refuse_to_replace_is_looked_at_first(
    dropzone: LocalDropzone, root: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def cannot(*args: object) -> int:
        ctypes.set_errno(code)
        return -1

    monkeypatch.setattr(rename, "_renameat2", cannot)
    for name in ("in/a", "in/b"):
        write(dropzone, name)
    first, second = dropzone.rename([Move(source="in/a", target="in/c"), Move(source="in/b", target="in/c")])
    assert first is None
    assert isinstance(second, TargetExistsError)
    assert sorted(file.name for file in (root / "in").iterdir()) == ["b", "c"]


def test_a_file_that_does_not_fit_is_removed_and_tried_again(dropzone: LocalDropzone, root: Path) -> None:
    """F10, F12."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        (outcome,) = dropzone.write([OutgoingFile(path="in/order.tmp", content=b"x" * 2000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(outcome, TransientError)
    assert list((root / "in").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device_is_not_written_to(dropzone: LocalDropzone, root: Path) -> None:
    """A11: one of the test's own, since a product that gets this wrong would remove the machine's."""
    os.mknod(root / "in" / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    assert isinstance(write(dropzone, "in/null"), RejectedError)
    assert (root / "in" / "null").is_char_device()


def test_a_folder_that_may_not_be_written_needs_a_person() -> None:
    """F13: a place where even root may not."""
    with LocalDropzone("/sys") as dropzone:
        assert isinstance(write(dropzone, "kernel/order"), ConfigError)


def test_a_link_is_looked_at_and_not_what_it_leads_to(dropzone: LocalDropzone, root: Path, outside: Path) -> None:
    """S9, A11."""
    (root / "in" / "link").symlink_to(outside / "secret")
    (seen,) = dropzone.stat(["in/link"])
    assert isinstance(seen, Entry)
    assert not seen.is_file


def test_a_rename_that_the_file_system_refuses_is_an_error(dropzone: LocalDropzone, root: Path) -> None:
    """F13: a name that is too long, and whatever else there is besides a name that is taken."""
    write(dropzone, "in/a")
    (outcome,) = dropzone.rename([Move(source="in/a", target=f"in/{'n' * 300}")])
    assert isinstance(outcome, RejectedError)
    assert [path.name for path in (root / "in").iterdir()] == ["a"]


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 64 kB in a mount namespace of its own, which ends with the process."""
    script = f"mount -t tmpfs -o size=64k tmpfs {SMALL} && mkdir {SMALL}/in && echo mounted && exec cat"
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    with subprocess.Popen([*unshare, "sh", "-c", script], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        if process.stdout.readline() != "mounted\n":
            process.kill()
            pytest.skip("this user may mount nothing")
        yield Path(f"/proc/{process.pid}/root{SMALL}")
        process.stdin.close()


def test_a_full_disk_holds_the_order_up_until_there_is_room(small_disk: Path) -> None:
    """F10, F12: it says nothing of the order, and a person need not allow anything."""
    folder = small_disk / "in"
    (folder / "of others").write_bytes(b"x" * 2**16)
    file = OutgoingFile(path="in/order.tmp", content=b"order")
    with LocalDropzone(small_disk) as dropzone:
        (outcome,) = dropzone.write([file])
        assert isinstance(outcome, TransientError)
        assert "no space left on device. Make room" in str(outcome)
        assert [path.name for path in folder.iterdir()] == ["of others"]
        (folder / "of others").unlink()
        assert dropzone.write([file]) == [None]
    assert (folder / "order.tmp").read_bytes() == b"order"


def test_a_root_that_cannot_be_opened_just_now_needs_no_person(root: Path) -> None:
    """F15: a machine out of descriptors, or a share whose server is away, is no wrong path."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(name) for name in os.listdir("/proc/self/fd")) + 1, hard))  # noqa: PTH208 - no Path, which may open more
    spare = []
    try:
        with contextlib.suppress(OSError):
            while True:
                spare.append(os.dup(0))
        with pytest.raises(TransientError, match="too many open files"):
            LocalDropzone(root)
    finally:
        for fd in spare:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
