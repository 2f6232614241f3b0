"""Known, on every server: what lies in the folder of answers, and where it goes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.exceptions import ConfigError, ConnectorError, RejectedError
from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from connectors.ports import AckInbox
from tests.connectors.implementations.conftest import Ground, contents
from tests.servers.sftp.quirks import NOT_UTF_8

NAME = "ack_sales_order_1.json"


@pytest.fixture
def inbox(connector: DropzoneJsonV1Connector, ground: Ground) -> Iterator[AckInbox]:
    with connector.open_inbox(ground.config) as inbox:
        yield inbox


def answer(ground: Ground, content: bytes = b"first", name: str = NAME) -> Path:
    path = ground.acks / name
    path.write_bytes(content)
    return path


def archive(inbox: AckInbox, *, quarantine: bool = False) -> list[ConnectorError | None]:
    return inbox.archive(list(inbox.entries()), quarantine=quarantine)


def test_only_regular_files_in_the_form_of_an_answer_are_seen(inbox: AckInbox, ground: Ground) -> None:
    """A7, A11: whatever else a server lists, hides or tells of it."""
    answer(ground)
    (ground.acks / "readme.txt").write_bytes(b"x")
    (ground.acks / "ack_folder.json").mkdir()
    (ground.acks / "ack_link.json").symlink_to(NAME)
    (ground.acks / "ack_away.json").symlink_to("/etc/hostname")
    os.mkfifo(ground.acks / "error_fifo.json")
    with open(bytes(ground.acks) + b"/ack_" + NOT_UTF_8 + b".json", "wb"):  # noqa: PTH123 - no name for pathlib
        pass
    (entry,) = inbox.entries()
    assert (entry.name, entry.export_filename, entry.size) == (NAME, "sales_order_1.json", 5)
    assert inbox.read([entry]) == [b"first"]


def test_an_answer_that_vanishes_is_normal(inbox: AckInbox, ground: Ground) -> None:
    """A12."""
    path = answer(ground)
    entries = list(inbox.entries())
    path.unlink()
    assert inbox.read(entries) == [None]
    (outcome,) = inbox.archive(entries)
    assert isinstance(outcome, RejectedError)


@pytest.mark.parametrize(("quarantine", "folder"), [(False, "processed"), (True, "error")])
def test_answers_are_moved_into_a_folder_that_is_made_for_them(
    quarantine: bool, folder: str, inbox: AckInbox, ground: Ground
) -> None:
    """A13."""
    for n in range(3):
        answer(ground, str(n).encode(), f"ack_{n}.json")
    assert archive(inbox, quarantine=quarantine) == [None] * 3
    assert [path.name for path in ground.acks.iterdir()] == [folder]
    assert contents(ground.acks / folder) == {f"ack_{n}.json": str(n).encode() for n in range(3)}


def test_a_second_answer_of_one_name_is_kept_beside_the_first(inbox: AckInbox, ground: Ground) -> None:
    """A13: also on servers whose rename would replace it."""
    for content in (b"first", b"second", b"third"):
        answer(ground, content)
        assert archive(inbox) == [None]
    kept = contents(ground.acks / "processed")
    assert kept.pop(NAME) == b"first"
    assert sorted(kept.values()) == [b"second", b"third"]


def test_an_answer_stays_where_it_is_when_its_folder_cannot_be_made(inbox: AckInbox, ground: Ground) -> None:
    """A13."""
    path = answer(ground)
    (ground.acks / "processed").write_bytes(b"in the way")
    (outcome,) = archive(inbox)
    assert isinstance(outcome, ConfigError)
    assert "processed is there, but is no folder" in str(outcome)
    assert path.read_bytes() == b"first"


@pytest.mark.parametrize("is_file", [True, False])
def test_a_folder_that_cannot_be_listed_needs_a_person(is_file: bool, inbox: AckInbox, ground: Ground) -> None:
    """A15."""
    ground.acks.rmdir()
    if is_file:
        ground.acks.write_bytes(b"x")
    with pytest.raises(ConfigError, match=ground.config["ack_path"]):
        list(inbox.entries())
