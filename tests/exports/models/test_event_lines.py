"""When an order left, over which connection and what became of it is answered by the log, one line for each step."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.dropzones import settings as dropzone_settings
from connectors.dropzones.backends.base import OutgoingFile
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.exceptions import ConnectorError, RejectedError, TransientError
from connectors.models import ERPConnection
from exports import ack_poller
from exports.bulk import push as bulk_push
from exports.bulk.push import BulkPush
from exports.decisions import give_up, in_doubt, withdraw
from exports.delivery import drain
from exports.models import ERPExport, event_lines
from orderflow.orders.status import OrderStatus
from tests.conftest import MakeOrder
from tests.exports.conftest import Push

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """The lines so far of exports and connections."""
    with (
        caplog.at_level(logging.INFO, logger="exports.models.event_lines"),
        caplog.at_level(logging.INFO, "connectors.connections.health"),
    ):
        yield lambda: [
            r.getMessage()
            for r in caplog.records
            if r.name in ("exports.models.event_lines", "connectors.connections.health")
        ]


def subject(export: ERPExport) -> str:
    return f"order {export.draft_order.external_order_number}, export {export.filename}, connection 'Folder'."


def test_an_order_from_its_push_to_its_acknowledgement(
    push: Push, connection: ERPConnection, folder: Path, lines: Any
) -> None:
    export = push()
    drain.drain(connection.pk)
    (folder / "acks" / f"ack_{export.filename}").write_text(json.dumps({"status": "ACKED", "erp_order_id": "SO-7"}))
    ack_poller.poll(connection.pk)
    export.refresh_from_db()
    assert lines() == [
        f"PUSH: {subject(export)} Requested by ops.",
        f"SENT: {subject(export)} Attempt 1, {export.document_size} bytes, in/{export.filename}",
        f"ACKED: {subject(export)} SO-7",
    ]


def test_what_the_erp_rejects(sent: ERPExport, connection: ERPConnection, folder: Path, lines: Any) -> None:
    body = {"status": "FAILED", "error_code": "E17", "message": "No such\ncustomer\x1b[31m"}
    (folder / "acks" / f"error_{sent.filename}").write_text(json.dumps(body))
    ack_poller.poll(connection.pk)
    [line] = [line for line in lines() if line.startswith("REJECTED")]
    assert line == f"REJECTED: {subject(sent)} E17 No such customer [31m"


def test_a_planned_attempt_and_a_failure(
    push: Push, connection: ERPConnection, monkeypatch: pytest.MonkeyPatch, lines: Any
) -> None:
    """Each with its cause."""

    class Failing(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            assert len(files) == 2
            return [TransientError("The disk is full."), RejectedError("The name is too long.")]

    again, failed = push(), push()
    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Failing)
    drain.drain(connection.pk)
    again.refresh_from_db()
    assert again.next_attempt_at
    told = [line for line in lines() if not line.startswith("PUSH")]
    planned = f"{again.next_attempt_at:%Y-%m-%dT%H:%M:%SZ}"
    assert told == [
        f"RETRY: {subject(again)} Attempt 1 failed, next at {planned}: The disk is full.",
        f"FAILED: {subject(failed)} Attempt 1, REJECTED: The name is too long.",
    ]


def test_what_people_end_and_what_is_in_doubt(
    push: Push, connection: ERPConnection, sent: ERPExport, lines: Any
) -> None:
    withdrawn, doubtful = push(), push()
    give_up.give_up(sent, actor="Eva", reason="lost")
    withdraw.withdraw(withdrawn, actor="Eva", reason="replaced")
    in_doubt.mark({doubtful.pk: "The worker died."}, 0)
    ended = [line for line in lines() if not line.startswith(("PUSH", "SENT"))]
    assert ended[:2] == [
        f"FAILED: {subject(sent)} Given up by Eva: lost",
        f"FAILED: {subject(withdrawn)} Withdrawn by Eva: replaced",
    ]
    assert ended[2].startswith(f"IN DOUBT: {subject(doubtful)} The worker died.")


def test_what_becomes_of_connections(connection: ERPConnection, lines: Any) -> None:
    about = f"connection 'Folder' ({connection.pk})."
    for _ in range(3):
        health.record_failure(connection.pk, "No route to host.")
    health.resume(connection.pk, actor="ina", cause="Resumed by a person.")
    health.block(connection.pk, "The host key\nhas changed.")
    health.release(connection.pk, actor="ina", cause="A test passed.")
    told = lines()
    assert told[0].startswith(f"PAUSED: {about} 3 sessions in a row failed")
    assert told[1:] == [
        f"RESUMED: {about} By ina. Resumed by a person.",
        f"BLOCKED: {about} The host key has changed.",
        f"RELEASED: {about} By ina. A test passed.",
    ]


def test_a_batch_shares_lines(push: Push, connection: ERPConnection, lines: Any) -> None:
    exports = [push() for _ in range(event_lines.EXPORTS_PER_LINE + 1)]
    drain.drain(connection.pk)
    first, second = (line for line in lines() if line.startswith("SENT: "))
    assert len(first.split(" | ")) == event_lines.EXPORTS_PER_LINE
    assert [subject(export) in f"{first} | {second}" for export in exports] == [True] * len(exports)
    assert len(first) < 16_000


def test_pushes_of_many_orders_share_lines(make_order: MakeOrder, connection: ERPConnection, lines: Any) -> None:
    orders = [make_order() for _ in range(event_lines.EXPORTS_PER_LINE + 1)]
    bulk = BulkPush(
        organization=connection.organization, actor="ops", source=OrderStatus.APPROVED, connection=connection
    )
    bulk_push.push_each(bulk, [order.pk for order in orders])
    first, second = lines()
    exports = list(ERPExport.objects.select_related("draft_order"))
    assert len(exports) == len(orders)
    assert all(f"{subject(export)} Requested by ops." in f"{first} | {second}" for export in exports)
    assert first.startswith("PUSH: ")


def test_nothing_is_prepared_for_a_log_that_takes_no_lines(
    push: Push, make_order: MakeOrder, connection: ERPConnection, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a line nor a step behind the commit: only the wake-up is."""
    caplog.set_level(logging.WARNING, logger="exports.models.event_lines")
    export, order = push(), make_order()
    bulk = BulkPush(
        organization=connection.organization, actor="ops", source=OrderStatus.APPROVED, connection=connection
    )
    with transaction.atomic():
        event_lines.step("FAILED", export, "Lost.")
        assert not transaction.get_connection().run_on_commit
        bulk_push.push_each(bulk, [order.pk])
        assert len(transaction.get_connection().run_on_commit) == 1


def test_nothing_is_logged_of_what_is_rolled_back(push: Push, lines: Any) -> None:
    with transaction.atomic():
        push()
        transaction.set_rollback(True)
    assert lines() == []


def test_hostile_text_stays_in_its_line(sent: ERPExport, lines: Any) -> None:
    give_up.give_up(sent, actor="Eva", reason="gone\nSENT: order X\x1b[2J \u202eevil")
    [line] = [line for line in lines() if line.startswith("FAILED")]
    assert line.isprintable()
    assert line == f"FAILED: {subject(sent)} Given up by Eva: gone SENT: order X [2J evil"


def test_no_line_has_a_secret(connection: ERPConnection, push: Push, lines: Any) -> None:
    secret = "correct-horse-battery"
    changes = ConnectionChanges(
        config={"mode": "sftp", "host": "127.0.0.1", "port": 1, "username": "u", "password": secret, "timeout_s": 1}
    )
    connection_service.save(connection, changes, actor="test")
    push()
    drain.drain(connection.pk)
    assert lines()
    assert secret not in " ".join(lines())
