"""One folder `in`, reached in every way that there is."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.dropzones.base import Dropzone
from connectors.dropzones.local import LocalDropzone
from connectors.dropzones.memory import MemoryDropzone, MemoryTree
from connectors.dropzones.sftp import SFTPDropzone
from connectors.sftp.session import SFTPSession
from tests.connectors.conftest import target_of


@dataclass(frozen=True, kw_only=True)
class Place:
    """`at` gives a file's path as the dropzone takes it; `contents` is what lies in the folder, seen from outside."""

    dropzone: Dropzone
    at: Callable[[str], str]
    contents: Callable[[], dict[str, bytes]]
    on_disk: Path | None = None


@pytest.fixture(params=["local", "memory", "openssh", "asyncssh"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    place: Place = request.getfixturevalue(f"{request.param}_place")
    with place.dropzone:
        yield place


@pytest.fixture(params=["local", "openssh", "asyncssh"])
def place_on_disk(request: pytest.FixtureRequest) -> Iterator[tuple[Place, Path]]:
    """The same, with the folder where it can be tampered with."""
    place: Place = request.getfixturevalue(f"{request.param}_place")
    assert place.on_disk
    with place.dropzone:
        yield place, place.on_disk


@pytest.fixture
def local_place(tmp_path: Path) -> Place:
    (tmp_path / "in").mkdir()
    return _on_disk(LocalDropzone(tmp_path), tmp_path / "in", "in")


@pytest.fixture
def memory_place() -> Place:
    tree = MemoryTree(["in"])
    return Place(dropzone=MemoryDropzone(tree), at=_below("in"), contents=lambda: tree.contents("in"))


@pytest.fixture
def openssh_place(request: pytest.FixtureRequest) -> Place:
    return _on_server(request, "shared_openssh")


@pytest.fixture
def asyncssh_place(request: pytest.FixtureRequest) -> Place:
    return _on_server(request, "shared_asyncssh")


def _on_server(request: pytest.FixtureRequest, name: str) -> Place:
    """The server is shared by many tests, the folder is not."""
    server = request.getfixturevalue(name)
    folder = f"in-{secrets.token_hex(6)}"
    (server.root / folder).mkdir()
    return _on_disk(SFTPDropzone(SFTPSession(target_of(server))), server.root / folder, folder)


def _on_disk(dropzone: Dropzone, folder: Path, path: str) -> Place:
    return Place(
        dropzone=dropzone,
        at=_below(path),
        contents=lambda: {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()},
        on_disk=folder,
    )


def _below(folder: str) -> Callable[[str], str]:
    return lambda name: f"{folder}/{name}" if name else folder
