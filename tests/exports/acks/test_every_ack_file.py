"""A17, A18: every name times every body in the ack folder; each file is in the ack log or in a count on a page.

The two tables say by hand what each name and each body is. The rule for a pair follows from them alone.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from connectors.documents.naming import sales_order_name
from connectors.models import ERPConnection
from connectors.ports import ExportAttempt
from exports import ack_poller
from exports.models import AckFile, ERPExport, Lane
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder, SharedServer
from tests.exports.conftest import connect_to

pytestmark = pytest.mark.usefixtures("judged_at_once")

# What a name is: an ack, a rejection, or why it is neither.
ACK, ERROR, UNREAD, TEMPORARY, FOREIGN = "ACK", "ERROR", "UNREAD", "TEMPORARY", "FOREIGN"
# What a body says.
ACKED, FAILED, NOTHING = "ACKED", "FAILED", "NOTHING"

# {x} is the export's file name without .json, {X} the same in capitals, {n} a number.
NAMES: dict[str, str] = {
    "ack_{x}.json": ACK,
    "error_{x}.json": ERROR,
    "ack_{x}.json.json": ACK,
    "error_{x}.json.json": ERROR,
    "ACK_{X}.JSON": ACK,
    "ERROR_{X}.JSON": ERROR,
    "ACK_{x}.json": ACK,
    "Ack_{x}.Json": ACK,
    "ack_{x}.JSON": ACK,
    "Error_{x}.json": ERROR,
    "ack_{X}.json": ACK,
    "ack_{X}.JSON.json": ACK,
    "ack_{x} (1).json": ACK,
    "ack_{x}(1).json": ACK,
    "ack_{x} (12).json": ACK,
    "error_{x} (2).json": ERROR,
    "ack_{x}.json (1).json": ACK,
    "ACK_{X} (1).JSON": ACK,
    "ERROR_{X} (3).JSON": ERROR,
    "error_{X}.json": ERROR,
    "Error_{x}.json.JSON": ERROR,
    "ack_{x}.ack": UNREAD,
    "ack_{x}.xml": UNREAD,
    "error_{x}.xml": UNREAD,
    "ACK_{X}.XML": UNREAD,
    "error_{x}.err": UNREAD,
    "error-{x}.json": UNREAD,
    "{x}_error.json": UNREAD,
    "{X}_ACK.JSON": UNREAD,
    "ack_{x}.json.bak": UNREAD,
    "ack_{x}.txt": UNREAD,
    "ack_{x}.json.ack": UNREAD,
    "ack_{x}.json.txt": UNREAD,
    "ack_{x}.json.gz": UNREAD,
    "ack_{x}": UNREAD,
    "ack_{x}.": UNREAD,
    "ack_{x}.jsn": UNREAD,
    "ack-{x}.json": UNREAD,
    "ack {x}.json": UNREAD,
    "ack{x}.json": UNREAD,
    "err_{x}.json": UNREAD,
    "nack_{x}.json": UNREAD,
    "{x}_ack.json": UNREAD,
    "{x}.ack.json": UNREAD,
    "{x}.json.ack": UNREAD,
    "{x}.ok": UNREAD,
    "{x}.error": UNREAD,
    "{X}": UNREAD,
    "{x}": UNREAD,
    "Copy of ack_{x}.json": UNREAD,
    "ack_{x} - Copy.json": UNREAD,
    "ack_{x}.json (1)": UNREAD,
    "ack_{x} .json": UNREAD,
    "ack_{x}.json ": UNREAD,
    "20261123_ack_{x}.json": UNREAD,
    "ack_{x}_20261123.json": UNREAD,
    "ack_\u00fc_{x}.json": UNREAD,
    "ack_\udcff_{x}.json": UNREAD,
    "ack_{x}.json.tmp": TEMPORARY,
    "ack_{x}.json.part": TEMPORARY,
    "ack_{x}.json.filepart": TEMPORARY,
    ".ack_{x}.json": TEMPORARY,
    "~ack_{x}.json": TEMPORARY,
    "ack_{x}.json~": TEMPORARY,
    "tmp_ack_{x}.json": TEMPORARY,
    "ACK_{X}.JSON.TMP": TEMPORARY,
    "readme_{n}.txt": FOREIGN,
    "invoice_{n}.pdf": FOREIGN,
    "{x}.json": FOREIGN,
    "Thumbs_{n}.db": FOREIGN,
}


def _of(status: object, **fields: object) -> bytes:
    return json.dumps({"status": status, **fields}).encode()


BODIES: dict[str, tuple[bytes, str]] = {
    "ack": (_of("ACKED", erp_order_id="SO-1", processed_at="2026-11-23T10:01:00Z"), ACKED),
    "rejection": (_of("FAILED", error_code="E1", message="Unknown customer"), FAILED),
    "status alone": (_of("ACKED"), ACKED),
    "rejection alone": (_of("FAILED"), FAILED),
    "small letters": (_of("acked"), ACKED),
    "mixed case": (_of("Failed"), FAILED),
    "spaces": (_of("  ACKED "), ACKED),
    "no-break spaces": (_of("\u00a0FAILED\u00a0"), FAILED),
    "line break": (_of("ACKED\r\n"), ACKED),
    "BOM": (b"\xef\xbb\xbf" + _of("ACKED"), ACKED),
    "keys of its own": (_of("ACKED", warehouse={"id": [1]}), ACKED),
    "time is a word": (_of("ACKED", processed_at="today"), ACKED),
    "time is a number": (_of("FAILED", processed_at=1764580000), FAILED),
    "time is a list": (_of("ACKED", processed_at=[2026, 11, 23]), ACKED),
    "a day only": (_of("ACKED", processed_at="2026-11-23"), ACKED),
    "a year too far": (_of("ACKED", processed_at="99999-01-01T00:00:00Z"), ACKED),
    "code is a list": (_of("FAILED", error_code=["E1", "E2"]), FAILED),
    "code is an object": (_of("FAILED", error_code={"id": 1}), FAILED),
    "code is a float": (_of("FAILED", error_code=4.5), FAILED),
    "code is a boolean": (_of("FAILED", error_code=False), FAILED),
    "id is too long": (_of("ACKED", erp_order_id="9" * 500), ACKED),
    "id is a long number": (b'{"status": "ACKED", "erp_order_id": 1' + b"0" * 5000 + b"}", ACKED),
    "id is an object": (_of("ACKED", erp_order_id={"no": 1}), ACKED),
    "message is a list": (_of("FAILED", message=["No price", "No stock"]), FAILED),
    "message is a number": (_of("FAILED", message=17), FAILED),
    "message is an object": (_of("ACKED", message={"de": "gut"}), ACKED),
    "message is long": (_of("FAILED", message="a" * 20_000), FAILED),
    "all fields are wrong": (_of("FAILED", erp_order_id=[], error_code={}, message=1, processed_at=0), FAILED),
    "empty": (b"", NOTHING),
    "half written": (b'{"status": "AC', NOTHING),
    "no status": (b'{"erp_order_id": "SO-1"}', NOTHING),
    "another status": (_of("DONE"), NOTHING),
    "status is a list": (_of(["ACKED"]), NOTHING),
    "status is null": (_of(None), NOTHING),
    "status twice": (b'{"status": "ACKED", "status": "FAILED"}', NOTHING),
    "one status twice": (b'{"status": "ACKED", "status": "ACKED"}', NOTHING),
    "status twice and NaN": (b'{"status": "FAILED", "n": NaN, "status": "ACKED"}', NOTHING),
    "status in capitals too": (b'{"status": "FAILED", "STATUS": "ACKED"}', NOTHING),
    "status of a line": (b'{"lines": [{"status": "ACKED"}], "n": NaN}', NOTHING),
    "status without quotes": (b'{"status": ACKED}', NOTHING),
    "status with a NUL": (b'{"status": "ACKED\0"}', NOTHING),
    "two objects": (b'{"status": "ACKED"}{"status": "FAILED"}', NOTHING),
    "cut off behind the status": (b'{"status": "ACKED", "message": "Gr\xf6', NOTHING),
    "cut off behind a comma": (b'{"status": "ACKED",', NOTHING),
    "cut off before the end": (b'{"status": "FAILED", "lines": [{"n": NaN}]', NOTHING),
    "quotes in the message": (b'{"status": "FAILED", "message": "no "4711" here"}', NOTHING),
    "a list": (b'["ACKED"]', NOTHING),
    "XML": (b"<ack><status>ACKED</status></ack>", NOTHING),
    "UTF-16": ('{"status": "ACKED"}'.encode("utf-16"), NOTHING),
    "NUL": (b'{"status": "ACKED", "message": "\\u0000"}', ACKED),
    "NUL as it is": (b'{"status": "FAILED", "message": "a\0b"}', FAILED),
    "half a surrogate pair": (b'{"status": "FAILED", "error_code": "\\ud800", "message": "\\udfff"}', FAILED),
    "Windows-1252": (
        '{"status": "FAILED", "message": "Gr\u00f6\u00dfe f\u00fcr 5 \u20ac fehlt"}'.encode("cp1252"),
        FAILED,
    ),
    "Latin-1": ('{"message": "\u00fcbernommen", "status": "ACKED"}'.encode("latin-1"), ACKED),
    "a byte that is no character": (b'{"status": "ACKED", "message": "\x81"}', ACKED),
    "line breaks in the message": (b'{"status": "FAILED",\r\n"message": "No price\r\nNo stock"}\r\n', FAILED),
    "a tab in the message": (b'{"status": "ACKED", "message": "a\tb"}', ACKED),
    "an escape character": (b'{"status": "FAILED", "message": "\x1b[31mNo"}', FAILED),
    "a path": (b'{"status": "FAILED", "message": "C:\\erp\\log"}', FAILED),
    "NaN": (b'{"status": "ACKED", "amount": NaN}', ACKED),
    "-Infinity": (b'{"status": "FAILED", "error_code": -Infinity}', FAILED),
    "1e400": (b'{"status": "ACKED", "erp_order_id": 1e400}', ACKED),
    "zeros in front": (b'{"status": "ACKED", "erp_order_id": 0004711}', ACKED),
    "None": (b'{"status": "FAILED", "erp_order_id": None}', FAILED),
    "message twice": (b'{"status": "FAILED", "message": "a", "message": "b"}', FAILED),
    "id twice": (b'{"erp_order_id": "1", "status": "ACKED", "erp_order_id": "1"}', ACKED),
    "a comma too many": (b'{"status": "ACKED", "erp_order_id": "SO-1",}', ACKED),
    "commas too many": (b'{"status": "FAILED", "message": ["No price", "No stock",],\n}', FAILED),
    "NULs at the end": (b'{"status": "ACKED"}' + b"\0" * 100, ACKED),
    "end of file of DOS": (b'{"status": "FAILED"}\r\n\x1a', FAILED),
    "noise": (bytes(range(256)), NOTHING),
}


def verdict_of(kind: str, says: str) -> str:
    """By the tables alone; empty for a file without a row."""
    if kind in (TEMPORARY, FOREIGN):
        return ""
    if kind == UNREAD:
        return "UNREAD"
    return "MATCHED" if (kind, says) in ((ACK, ACKED), (ERROR, FAILED)) else "MALFORMED"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A file, the export whose name it has, and what has to become of both."""

    name: str
    body: bytes
    export: str
    kind: str
    verdict: str
    status: str

    @property
    def stored(self) -> str:
        return self.name.encode("utf-8", "backslashreplace").decode()


def _case(pattern: str, label: str, export: str, number: int) -> Case:
    kind, (body, says) = NAMES[pattern], BODIES[label]
    verdict = verdict_of(kind, says)
    stem = export.removesuffix(".json")
    return Case(
        name=pattern.format(x=stem, X=stem.upper(), n=number),
        body=body,
        export=export,
        kind=kind,
        verdict=verdict,
        status=says if verdict == "MATCHED" else "SENT",
    )


def _cases(connection: ERPConnection, order: DraftOrder, *, every: int = 1) -> list[Case]:
    """Each pair with an export of its own, of which `order` is the pattern."""
    pairs = [(pattern, label) for pattern in NAMES for label in BODIES][::every]
    now = timezone.now()
    orders = [
        DraftOrder(
            organization=order.organization, customer=order.customer, status="PUSHED", currency="EUR",
            external_order_number=f"Every-{number}", approved_at=now, created_by="test",
        )
        for number in range(len(pairs))
    ]  # fmt: skip
    DraftOrder.objects.bulk_create(orders)
    cases, exports = [], []
    for number, ((pattern, label), each) in enumerate(zip(pairs, orders, strict=True)):
        export_id = uuid4()
        attempt = ExportAttempt(export_id=export_id, created_at=datetime(2026, 11, 23, 10, tzinfo=UTC))
        case = _case(pattern, label, sales_order_name(each.pk, attempt), number)
        cases.append(case)
        exports.append(
            ERPExport(
                id=export_id, organization=order.organization, draft_order=each, connection=connection, status="SENT",
                created_at=now, sent_at=now, answer_due_at=now, filename=case.export, document_sha256="0" * 64,
                # The order file itself lies there, where its name does.
                document_size=len(case.body) if case.kind == FOREIGN else 1300,
            )
        )  # fmt: skip
    ERPExport.objects.bulk_create(exports)
    return cases


def _poll(connection: ERPConnection, times: int) -> None:
    for _ in range(times):
        ack_poller.poll(connection.pk)


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()} if folder.exists() else set()


def _require_accounted(cases: Iterable[Case], acks: Path) -> None:
    by_name = {case.stored: case for case in cases}
    rows = list(AckFile.objects.values_list("name", "verdict", "export__filename", "gone_at"))
    expected = {(name, case.verdict, case.export, None) for name, case in by_name.items() if case.verdict}
    assert sorted(rows) == sorted(expected)
    states = dict(ERPExport.objects.values_list("filename", "status"))
    assert {case.name: states[case.export] for case in cases} == {case.name: case.status for case in cases}
    moved = {"MATCHED": acks / "processed", "MALFORMED": acks / "error"}
    for verdict in ("MATCHED", "MALFORMED"):
        assert _files(moved[verdict]) == {case.name for case in cases if case.verdict == verdict}
    assert _files(acks) == {case.name for case in cases if case.verdict not in moved}
    counted = Counter(case.kind for case in cases if case.kind in (UNREAD, TEMPORARY, FOREIGN))
    folder: dict[str, Any] = Lane.objects.get(kind="ACKS").folder or {}
    assert folder["counts"] == {kind.lower(): count for kind, count in counted.items()}


def _fill(acks: Path, cases: Iterable[Case]) -> None:
    for case in cases:
        with open(os.fsencode(acks) + b"/" + os.fsencode(case.name), "wb") as file:  # noqa: PTH123 - no name for pathlib
            file.write(case.body)


def test_the_tables_are_complete() -> None:
    assert (len(NAMES), len(BODIES)) >= (60, 40)
    assert len({body for body, _ in BODIES.values()}) == len(BODIES)


def test_every_file_in_a_folder_is_accounted_for(
    connection: ERPConnection, folder: Path, make_order: MakeOrder
) -> None:
    """A17, A18."""
    cases = _cases(connection, make_order())
    assert len(cases) == len(NAMES) * len(BODIES)
    _fill(folder / "acks", cases)
    _poll(connection, 3)
    _require_accounted(cases, folder / "acks")
    before = sorted(AckFile.objects.values_list("pk", "seen_at"))
    _poll(connection, 2)
    assert sorted(AckFile.objects.values_list("pk", "seen_at")) == before
    _require_accounted(cases, folder / "acks")


@pytest.fixture(params=["openssh", "proftpd"])
def behind(
    request: pytest.FixtureRequest,
    shared_server: SharedServer,
    tmp_path: Path,
    organization: Organization,
    dropzone_root: Path,
) -> tuple[ERPConnection, Path]:
    """A connection to a server, and its ack folder."""
    server = shared_server(request.param)
    place = server.root / tmp_path.name
    for name in ("in", "acks"):
        (place / name).mkdir(parents=True)
    folders = {"export_path": f"{place.name}/in", "ack_path": f"{place.name}/acks"}
    return connect_to(server, organization, **folders, timeout_s=30), place / "acks"


def test_every_file_behind_a_server_is_accounted_for(behind: tuple[ERPConnection, Path], make_order: MakeOrder) -> None:
    """A17, A18."""
    connection, acks = behind
    cases = _cases(connection, make_order(), every=7)
    assert {case.kind for case in cases} == set(NAMES.values())
    _fill(acks, cases)
    _poll(connection, 3)
    _require_accounted(cases, acks)
