"""A13: the second file of one name in processed/ is known by the name that it came with, and by its export."""

import posixpath

import pytest

from connectors.documents.json_ack_names import export_filename
from connectors.ports import AckEntry
from exports.recovery import acks

EXPORT = "sales_order_0d9f3a52-1111-4222-8333-abcdefabcdef_20261123T100000Z_9a8d7c6b.json"
STEM = EXPORT.removesuffix(".json")


@pytest.mark.parametrize(
    "came",
    [
        f"ack_{EXPORT}",
        f"error_{EXPORT}.json",
        f"ACK_{EXPORT.upper()}",
        f"ACK_{EXPORT.upper()}.JSON",
        f"ack_{STEM} (1).json",
        f"ack_{EXPORT} (1).json",
        f"ack_{STEM}(1).JSON",
    ],
)
def test_a_file_that_was_moved_beside_another_has_its_first_name(came: str) -> None:
    stem, extension = posixpath.splitext(came)
    beside = f"{stem}.0a1b2c3d{extension}"
    entry = AckEntry(name=beside, export_filename=export_filename(beside) or "", size=1, modified_at=0)
    original = acks._original(entry)
    assert (original.name, original.export_filename) == (came, EXPORT)
