"""One folder `in`, reached in every way that there is."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.dropzones.backends.base import Dropzone
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.dropzones.backends.memory import MemoryDropzone, MemoryTree
from connectors.dropzones.backends.sftp import SFTPDropzone
from connectors.exceptions import RejectedError
from connectors.sftp.session import SFTPSession
from tests.connectors.conftest import target_of
from tests.servers.sftp import every
from tests.servers.sftp.quirks import QUIRKS, Quirks
from tests.servers.sftp.sftp_server import SFTPServer

# A dropzone that is ours answers a file's own fault by its name.
OURS = Quirks(folder_in_the_way=RejectedError, name_too_long=RejectedError)


@dataclass(frozen=True, kw_only=True)
class Place:
    """`at` gives a file's path as the dropzone takes it; `contents` is what lies in the folder, seen from outside."""

    dropzone: Dropzone
    at: Callable[[str], str]
    contents: Callable[[], dict[str, bytes]]
    quirks: Quirks
    on_disk: Path | None = None


@pytest.fixture(params=["local", "memory", *every.PARAMS])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with _place(request) as place:
        yield place


@pytest.fixture(params=["local", *every.PARAMS])
def place_on_disk(request: pytest.FixtureRequest) -> Iterator[tuple[Place, Path]]:
    """The same, with the folder where it can be tampered with."""
    with _place(request) as place:
        assert place.on_disk
        yield place, place.on_disk


@contextmanager
def _place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param in every.NAMES:
        place = _on_server(request.getfixturevalue("shared_server")(request.param), QUIRKS[request.param])
    else:
        place = request.getfixturevalue(f"{request.param}_place")
    with place.dropzone:
        yield place


@pytest.fixture
def local_place(tmp_path: Path) -> Place:
    (tmp_path / "in").mkdir()
    return _on_disk(LocalDropzone(tmp_path), tmp_path / "in", "in", OURS)


@pytest.fixture
def memory_place() -> Place:
    tree = MemoryTree(["in"])
    return Place(dropzone=MemoryDropzone(tree), at=_below("in"), contents=lambda: tree.contents("in"), quirks=OURS)


def _on_server(server: SFTPServer, quirks: Quirks) -> Place:
    """The server is shared by many tests, the folder is not."""
    folder = f"in-{secrets.token_hex(6)}"
    (server.root / folder).mkdir()
    return _on_disk(SFTPDropzone(SFTPSession(target_of(server))), server.root / folder, folder, quirks)


def _on_disk(dropzone: Dropzone, folder: Path, path: str, quirks: Quirks) -> Place:
    return Place(
        dropzone=dropzone,
        at=_below(path),
        contents=lambda: {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()},
        quirks=quirks,
        on_disk=folder,
    )


def _below(folder: str) -> Callable[[str], str]:
    return lambda name: f"{folder}/{name}" if name else folder
