"""Who is asked for answers: often where one is awaited, rarely where none is, and where nothing was sent, never."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from connectors.models import ERPConnection
from exports import ack_poller, giving_up, lanes
from exports.models import ERPExport, Lane
from exports.polling import due_for_polling
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
    giving_up.give_up(sent, actor="Eva", reason="no answer")
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
    with lanes.holding(connection.pk, Lane.Kind.ACKS):
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
