"""The stable word for why an export failed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from exports import ack_poller
from exports.decisions import give_up
from exports.delivery import drain
from exports.delivery.retry_policy import WAITS
from exports.models import ERPExport
from exports.models.failure_cause import Cause
from orderflow.orders.models import DraftOrder, DraftOrderLine
from tests.exports.conftest import Push


def cause_of(export: ERPExport) -> str:
    export.refresh_from_db()
    assert export.status == "FAILED"
    return export.cause


def kinds(error: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    yield error
    for kind in error.__subclasses__():
        yield from kinds(kind)


@pytest.mark.parametrize("error", [*kinds(ConnectorError)], ids=lambda error: error.__name__)
def test_every_kind_of_error_has_one(error: type[ConnectorError]) -> None:
    assert error.cause in Cause.values


def test_the_erps_refusal(sent: ERPExport, folder: Path) -> None:
    answer = '{"status": "FAILED", "error_code": "UNKNOWN_CUSTOMER", "message": "Unknown customer 4711"}'
    (folder / "acks" / f"error_{sent.filename}").write_text(answer)
    ack_poller.poll(sent.connection_id)
    assert (cause_of(sent), sent.error_code) == (Cause.ERP_REFUSED, "UNKNOWN_CUSTOMER")


def test_an_order_that_cannot_be_written(push: Push, connection: ERPConnection) -> None:
    export = push()
    DraftOrderLine.objects.filter(order=export.draft_order).update(qty=0)
    drain.drain(connection.pk)
    assert cause_of(export) == Cause.REJECTED


def test_a_name_that_is_taken(push: Push, connection: ERPConnection, folder: Path) -> None:
    export = push()
    (folder / "in" / export.filename).write_text("somebody else's")
    drain.drain(connection.pk)
    assert cause_of(export) == Cause.NAME_TAKEN


def test_a_schedule_that_is_used_up(push: Push, connection: ERPConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    export = push()
    ERPExport.objects.filter(pk=export.pk).update(tries=len(WAITS))
    config = {"mode": "sftp", "host": "127.0.0.1", "port": 1, "username": "x", "password": "x", "export_path": "in"}
    connection.set_config(config)
    connection.save()
    drain.drain(connection.pk)
    assert cause_of(export) == Cause.UNREACHABLE


def test_giving_up(sent: ERPExport) -> None:
    give_up.give_up(sent, actor="ops", reason="it was lost")
    assert cause_of(sent) == Cause.GIVEN_UP


def test_every_try_says_which_it_was_and_how_long_it_took(sent: ERPExport) -> None:
    detail = sent.events.get(kind="SENT").detail
    assert detail["try"] == 1
    assert 0 <= detail["duration_ms"] < 10_000
    assert detail["sha256"] == sent.document_sha256
    assert DraftOrder.objects.filter(pk=sent.draft_order_id, status="PUSHED").exists()
