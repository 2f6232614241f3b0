"""What a batch costs the database does not grow with it, and what is written at once is right for each of its rows."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors.models import ERPConnection
from connectors.ports import Ack, AckEntry, AckOutcome
from exports import ack_poller
from exports.acks import recorder as ack_recorder
from exports.delivery import drain, journal
from exports.models import AckFile, ERPExport, ExportEvent
from orderflow.db.state_machine import MoveLost
from tests.exports.conftest import Push

MANY = 45
# The first batch of a connection also makes its lane.
SIZES = (6, 6, MANY)


def statements(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(database) as queries:
        work()
    # The copies end beside the drop, when they end.
    return sum('SET "storage_key"' not in query["sql"] for query in queries)


def answers(folder: Path, exports: Sequence[ERPExport]) -> None:
    """Every third one is a refusal."""
    for number, export in enumerate(exports):
        kind, body = "ack", {"status": "ACKED", "erp_order_id": f"SO-{export.pk}"}
        if number % 3 == 2:
            kind, body = "error", {"status": "FAILED", "error_code": "4711", "message": f"No {export.pk}"}
        (folder / "acks" / f"{kind}_{export.filename}").write_text(json.dumps(body))


def test_a_batch_that_is_sent_costs_no_more_statements_than_a_small_one(
    push: Push, connection: ERPConnection, folder: Path
) -> None:
    counts = []
    for size in SIZES:
        for _ in range(size):
            push()
        counts.append(statements(lambda: drain.drain(connection.pk)))
    assert ERPExport.objects.filter(status="SENT").count() == sum(SIZES)
    assert counts[1] == counts[2] < MANY


def test_refusals_are_written_at_once_each_with_its_reason(push: Push, connection: ERPConnection, folder: Path) -> None:
    counts = []
    for size in SIZES:
        for _ in range(size):
            push().draft_order.lines.update(uom="")
        counts.append(statements(lambda: drain.drain(connection.pk)))
    assert counts[1] == counts[2] < MANY
    exports = ERPExport.objects.select_related("draft_order")
    assert [export.status for export in exports] == ["FAILED"] * sum(SIZES)
    for export in exports:
        assert str(export.draft_order_id) in export.error_message
        assert (export.draft_order.status, export.draft_order.error_message) == ("ERROR", export.error_message)
        assert list(export.events.values_list("kind", "message")) == [
            ("REQUESTED", ""),
            ("FAILED", export.error_message),
        ]


def test_answers_are_written_at_once_each_to_its_export(push: Push, connection: ERPConnection, folder: Path) -> None:
    counts = []
    for size in SIZES:
        exports = [push() for _ in range(size)]
        drain.drain(connection.pk)
        answers(folder, exports)
        counts.append(statements(lambda: ack_poller.poll(connection.pk)))
    assert counts[1] == counts[2] < MANY
    assert AckFile.objects.filter(verdict="MATCHED", left_because="").count() == sum(SIZES)
    for export in ERPExport.objects.select_related("draft_order"):
        order = export.draft_order
        if export.status == "ACKED":
            assert (export.erp_order_id, order.erp_order_id, order.status) == (f"SO-{export.pk}",) * 2 + ("PUSHED",)
        else:
            assert (export.status, export.error_code, export.error_message) == ("FAILED", "4711", f"No {export.pk}")
            assert (order.status, order.error_message) == ("ERROR", f"No {export.pk}")


def answer(export: ERPExport, outcome: AckOutcome, name: str) -> ack_recorder.Answer:
    entry = AckEntry(name=name, export_filename=export.filename, size=1, modified_at=0)
    return ack_recorder.Answer(entry=entry, export_id=export.pk, raw=name.encode(), ack=Ack(outcome=outcome))


def test_an_error_code_that_grows_in_its_normal_form_fits_its_column(
    sent: ERPExport, connection: ERPConnection
) -> None:
    """Or PostgreSQL would reject every poll that meets it. In NFC, this letter is two characters."""
    found = replace(
        answer(sent, AckOutcome.FAILED, "error_"), ack=Ack(outcome=AckOutcome.FAILED, error_code="\u0958" * 60)
    )
    ack_recorder.enter(connection, [found])
    sent.refresh_from_db()
    assert sent.error_code == "\u0915\u093c" * 30


@pytest.mark.parametrize("first", list(AckOutcome))
@pytest.mark.parametrize("second", list(AckOutcome))
def test_of_two_answers_in_one_batch_the_first_in_the_listing_stands(
    sent: ERPExport, connection: ERPConnection, first: AckOutcome, second: AckOutcome
) -> None:
    """A3, A4."""
    found = [answer(sent, first, "first"), answer(sent, second, "second")]
    done, damaged = ack_recorder.enter(connection, found)
    assert ([entry.name for entry in done], damaged) == (["first", "second"], [])
    sent.refresh_from_db()
    assert sent.status == first
    verdict = "DUPLICATE" if first == second else "CONFLICT"
    assert list(AckFile.objects.order_by("id").values_list("name", "verdict")) == [
        ("first", "MATCHED"),
        ("second", verdict),
    ]
    kinds = [event.kind for event in ExportEvent.objects.filter(export=sent)[3:]]
    assert kinds == ([first.value] if first == second else [first.value, "CONFLICT"])


def test_an_export_that_was_settled_while_its_batch_was_staged_is_not_published(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A1, F26."""
    settled, other = push(), push()
    stage = journal.LaneJournal.staged

    def settle_first(entries: journal.LaneJournal, files: object) -> None:
        ack_recorder.enter(connection, [answer(settled, AckOutcome.FAILED, "error_")])
        monkeypatch.undo()
        stage(entries, files)  # type: ignore[arg-type]

    monkeypatch.setattr(journal.LaneJournal, "staged", settle_first)
    drain.drain(connection.pk)
    assert [path.name for path in (folder / "in").iterdir()] == [other.filename]


def test_a_move_of_rows_that_are_not_where_they_were_read_is_undone(sent: ERPExport) -> None:
    with pytest.raises(MoveLost, match="0 of 1 went PENDING -> SENT"):
        ERPExport.objects.move_locked([sent.pk], "PENDING", "SENT", own={"tries": [1]})
