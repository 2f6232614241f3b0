import json
import os
from pathlib import Path

import pytest

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from exports import ack_poller, push_service
from exports.acks.schedule import due_for_polling
from exports.decisions import give_up
from exports.delivery import drain
from exports.models import AckFile, ERPExport, Lane
from exports.push_service import PushRequest
from orderflow.orders.status import OrderStatus
from tests.exports.conftest import Push, names

pytestmark = pytest.mark.usefixtures("judged_at_once")

ACKED = {"status": "ACKED", "erp_order_id": "SO-1", "processed_at": "2026-11-23T10:01:00Z"}
FAILED = {"status": "FAILED", "error_code": "ERP_VALIDATION", "message": "Unknown customer 4711"}


def answer(folder: Path, export: ERPExport, body: object, kind: str = "ack") -> Path:
    path = folder / "acks" / f"{kind}_{export.filename}"
    path.write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
    return path


def verdicts() -> list[str]:
    return list(AckFile.objects.order_by("id").values_list("verdict", flat=True))


def test_an_acknowledgement_settles_the_export(sent: ERPExport, connection: ERPConnection, folder: Path) -> None:
    path = answer(folder, sent, ACKED)
    raw = path.read_text()
    assert ack_poller.poll(connection.pk) == 1
    sent.refresh_from_db()
    sent.draft_order.refresh_from_db()
    assert (sent.status, sent.erp_order_id) == ("ACKED", "SO-1")
    assert (sent.draft_order.status, sent.draft_order.erp_order_id) == (OrderStatus.PUSHED, "SO-1")
    assert names(folder / "acks") == ["processed"]
    assert names(folder / "acks" / "processed") == [path.name]
    row = AckFile.objects.get()
    assert (row.verdict, row.raw, row.export) == ("MATCHED", raw, sent)
    assert row.left_because == ""
    assert sent.events.last().kind == "ACKED"  # type: ignore[union-attr]


def test_a_refusal_reopens_the_order_with_the_erps_reason(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    answer(folder, sent, FAILED, "error")
    ack_poller.poll(connection.pk)
    sent.refresh_from_db()
    sent.draft_order.refresh_from_db()
    assert (sent.status, sent.error_code) == ("FAILED", "ERP_VALIDATION")
    assert (sent.draft_order.status, sent.draft_order.error_message) == ("ERROR", "Unknown customer 4711")


def test_an_answer_may_overtake_the_record_of_sending(push: Push, connection: ERPConnection, folder: Path) -> None:
    """A1."""
    export = push()
    answer(folder, export, ACKED)
    ack_poller.poll(connection.pk)
    export.refresh_from_db()
    assert export.status == "ACKED"
    drain.drain(connection.pk)
    export.refresh_from_db()
    export.draft_order.refresh_from_db()
    assert (export.status, export.draft_order.status) == ("ACKED", OrderStatus.PUSHED)


def test_a_half_written_answer_is_left_alone_until_it_is_whole(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """A2."""
    path = answer(folder, sent, b'{"status": "AC')
    assert ack_poller.poll(connection.pk) == 0
    assert path.exists()
    answer(folder, sent, ACKED)
    ack_poller.poll(connection.pk)
    sent.refresh_from_db()
    assert (sent.status, verdicts()) == ("ACKED", ["MATCHED"])


def test_a_damaged_answer_that_stays_the_same_is_quarantined(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """A2, A8."""
    path = answer(folder, sent, b"\xff\x00 no json")
    ack_poller.poll(connection.pk)
    assert verdicts() == ["INCOMPLETE"]
    ack_poller.poll(connection.pk)
    sent.refresh_from_db()
    row = AckFile.objects.get()
    assert (row.verdict, sent.status) == ("MALFORMED", "SENT")
    assert "UTF-8" in row.reason
    assert row.raw == "\\xff\\x00 no json"
    assert names(folder / "acks" / "error") == [path.name]


@pytest.mark.parametrize("begun", [b"", b'{"status": "AC'])
def test_an_answer_that_is_written_again_is_waited_for_like_the_first_time(
    sent: ERPExport, connection: ERPConnection, folder: Path, begun: bytes
) -> None:
    """A2: its beginning has been put aside before."""
    path = answer(folder, sent, begun)
    for _ in range(2):
        ack_poller.poll(connection.pk)
    assert names(folder / "acks" / "error") == [path.name]
    answer(folder, sent, begun)
    assert ack_poller.poll(connection.pk) == 0
    assert path.exists()
    answer(folder, sent, ACKED)
    ack_poller.poll(connection.pk)
    sent.refresh_from_db()
    assert (sent.status, verdicts()) == ("ACKED", ["MALFORMED", "MATCHED"])


def test_a_beginning_that_stays_the_same_again_is_put_aside_again(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """A2."""
    for _ in range(2):
        answer(folder, sent, b"")
        assert [ack_poller.poll(connection.pk) for _ in range(2)] == [0, 1]
    assert len(names(folder / "acks" / "error")) == 2
    assert verdicts() == ["MALFORMED"]


def test_an_answer_that_is_written_again_leaves_no_incomplete_row_behind(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """A2, A3."""
    answer(folder, sent, ACKED)
    ack_poller.poll(connection.pk)
    answer(folder, sent, b"{")
    ack_poller.poll(connection.pk)
    assert verdicts() == ["MATCHED", "INCOMPLETE"]
    answer(folder, sent, ACKED)
    assert ack_poller.poll(connection.pk) == 1
    assert verdicts() == ["MATCHED"]


def test_the_same_answer_again_changes_nothing(sent: ERPExport, connection: ERPConnection, folder: Path) -> None:
    """A3: also the crash between commit and move."""
    answer(folder, sent, ACKED)
    ack_poller.poll(connection.pk)
    before = sent.events.count()
    answer(folder, sent, ACKED)
    ack_poller.poll(connection.pk)
    assert (verdicts(), sent.events.count()) == (["MATCHED"], before)
    assert names(folder / "acks") == ["processed"]
    assert len(names(folder / "acks" / "processed")) == 2


@pytest.mark.parametrize("order", [("ack", "error"), ("error", "ack")])
def test_of_two_contradicting_answers_the_first_stands(
    sent: ERPExport, connection: ERPConnection, folder: Path, order: tuple[str, str]
) -> None:
    """A4."""
    for kind in order:
        answer(folder, sent, ACKED if kind == "ack" else FAILED, kind)
        ack_poller.poll(connection.pk)
    sent.refresh_from_db()
    assert sent.status == ("ACKED" if order[0] == "ack" else "FAILED")
    assert verdicts() == ["MATCHED", "CONFLICT"]
    assert sent.events.last().kind == "CONFLICT"  # type: ignore[union-attr]


def test_a_second_acknowledgement_is_a_duplicate(sent: ERPExport, connection: ERPConnection, folder: Path) -> None:
    answer(folder, sent, ACKED)
    ack_poller.poll(connection.pk)
    answer(folder, sent, {**ACKED, "erp_order_id": "SO-2"})
    ack_poller.poll(connection.pk)
    sent.refresh_from_db()
    assert (sent.erp_order_id, verdicts()) == ("SO-1", ["MATCHED", "DUPLICATE"])


def test_a_neighbours_answer_is_noted_once_and_left_where_it_is(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """A5."""
    foreign = folder / "acks" / "ack_sales_order_of_somebody_else.json"
    foreign.write_text(json.dumps(ACKED))
    (folder / "acks" / "readme.txt").write_text("not an answer")
    for _ in range(2):
        assert ack_poller.poll(connection.pk) == 0
    assert foreign.exists()
    assert list(AckFile.objects.values_list("name", "verdict", "raw")) == [(foreign.name, "ORPHAN", "")]


def test_a_late_answer_leaves_the_newer_export_alone(sent: ERPExport, connection: ERPConnection, folder: Path) -> None:
    """A6."""
    give_up.give_up(sent, actor="Eva", reason="no answer")
    newer = push_service.retry(PushRequest(order=sent.draft_order, actor="Eva"))
    answer(folder, sent, ACKED)
    ack_poller.poll(connection.pk)
    sent.refresh_from_db()
    newer.refresh_from_db()
    assert (sent.status, newer.status, verdicts()) == ("FAILED", "PENDING", ["LATE"])
    assert sent.events.last().kind == "LATE"  # type: ignore[union-attr]


def test_only_regular_files_are_read(sent: ERPExport, connection: ERPConnection, folder: Path) -> None:
    """A11."""
    name = f"ack_{sent.filename}"
    (folder / "acks" / name).mkdir()
    secret = folder / "secret"
    secret.write_text(json.dumps(ACKED))
    (folder / "acks" / f"{name}.json").symlink_to(secret)
    os.mkfifo(folder / "acks" / f"error_{sent.filename}")
    assert ack_poller.poll(connection.pk) == 0
    sent.refresh_from_db()
    assert (sent.status, verdicts()) == ("SENT", [])


def test_a_name_that_is_not_utf8_does_not_stop_the_poll(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """A7."""
    Path(os.fsdecode(os.fsencode(folder / "acks") + b"/ack_\xff\xfe.json")).write_text("{}")
    answer(folder, sent, ACKED)
    assert ack_poller.poll(connection.pk) == 1


def test_an_answer_too_large_to_be_one_is_quarantined_unread(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """A10."""
    path = answer(folder, sent, b"")
    os.truncate(path, 2 * 1024**3)
    for _ in range(2):
        ack_poller.poll(connection.pk)
    assert verdicts() == ["MALFORMED"]
    assert names(folder / "acks" / "error") == [path.name]


def test_a_folder_that_cannot_be_listed_is_an_error_that_people_see(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """A15."""
    (folder / "acks").rmdir()
    with pytest.raises(ConfigError, match="acks"):
        ack_poller.poll(connection.pk)
    assert "acks" in Lane.objects.get(kind="ACKS").last_error


def test_one_file_that_cannot_be_moved_does_not_apply_its_answer_twice(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """A13."""
    (folder / "acks" / "processed").write_text("in the way")
    path = answer(folder, sent, ACKED)
    for _ in range(2):
        with pytest.raises(ConfigError):
            ack_poller.poll(connection.pk)
    sent.refresh_from_db()
    assert (sent.status, verdicts(), path.exists()) == ("ACKED", ["MATCHED"], True)
    assert "processed" in AckFile.objects.get().left_because
    (folder / "acks" / "processed").unlink()
    assert ack_poller.poll(connection.pk) == 1
    assert (verdicts(), AckFile.objects.get().left_because) == (["MATCHED"], "")


def test_two_pollers_do_not_work_at_once(sent: ERPExport, connection: ERPConnection, folder: Path) -> None:
    """A16."""
    from exports.lanes import leases  # noqa: PLC0415

    answer(folder, sent, ACKED)
    with leases.holding(connection.pk, Lane.Kind.ACKS):
        assert ack_poller.poll(connection.pk) == 0
    assert ack_poller.poll(connection.pk) == 1


def test_answers_to_files_sent_before_are_read_over_a_disabled_connection(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """F26."""
    connection_service.save(connection, ConnectionChanges(status="DISABLED"), actor="test")
    assert due_for_polling() == [connection.pk]
    answer(folder, sent, ACKED)
    assert ack_poller.poll(connection.pk) == 1
    assert due_for_polling() == []


def test_hostile_text_in_an_answer_becomes_one_harmless_line(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    """S16."""
    answer(folder, sent, {"status": "FAILED", "message": "\x1b[31mred\r\nX-Evil: 1 " + "a" * 2000}, "error")
    ack_poller.poll(connection.pk)
    sent.refresh_from_db()
    assert sent.error_message.startswith("[31mred X-Evil: 1 aaa")
    assert len(sent.error_message) <= 500
