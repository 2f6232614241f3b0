import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connectors.documents import json_ack_names, json_acks
from connectors.documents.naming import draft_order_of, sales_order_in
from connectors.dropzones.acks.inbox import MAX_ACK_SIZE
from connectors.exceptions import RejectedError
from connectors.ports import Ack

NEXT_STEP = "Correct the file and validate it again; docs/reference/file-formats.md has every field."


class Command(BaseCommand):
    help = (
        "Validate an acknowledgement file of an ERP as a poll of a DROPZONE_JSON_V1 connection reads it: its name and "
        "its content. Needs no connection and changes nothing. Exits with 0 if it is read, with 1 if not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="The file, under the name that the ERP gives it.")
        parser.add_argument("--json", action="store_true", help="Print the result as JSON.")

    def handle(self, *_args: Any, **options: Any) -> None:
        path: Path = options["file"]
        filename = _export_filename(path.name)
        ack = _parsed(path)
        found = {"export_filename": filename, "draft_order_id": draft_order_of(filename), **asdict(ack)}
        if options["json"]:
            self.stdout.write(json.dumps(found, default=str, ensure_ascii=False))
            return
        for key, value in found.items():
            if value not in (None, ""):
                self.stdout.write(f"{key + ':':<17} {value}")


def _export_filename(name: str) -> str:
    """The order file that an ack called `name` acknowledges. Raises `CommandError`."""
    found = json_ack_names.export_filename(name)
    if found:
        return found
    order_file = sales_order_in(name)
    if order_file:
        raise CommandError(f"{name} is not read. {json_ack_names.why_not_read(name, order_file)}")
    raise CommandError(
        f"{name} is not read: an acknowledgement is named ack_<order file> or error_<order file>, such as "
        "ack_sales_order_….json. Rename it."
    )


def _parsed(path: Path) -> Ack:
    """Raises `CommandError`."""
    raw = _content(path)
    if len(raw) > MAX_ACK_SIZE:
        raise CommandError(f"{path.name} is not read. It has more than {MAX_ACK_SIZE:,} bytes. {NEXT_STEP}")
    try:
        return json_acks.parse_ack(path.name, raw)
    except RejectedError as error:
        raise CommandError(f"{path.name} is not read. {error} {NEXT_STEP}") from error


def _content(path: Path) -> bytes:
    """Not more of it than shows that it is too large. Raises `CommandError`."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_ACK_SIZE + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
