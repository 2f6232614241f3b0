import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from connectors.connections import health
from connectors.models import ERPConnection
from exports.delivery import drain
from exports.models import ERPExport
from exports.rollback import guard
from tests.conftest import MakeOrder
from tests.exports.conftest import names


def run(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_approved_orders_are_pushed_and_others_are_not(
    make_order: MakeOrder, connection: ERPConnection, folder: Path
) -> None:
    make_order()
    make_order()
    make_order(status="READY")
    assert json.loads(run("push_orders", "acme", "--dry-run", "--json")) == {"would_push": 2}
    assert not ERPExport.objects.exists()
    assert run("push_orders", "acme", "--order", "PO-1") == "1 orders are on their way.\n"
    assert json.loads(run("push_orders", "acme", "--json")) == {"pushed": 1, "refused": []}
    drain.drain(connection.pk)
    assert len(names(folder / "in")) == 2


def test_refused_orders_are_told_and_fail_the_command(make_order: MakeOrder, connection: ERPConnection) -> None:
    make_order()
    ERPConnection.objects.update(status="DISABLED")
    with pytest.raises(CommandError, match="connection_disabled"):
        run("push_orders", "acme")


def test_answers_are_read_on_demand(sent: ERPExport, folder: Path) -> None:
    (folder / "acks" / f"ack_{sent.filename}").write_text('{"status": "ACKED", "erp_order_id": "SO-1"}')
    outcome = json.loads(run("poll_acks", "--organization", "acme", "--json"))
    assert outcome == [{"organization": "acme", "connection": "Folder", "answers": 1, "error": None}]
    sent.refresh_from_db()
    assert sent.status == "ACKED"


def test_a_connection_that_cannot_be_read_fails_the_command(sent: ERPExport, folder: Path) -> None:
    (folder / "acks").rmdir()
    with pytest.raises(CommandError, match="1 of 1 connections"):
        run("poll_acks")


def test_a_blocked_connection_is_not_polled(connection: ERPConnection) -> None:
    health.block(connection.pk, "wrong password")
    with pytest.raises(CommandError, match="or it is blocked"):
        run("poll_acks", "--connection", "Folder")


def test_a_poll_that_is_held_fails_the_command(sent: ERPExport, folder: Path) -> None:
    (folder / "acks" / f"ack_{sent.filename}").write_text('{"status": "ACKED", "erp_order_id": "SO-1"}')
    guard.hold("Test.")
    out = StringIO()
    with pytest.raises(CommandError, match="1 of 1 connections"):
        call_command("poll_acks", stdout=out)
    assert out.getvalue() == "acme / Folder: Deliveries and polls are held: Test.\n"
    sent.refresh_from_db()
    assert sent.status == "SENT"
