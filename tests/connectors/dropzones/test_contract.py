"""What holds of every dropzone, wherever it is."""

import os
from pathlib import Path

import pytest

from connectors.dropzones.backends.base import Move, OutgoingFile
from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    RejectedError,
    TargetExistsError,
    TransientError,
)
from tests.connectors.dropzones.conftest import Place
from tests.servers.sftp.quirks import NOT_UTF_8

LARGE = bytes(range(256)) * 4096


def write(place: Place, **files: bytes) -> list[ConnectorError | None]:
    return place.dropzone.write([OutgoingFile(path=place.at(name), content=body) for name, body in files.items()])


def test_a_batch_of_files_arrives_with_its_bytes(place: Place) -> None:
    files = {f"order_{n}": f"order {n}".encode() * n for n in range(300)}
    assert write(place, **files) == [None] * 300
    assert place.contents() == files


def test_an_empty_batch_is_nothing(place: Place) -> None:
    assert place.dropzone.write([]) == []
    assert place.dropzone.rename([]) == []


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 32640, b"x" * 32768, LARGE], ids=len)
def test_files_of_any_size_come_back_as_they_went(place: Place, content: bytes) -> None:
    assert write(place, file=content) == [None]
    assert place.dropzone.read([place.at("file")], limit=len(LARGE)) == [content]


def test_a_file_is_replaced_by_writing_it_again(place: Place) -> None:
    write(place, file=b"a longer first version")
    assert write(place, file=b"second") == [None]
    assert place.contents() == {"file": b"second"}


def test_writing_into_a_missing_folder_needs_a_person_and_the_others_go_on(place: Place) -> None:
    """F13."""
    paths = [place.at("one"), place.at("missing/two"), place.at("three")]
    first, second, third = place.dropzone.write([OutgoingFile(path=p, content=b"x") for p in paths])
    assert (first, third) == (None, None)
    assert isinstance(second, ConfigError)
    assert "missing/two" in str(second)
    assert place.contents().keys() == {"one", "three"}


def test_a_name_too_long_is_the_files_own_fault(place_on_disk: tuple[Place, Path]) -> None:
    """F13."""
    place, _ = place_on_disk
    (outcome,) = place.dropzone.write([OutgoingFile(path=place.at("n" * 300), content=b"x")])
    assert type(outcome) is place.quirks.name_too_long
    assert place.contents() == {}


def test_a_name_that_cannot_be_is_rejected_and_the_others_go_on(place: Place) -> None:
    bad, good = place.dropzone.write(
        [OutgoingFile(path=place.at("a\0b"), content=b"x"), OutgoingFile(path=place.at("good"), content=b"x")]
    )
    assert isinstance(bad, RejectedError)
    assert good is None


def test_a_rename_moves_the_file(place: Place) -> None:
    write(place, **{"order.tmp": b"x"})
    move = Move(source=place.at("order.tmp"), target=place.at("order.json"))
    assert place.dropzone.rename([move]) == [None]
    assert place.contents() == {"order.json": b"x"}


def test_a_rename_never_replaces(place: Place) -> None:
    """F5."""
    write(place, old=b"old", new=b"new", other=b"other")
    outcomes = place.dropzone.rename(
        [
            Move(source=place.at("new"), target=place.at("old")),
            Move(source=place.at("other"), target=place.at("renamed")),
        ]
    )
    assert isinstance(outcomes[0], TargetExistsError)
    assert outcomes[1] is None
    assert place.contents() == {"old": b"old", "new": b"new", "renamed": b"other"}


def test_a_rename_of_what_is_gone_is_rejected(place: Place) -> None:
    (outcome,) = place.dropzone.rename([Move(source=place.at("gone"), target=place.at("target"))])
    assert isinstance(outcome, RejectedError)
    assert "gone" in str(outcome)


def test_a_rename_into_a_missing_folder_needs_a_person(place: Place) -> None:
    write(place, file=b"x")
    (outcome,) = place.dropzone.rename([Move(source=place.at("file"), target=place.at("missing/file"))])
    assert isinstance(outcome, ConfigError)
    assert place.contents() == {"file": b"x"}


def test_stat_tells_size_and_time_and_what_is_missing(place: Place) -> None:
    write(place, file=b"12345")
    found, missing, in_missing_folder = place.dropzone.stat(
        [place.at("file"), place.at("missing"), place.at("missing/file")]
    )
    assert found is not None
    assert not isinstance(found, ConnectorError)
    assert (found.name, found.size, found.is_file) == ("file", 5, True)
    assert found.modified_at > 1_700_000_000
    assert (missing, in_missing_folder) == (None, None)


def test_a_file_beyond_the_limit_is_not_read(place: Place) -> None:
    """A10."""
    write(place, large=b"x" * 1001, fits=b"x" * 1000)
    large, fits = place.dropzone.read([place.at("large"), place.at("fits")], limit=1000)
    assert isinstance(large, RejectedError)
    assert fits == b"x" * 1000


def test_a_file_that_vanished_reads_as_none(place: Place) -> None:
    """A12."""
    write(place, there=b"x")
    assert place.dropzone.read([place.at("vanished"), place.at("there")], limit=10) == [None, b"x"]


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 32767, b"x" * 32768, LARGE], ids=len)
def test_files_are_read_by_what_the_listing_told_of_them(place: Place, content: bytes) -> None:
    write(place, file=content)
    (entry,) = place.dropzone.list(place.at(""))
    assert entry.size == len(content)
    assert place.dropzone.read_listed([place.at("file")], [entry.size], limit=len(LARGE)) == [content]


@pytest.mark.parametrize("listed", [0, 1, 5, 7, 40_000])
def test_a_file_that_changed_after_the_listing_is_read_as_it_is_now(place: Place, listed: int) -> None:
    """A2: no half of it, whether it grew or was written anew."""
    write(place, changed=b"sixsix", same=b"same")
    paths = [place.at("changed"), place.at("vanished"), place.at("same")]
    assert place.dropzone.read_listed(paths, [listed, 4, 4], limit=50_000) == [b"sixsix", None, b"same"]


@pytest.mark.parametrize("listed", [10, 1000, 1001])
def test_a_file_beyond_the_limit_is_not_read_whatever_the_listing_told(place: Place, listed: int) -> None:
    """A10."""
    write(place, large=b"x" * 1001)
    (outcome,) = place.dropzone.read_listed([place.at("large")], [listed], limit=1000)
    assert isinstance(outcome, RejectedError)


def test_a_folder_is_not_read(place: Place) -> None:
    """A11."""
    place.dropzone.make_directory(place.at("folder"))
    (outcome,) = place.dropzone.read([place.at("folder")], limit=10)
    assert isinstance(outcome, RejectedError)


def test_a_file_is_not_written_over_a_folder(place: Place) -> None:
    place.dropzone.make_directory(place.at("folder"))
    (outcome,) = place.dropzone.write([OutgoingFile(path=place.at("folder"), content=b"x")])
    assert type(outcome) is place.quirks.folder_in_the_way
    (entry,) = place.dropzone.list(place.at(""))
    assert (entry.name, entry.is_file) == ("folder", False)


def test_removing_a_folder_is_refused(place: Place) -> None:
    place.dropzone.make_directory(place.at("folder"))
    (outcome,) = place.dropzone.remove([place.at("folder")])
    names = [entry.name for entry in place.dropzone.list(place.at(""))]
    assert (outcome is None, names) == ((True, []) if place.quirks.removes_folders else (False, ["folder"]))


def test_removing_counts_what_is_gone_as_removed(place: Place) -> None:
    write(place, file=b"x")
    assert place.dropzone.remove([place.at("file"), place.at("gone")]) == [None, None]
    assert place.contents() == {}


def test_a_listing_tells_files_from_folders(place: Place) -> None:
    write(place, first=b"1", second=b"22")
    place.dropzone.make_directory(place.at("processed"))
    entries = {entry.name: entry for entry in place.dropzone.list(place.at(""))}
    assert {name: entry.is_file for name, entry in entries.items()} == {
        "first": True,
        "second": True,
        "processed": False,
    }
    assert entries["second"].size == 2


def test_a_long_listing_is_complete(place: Place) -> None:
    names = {f"file_{n:04}" for n in range(734)}
    write(place, **dict.fromkeys(names, b""))
    assert {entry.name for entry in place.dropzone.list(place.at(""))} == names


def test_files_can_be_read_while_a_listing_goes_on(place: Place) -> None:
    write(place, **{f"file_{n:03}": str(n).encode() for n in range(250)})
    read = {e.name: place.dropzone.read([place.at(e.name)], limit=10)[0] for e in place.dropzone.list(place.at(""))}
    assert read == {f"file_{n:03}": str(n).encode() for n in range(250)}


def test_a_listing_may_be_left_early(place: Place) -> None:
    write(place, **{f"file_{n:03}": b"" for n in range(250)})
    next(place.dropzone.list(place.at("")))
    assert write(place, later=b"x") == [None]


def test_a_missing_folder_is_an_error_and_never_an_empty_listing(place: Place) -> None:
    """A15."""
    with pytest.raises(ConfigError, match="missing"):
        list(place.dropzone.list(place.at("missing")))


def test_a_file_is_not_listed_as_a_folder(place: Place) -> None:
    """A15."""
    write(place, file=b"x")
    with pytest.raises(ConfigError, match="file"):
        list(place.dropzone.list(place.at("file")))


def test_a_folder_can_be_made_twice(place: Place) -> None:
    """A13."""
    place.dropzone.make_directory(place.at("processed"))
    place.dropzone.make_directory(place.at("processed"))
    (entry,) = place.dropzone.list(place.at(""))
    assert (entry.name, entry.is_file) == ("processed", False)


def test_a_folder_in_a_missing_folder_is_not_made(place: Place) -> None:
    with pytest.raises(ConfigError):
        place.dropzone.make_directory(place.at("missing/processed"))


def test_a_folder_is_not_made_over_a_file(place: Place) -> None:
    """A13."""
    write(place, processed=b"x")
    with pytest.raises(ConfigError, match="processed is there, but is no folder"):
        place.dropzone.make_directory(place.at("processed"))
    assert place.contents() == {"processed": b"x"}


def test_a_closed_dropzone_says_so(place: Place) -> None:
    place.dropzone.close()
    place.dropzone.close()
    with pytest.raises(TransientError):
        list(place.dropzone.list(place.at("")))


def test_special_files_are_told_from_files_and_never_opened(place_on_disk: tuple[Place, Path]) -> None:
    """A11."""
    place, folder = place_on_disk
    (folder / "secret").write_bytes(b"secret")
    (folder / "link").symlink_to("secret")
    os.mkfifo(folder / "fifo")
    link, fifo = place.dropzone.read([place.at("link"), place.at("fifo")], limit=100)
    kinds = {entry.name: entry.is_file for entry in place.dropzone.list(place.at(""))}
    if place.quirks.links == "hidden":
        assert (link, fifo, kinds) == (None, None, {"secret": True})
        return
    assert isinstance(link, RejectedError) if place.quirks.links == "told" else link == b"secret"
    assert isinstance(fifo, RejectedError)
    assert kinds == {"secret": True, "link": False, "fifo": False}


def test_a_name_that_is_not_utf_8_does_not_break_the_listing(place_on_disk: tuple[Place, Path]) -> None:
    """A7."""
    place, folder = place_on_disk
    (folder / "good").write_bytes(b"x")
    with open(bytes(folder) + b"/" + NOT_UTF_8, "wb"):  # noqa: PTH123 - a name that pathlib cannot hold
        pass
    listed = {entry.name for entry in place.dropzone.list(place.at(""))}
    assert listed == {"good", place.quirks.shows_not_utf_8_as} - {None}
