"""Who is asked for answers: often where one is awaited, rarely where none is, and where nothing was sent, never."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from connectors.models import ERPConnection
from exports import ack_poller
from exports.acks import growing
from exports.acks.schedule import due_for_polling
from exports.decisions import give_up
from exports.lanes import leases
from exports.models import AckFile, ERPExport, Lane, Verdict
from tests.exports.conftest import Push


def asked(connection: ERPConnection, seconds_ago: float) -> None:
    moment = timezone.now() - timedelta(seconds=seconds_ago)
    Lane.objects.update_or_create(connection=connection, kind=Lane.Kind.ACKS, defaults={"last_run_at": moment})


def test_a_connection_that_awaits_an_answer_is_asked_every_minute(sent: ERPExport, connection: ERPConnection) -> None:
    assert due_for_polling() == [connection.pk]
    asked(connection, 50)
    assert due_for_polling() == []
    asked(connection, 61)
    assert due_for_polling() == [connection.pk]


def test_a_connection_whose_answers_are_all_there_is_asked_rarely(sent: ERPExport, connection: ERPConnection) -> None:
    ERPExport.objects.update(status="ACKED", answer_due_at=None)
    asked(connection, 61)
    assert due_for_polling() == []
    asked(connection, 901)
    assert due_for_polling() == [connection.pk]


def test_an_answer_is_awaited_whatever_else_was_given_up(
    sent: ERPExport, connection: ERPConnection, push: Push
) -> None:
    give_up.give_up(sent, actor="Eva", reason="no answer")
    asked(connection, 61)
    assert due_for_polling() == []
    ERPExport.objects.filter(pk=push().pk).update(status="SENT", answer_due_at=timezone.now())
    assert due_for_polling() == [connection.pk]


def test_a_connection_that_nothing_was_pushed_over_is_not_asked(connection: ERPConnection) -> None:
    assert due_for_polling() == []


@pytest.mark.parametrize("change", [{"blocked_at": timezone.now()}, {"status": "DISABLED"}])
def test_a_connection_out_of_use_is_not_asked_for_nothing(
    sent: ERPExport, connection: ERPConnection, change: dict[str, object]
) -> None:
    ERPExport.objects.update(status="ACKED", answer_due_at=None)
    ERPConnection.objects.update(**change)
    assert due_for_polling() == []


def test_a_poll_counts_from_its_start(sent: ERPExport, connection: ERPConnection, folder: Path) -> None:
    with leases.holding(connection.pk, Lane.Kind.ACKS):
        assert due_for_polling() == []
    assert ack_poller.poll(connection.pk) == 0
    assert due_for_polling() == []


def test_what_one_connection_awaits_has_no_other_one_asked(sent: ERPExport, connection: ERPConnection) -> None:
    other = ERPConnection.objects.get(pk=connection.pk)
    other.pk, other.name, other.is_default = None, "Other", False
    other._state.adding = True
    other.save()
    Lane.objects.create(connection=other, kind=Lane.Kind.DELIVERY, last_run_at=timezone.now())
    for each in (connection, other):
        asked(each, 61)
    assert due_for_polling() == [connection.pk]
    asked(connection, 1)
    assert due_for_polling() == []
    asked(other, 901)
    assert due_for_polling() == [other.pk]


def test_a_delivery_is_no_poll(sent: ERPExport, connection: ERPConnection) -> None:
    asked(connection, 61)
    Lane.objects.filter(kind=Lane.Kind.DELIVERY).update(last_run_at=timezone.now())
    assert due_for_polling() == [connection.pk]


def damaged_ack(export: ERPExport, folder: Path) -> Path:
    path = folder / "acks" / f"error_{export.filename}"
    path.write_text('{"status": "FAIL')
    return path


def found(seconds_ago: float) -> None:
    """The files."""
    AckFile.objects.update(seen_at=timezone.now() - timedelta(seconds=seconds_ago))


def test_a_second_look_at_a_file_that_cannot_be_read_yet_is_due_soon(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    damaged_ack(sent, folder)
    ack_poller.poll(connection.pk)
    assert AckFile.objects.get().verdict == Verdict.INCOMPLETE
    assert due_for_polling() == []
    # The poll took its time until it came to the file.
    asked(connection, growing.SECOND_LOOK_S + 1)
    found(growing.SECOND_LOOK_S - 1)
    assert due_for_polling() == []
    found(growing.SECOND_LOOK_S)
    assert due_for_polling() == [connection.pk]
    # A look just now that did not come to its end.
    asked(connection, growing.SECOND_LOOK_S - 1)
    assert due_for_polling() == []
    ack_poller.poll(connection.pk)
    assert AckFile.objects.get().verdict == Verdict.UNREAD
    asked(connection, growing.SECOND_LOOK_S)
    assert due_for_polling() == []
    asked(connection, 61)
    assert due_for_polling() == [connection.pk]


def test_a_file_that_no_poll_has_looked_at_for_an_interval_makes_none_due(
    sent: ERPExport, connection: ERPConnection, folder: Path, settings: Any
) -> None:
    damaged_ack(sent, folder)
    ack_poller.poll(connection.pk)
    found(settings.ACK_POLL_INTERVAL_S)
    asked(connection, growing.SECOND_LOOK_S)
    assert due_for_polling() == []
    asked(connection, 61)
    assert due_for_polling() == [connection.pk]


@pytest.mark.parametrize(
    "change", [{"blocked_at": timezone.now()}, {"paused_until": timezone.now() + timedelta(days=1)}]
)
def test_a_connection_out_of_use_gets_no_second_look(
    sent: ERPExport, connection: ERPConnection, folder: Path, change: dict[str, object]
) -> None:
    damaged_ack(sent, folder)
    ack_poller.poll(connection.pk)
    found(growing.SECOND_LOOK_S)
    asked(connection, 61)
    ERPConnection.objects.update(**change)
    assert due_for_polling() == []


@pytest.mark.parametrize("gone", ["removed", "of another connection"])
def test_a_file_that_is_gone_or_another_connections_makes_no_poll_due(
    gone: str, sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    path = damaged_ack(sent, folder)
    ack_poller.poll(connection.pk)
    if gone == "removed":
        path.unlink()
        ack_poller.poll(connection.pk)
    else:
        other = ERPConnection(organization=connection.organization, name="Other", connector_type="DROPZONE_JSON_V1")
        other.save()
        AckFile.objects.update(connection=other, export=None)
        asked(other, 0)
    found(growing.SECOND_LOOK_S)
    asked(connection, growing.SECOND_LOOK_S)
    assert due_for_polling() == []
