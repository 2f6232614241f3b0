"""A14: an ERP on the same machine that runs as another user than OrderFlow."""

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.dropzones import missing_folders
from connectors.dropzones.backends.base import Move, OutgoingFile
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.dropzones.connector import DropzoneConnector
from connectors.dropzones.settings import DropzoneSettings
from connectors.registry import registry
from tests.orderflow.environment.product import manage, run

NOBODY = 65534
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="Only root can start a process as another user.")


@pytest.fixture(params=[0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def place() -> Iterator[Path]:
    """Unlike pytest's own folders, one that others can enter."""
    with tempfile.TemporaryDirectory(prefix="orderflow-dropzone-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def delivered(root: Path) -> Path:
    """A file that was staged and published in `in`, and a folder `processed` beside it."""
    zone = LocalDropzone(root)
    try:
        assert zone.write([OutgoingFile(path="in/a.tmp", content=b"order")]) == [None]
        assert zone.rename([Move(source="in/a.tmp", target="in/a.json")]) == [None]
        zone.make_directory("in/processed")
    finally:
        zone.close()
    return root / "in" / "a.json"


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(
    ("folder", "file"), [(0o755, 0o644), (0o2775, 0o644), (0o2770, 0o640), (0o700, 0o600), (0o733, 0o600)], ids=oct
)
def test_the_folder_decides_who_may_read_a_file(place: Path, folder: int, file: int) -> None:
    (place / "in").mkdir()
    (place / "in").chmod(folder)
    found = delivered(place)
    assert mode(found) & file == file
    # A umask may give more, but nobody else may write or execute.
    assert mode(found) & 0o133 == 0
    assert mode(place / "in" / "processed") & 0o2077 == folder & 0o2077


@needs_root
@pytest.mark.usefixtures("umask")
def test_an_erp_that_runs_as_another_user_takes_the_file(place: Path) -> None:
    (place / "in").mkdir()
    (place / "in").chmod(0o2770)
    os.chown(place / "in", 0, NOBODY)
    found = delivered(place)
    target = place / "in" / "processed" / "a.json"
    done = subprocess.run(
        ["/bin/sh", "-c", 'cat "$1" && mv "$1" "$2"', "erp", str(found), str(target)],
        user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "order"), done.stderr
    assert target.read_bytes() == b"order"


def settings(root: Path, **config: Any) -> DropzoneSettings:
    connector = registry.create("DROPZONE_JSON_V1")
    assert isinstance(connector, DropzoneConnector)
    return connector.settings({"mode": "filesystem", "root": str(root), "export_path": "erp/in", **config})


@pytest.mark.usefixtures("umask")
def test_folders_that_are_created_by_the_button_are_as_documented(place: Path) -> None:
    """A14: whatever the umask is. What was there keeps its permissions."""
    (place / "dropzones").mkdir()
    (place / "dropzones").chmod(0o751)
    root = place / "dropzones" / "acme"
    assert missing_folders.make(settings(root, ack_path="erp")) == ["erp/in", "erp"]
    found = {str(path.relative_to(place)): mode(path) for path in place.rglob("*")}
    assert found == {
        "dropzones": 0o751, "dropzones/acme": 0o755, "dropzones/acme/erp": 0o2775, "dropzones/acme/erp/in": 0o2775,
    }  # fmt: skip


@pytest.mark.usefixtures("umask")
def test_the_root_may_be_the_folder_for_orders(place: Path) -> None:
    assert missing_folders.make(settings(place / "a" / "b", export_path="/")) == ["/"]
    assert (mode(place / "a"), mode(place / "a" / "b")) == (0o755, 0o2775)


@needs_root
@pytest.mark.usefixtures("umask")
def test_an_erp_takes_files_out_of_folders_that_were_created_by_the_button(place: Path) -> None:
    """A14: its group is that of the folder that the operator made."""
    os.chown(place, 0, NOBODY)
    place.chmod(0o2755)
    missing_folders.make(settings(place / "acme", export_path="in"))
    found = delivered(place / "acme")
    done = subprocess.run(
        ["/bin/sh", "-c", 'cat "$1" && rm "$1" && echo ok > "$2"', "erp", str(found), str(found.parent / "ack_a.json")],
        user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "order"), done.stderr
    assert not found.exists()


def test_the_default_dropzone_is_outside_the_private_folder(tmp_path: Path) -> None:
    script = (
        "import os; os.environ.pop('DATA_DIR'); from orderflow import settings as s; "
        "print(s.DROPZONE_ROOT.is_relative_to(s.DATA_DIR), s.DROPZONE_ROOT.relative_to(s.BASE_DIR))"
    )
    done = run(tmp_path, "-c", script, DATABASE_URL="postgres://u@h/db")
    assert done.stdout == "False dropzones\n", done.stderr


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000], ids=oct)
def test_nobody_else_enters_the_folder_with_database_and_copies(tmp_path: Path, mask: int) -> None:
    script = f"import os; os.umask({mask}); from orderflow import settings as s; print(s.DATA_DIR)"
    done = run(tmp_path, "-c", script)
    assert done.returncode == 0, done.stderr
    assert mode(tmp_path / "data") == 0o700


WRITE = """
import os; os.umask({mask})
import django; django.setup()
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from exports.rollback import durable_write, journal_storage
{before}
storages["exports"].save("exports/acme/order.json", ContentFile(b"{{}}"))
durable_write.save(journal_storage.archive(), "journal/entry", b"entry")
durable_write.save(journal_storage.local(), "journal/entry", b"entry")
"""


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000], ids=oct)
@pytest.mark.parametrize("first", ["copy", "journal"])
def test_nobody_else_reads_copies_and_journal_whatever_the_database(tmp_path: Path, mask: int, first: str) -> None:
    """With SQLite the folder around them is closed, with PostgreSQL each of them is."""
    before = 'durable_write.save(journal_storage.archive(), "journal/before", b"")' if first == "journal" else ""
    done = run(
        tmp_path, "-c", WRITE.format(mask=mask, before=before), DATABASE_URL="postgres://u@h/db",
        STATE_DIR=str(tmp_path / "elsewhere" / "state"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = [tmp_path / "data" / "storage", tmp_path / "elsewhere" / "state"]
    assert [mode(folder) for folder in written] == [0o700, 0o700]
    assert (written[0] / "exports" / "acme" / "order.json").read_bytes() == b"{}"
    assert [(folder / "journal" / "entry").read_bytes() for folder in written] == [b"entry", b"entry"]


@pytest.mark.full
def test_folders_that_others_may_enter_are_reported(place: Path) -> None:
    """Such as those that an earlier version made."""
    data = place / "data"
    (data / "storage").mkdir(parents=True)
    (data / "state").mkdir()
    for folder in (data, data / "storage", data / "state"):
        folder.chmod(0o755)
    own = {"DATA_DIR": str(data), "DATABASE_URL": "postgres://u@h/db"}
    found = manage(place, "check", "--tag", "security", **own).stderr
    assert f"Every user of this machine can enter {data / 'storage'}, which holds copies of the orders" in found
    assert f"Run `chmod 700 {data / 'state'}`." in found
    (data / "state").chmod(0o750)
    (data / "storage").chmod(0o700)
    assert "Every user" not in manage(place, "check", "--tag", "security", **own).stderr
    assert f"can enter {data}, which holds the database" in manage(place, "check", DATA_DIR=str(data)).stderr
    data.chmod(0o700)
    (data / "storage").chmod(0o755)
    assert "Every user" not in manage(place, "check", DATA_DIR=str(data)).stderr
