"""What `validate_ack` reports is what a poll reads."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.core.management import CommandError, call_command

from connectors.documents.json_acks import parse_ack
from connectors.dropzones.acks.inbox import MAX_ACK_SIZE
from tests.support.installation import ROOT

REFERENCE = ROOT / "docs" / "reference"
SCHEMA = json.loads((REFERENCE / "orderflow_ack_json_v1.schema.json").read_text(encoding="utf-8"))
PAGE = (REFERENCE / "file-formats.md").read_text(encoding="utf-8")
ORDER_ID = "0d9f3a52-1111-4222-8333-abcdefabcdef"
ORDER_FILE = f"sales_order_{ORDER_ID}_20261123T100000Z_9a8d7c6b.json"


def validate(path: Path, *arguments: str) -> str:
    out = StringIO()
    call_command("validate_ack", str(path), *arguments, stdout=out)
    return out.getvalue()


def written(folder: Path, name: str, content: bytes | dict[str, Any]) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def examples() -> list[dict[str, Any]]:
    """The acks that the page for the ERP's developers shows."""
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    return [block for block in blocks if "status" in block]


def test_an_acknowledgement_is_shown_with_its_order_and_references(tmp_path: Path) -> None:
    path = written(tmp_path, f"ack_{ORDER_FILE}", {"status": "ACKED", "erp_order_id": "SO-1"})
    shown = dict(line.split(maxsplit=1) for line in validate(path).splitlines())
    assert shown == {
        "export_filename:": ORDER_FILE,
        "draft_order_id:": ORDER_ID,
        "outcome:": "ACKED",
        "erp_order_id:": "SO-1",
    }


def test_a_rejection_is_shown_as_json_with_its_notes(tmp_path: Path) -> None:
    content = {"status": "FAILED", "error_code": 17, "processed_at": "yesterday"}
    found = json.loads(validate(written(tmp_path, f"error_{ORDER_FILE}", content), "--json"))
    assert (found["outcome"], found["error_code"], found["draft_order_id"]) == ("FAILED", "17", ORDER_ID)
    assert "processed_at is no date" in found["notes"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("order.json", {"status": "ACKED"}, "is named ack_<order file>.*Rename it"),
        (f"{ORDER_FILE}.ack", {"status": "ACKED"}, f"Have the ERP name it ack_{ORDER_FILE}"),
        (f"error_{ORDER_FILE}", {"status": "ACKED"}, "contradict each other. Correct the file"),
        (f"ack_{ORDER_FILE}", {"erp_order_id": "1"}, "has no status"),
        (f"ack_{ORDER_FILE}", b'{"status": "ACK', "not valid JSON"),
        (f"ack_{ORDER_FILE}", b" " * (MAX_ACK_SIZE + 1), "more than 1,048,576 bytes"),
    ],
)
def test_a_file_that_is_not_read_is_an_error_with_the_next_step(
    tmp_path: Path, name: str, content: bytes | dict[str, Any], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint) as raised:
        validate(written(tmp_path, name, content))
    assert raised.value.returncode == 1


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        validate(tmp_path / f"ack_{ORDER_FILE}")


def test_the_examples_of_the_page_fit_the_schema_and_are_read_without_a_note() -> None:
    assert {example["status"] for example in examples()} == {"ACKED", "FAILED"}
    for example in examples():
        jsonschema.validate(example, SCHEMA)
        kind = "ack" if example["status"] == "ACKED" else "error"
        assert parse_ack(f"{kind}_{ORDER_FILE}", json.dumps(example).encode()).notes == ""


def test_the_page_describes_every_field_of_the_schema() -> None:
    section = PAGE.partition("\n### Fields\n")[2].partition("\n### ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(SCHEMA["properties"])
