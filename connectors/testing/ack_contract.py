"""The part of the contract that concerns acks."""

from collections.abc import Sequence
from typing import Any

import pytest

from connectors.base_connector import BaseConnector
from connectors.ports import AccountingInbox, AckEntry, AckReadingConnector, OtherFile, OtherKind
from connectors.testing.values import ORDER, attempt


class AckContract:
    """`ack_name(filename)` names the ack of a document, or is None where `config` brings no acks;
    `acknowledge(config, name, content)` then leaves a file where the ERP does."""

    def ack_name(self, filename: str) -> str | None:  # noqa: ARG002 - for the subclass
        return None

    def acknowledge(self, config: dict[str, Any], name: str, content: bytes) -> None:
        raise NotImplementedError

    def test_each_file_in_the_ack_folder_is_an_ack_or_another_file(
        self, connector: BaseConnector, config: dict[str, Any]
    ) -> None:
        filename = connector.document_name(ORDER.draft_order_id, attempt())
        acks = self.ack_name(filename)
        if acks is None or not isinstance(connector, AckReadingConnector):
            pytest.skip("The config brings no acks.")
        names = [acks, "readme.txt", f"unexpected {filename}", f"{acks}.tmp"]
        for name in names:
            self.acknowledge(config, name, b"?")
        with connector.open_inbox(config) as inbox:
            entries = list(inbox.entries())
            files = list(inbox.all_files()) if isinstance(inbox, AccountingInbox) else None
        assert [(entry.name, entry.export_filename) for entry in entries] == [(acks, filename)]
        if files is None:
            pytest.skip("The inbox tells of nothing but acks: no other file will be logged or counted.")
        check_files(files, entries, names)

    def test_its_acks_are_the_only_regular_files_that_are_moved(
        self, connector: BaseConnector, config: dict[str, Any]
    ) -> None:
        filename = connector.document_name(ORDER.draft_order_id, attempt())
        name = self.ack_name(filename)
        if name is None or not isinstance(connector, AckReadingConnector):
            pytest.skip("The config brings no acks.")
        for each in (name, "readme.txt"):
            self.acknowledge(config, each, b"?")
        with connector.open_inbox(config) as inbox:
            entries = list(inbox.entries())
            assert inbox.read(entries) == [b"?"]
            assert inbox.archive(entries) == [None]
            assert list(inbox.entries()) == []
            left = [file.name for file in inbox.all_files()] if isinstance(inbox, AccountingInbox) else ["readme.txt"]
        assert left == ["readme.txt"]


def check_files(files: Sequence[Any], entries: Sequence[AckEntry], names: Sequence[str]) -> None:
    """What `all_files` gives: the entries, and one `OtherFile` for each other file that lies there."""
    others = [file for file in files if not isinstance(file, AckEntry)]
    assert [file for file in files if isinstance(file, AckEntry)] == list(entries)
    assert sorted(file.name for file in files) == sorted(names), "A file is missing, or there twice."
    for file in others:
        assert isinstance(file, OtherFile), f"all_files gave {type(file).__name__}."
        assert isinstance(file.kind, OtherKind), "The kind of a file is no OtherKind."
        assert file.reason or not file.export_filename, "A file that names an export has no reason."
        assert len(file.reason) <= 500, "A reason is too long to be stored."
