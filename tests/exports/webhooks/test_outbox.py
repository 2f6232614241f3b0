"""Exactly one message for each move of an export, in the transaction that moves it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from connectors.models import ERPConnection
from exports import ack_poller
from exports.decisions import conflicts, give_up, in_doubt, resolve
from exports.delivery import drain
from exports.models import AckFile, ERPExport
from exports.webhooks.models import WebhookMessage
from orderflow.tenancy.models import Organization
from tests.exports.conftest import Push
from tests.exports.webhooks.conftest import MakeEndpoint

MANY = 30


def told(export: ERPExport | None = None) -> list[str]:
    rows = WebhookMessage.objects.order_by("id")
    return [message.type for message in (rows.filter(export=export) if export else rows)]


def answer(folder: Path, export: ERPExport, kind: str = "ack", **fields: str) -> None:
    status = {"ack": "ACKED", "error": "FAILED"}[kind]
    (folder / "acks" / f"{kind}_{export.filename}").write_text(json.dumps({"status": status, **fields}))


def body(export: ERPExport, kind: str) -> Any:
    return json.loads(WebhookMessage.objects.get(export=export, type=kind).payload)


@pytest.mark.usefixtures("endpoint")
def test_the_way_to_the_answer_is_told_in_two_messages(push: Push, connection: ERPConnection, folder: Path) -> None:
    export = push()
    assert told() == []
    drain.drain(connection.pk)
    assert told(export) == ["export.sent"]
    answer(folder, export, erp_order_id="SO-7")
    ack_poller.poll(connection.pk)
    ack_poller.poll(connection.pk)
    assert told(export) == ["export.sent", "export.acked"]
    export.refresh_from_db()
    assert export.sent_at is not None
    assert export.settled_at is not None
    sent, acked = body(export, "export.sent"), body(export, "export.acked")
    assert sent == {
        "type": "export.sent",
        "timestamp": as_text(export.sent_at),
        "data": {
            "export_id": str(export.pk),
            "draft_order_id": str(export.draft_order_id),
            "external_order_number": "PO-1",
            "connection_id": str(connection.pk),
            "status": "SENT",
            "erp_order_id": None,
            "error_code": None,
            "error_message": None,
            "filename": export.filename,
            "sent_at": as_text(export.sent_at),
            "settled_at": None,
        },
    }
    settled = {"status": "ACKED", "erp_order_id": "SO-7", "settled_at": as_text(export.settled_at)}
    assert acked == {"type": "export.acked", "timestamp": settled["settled_at"], "data": sent["data"] | settled}


def as_text(at: Any) -> str:
    return str(at.isoformat().replace("+00:00", "Z"))


@pytest.mark.usefixtures("endpoint")
def test_a_refusal_by_the_erp_is_told_with_its_reason(push: Push, connection: ERPConnection, folder: Path) -> None:
    export = push()
    drain.drain(connection.pk)
    answer(folder, export, "error", error_code="4711", message="Unknown customer")
    ack_poller.poll(connection.pk)
    assert told(export) == ["export.sent", "export.failed"]
    data = body(export, "export.failed")["data"]
    assert (data["status"], data["error_code"], data["error_message"]) == ("FAILED", "4711", "Unknown customer")


@pytest.mark.usefixtures("endpoint")
def test_an_order_that_cannot_go_is_told_at_once(push: Push, connection: ERPConnection, folder: Path) -> None:
    export = push()
    export.draft_order.lines.update(uom="")
    drain.drain(connection.pk)
    assert told(export) == ["export.failed"]
    data = body(export, "export.failed")["data"]
    assert str(export.draft_order_id) in data["error_message"]
    assert data["sent_at"] is None


@pytest.mark.usefixtures("endpoint")
def test_an_answer_that_overtakes_the_sending_is_all_that_is_told(
    push: Push, connection: ERPConnection, folder: Path
) -> None:
    export = push()
    answer(folder, export)
    ack_poller.poll(connection.pk)
    drain.drain(connection.pk)
    assert told(export) == ["export.acked"]


@pytest.mark.usefixtures("endpoint")
def test_answers_that_change_nothing_are_not_told(push: Push, connection: ERPConnection, folder: Path) -> None:
    """A2, A3."""
    export = push()
    drain.drain(connection.pk)
    for kind in ("ack", "error"):
        answer(folder, export, kind)
        ack_poller.poll(connection.pk)
    answer(folder, export, message="the same again")
    ack_poller.poll(connection.pk)
    assert told(export) == ["export.sent", "export.acked"]


@pytest.mark.usefixtures("endpoint")
def test_a_try_that_will_be_repeated_is_no_failure(
    push: Push, connection: ERPConnection, folder: Path, settings: Any
) -> None:
    export = push()
    (folder / "in").rmdir()
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert export.status == "PENDING"
    assert told() == []


@pytest.mark.usefixtures("endpoint")
def test_giving_up_is_told_and_what_is_rolled_back_is_not(sent: ERPExport) -> None:
    with transaction.atomic():
        give_up.give_up(sent, actor="Eva", reason="lost")
        assert told(sent) == ["export.sent", "export.failed"]
        transaction.set_rollback(True)
    assert told(sent) == ["export.sent"]
    give_up.give_up(ERPExport.objects.get(pk=sent.pk), actor="Eva", reason="lost")
    assert told(sent) == ["export.sent", "export.failed"]
    assert body(sent, "export.failed")["data"]["error_message"] == "Given up by Eva: lost"


def test_each_endpoint_hears_what_it_wants(
    make_endpoint: MakeEndpoint, push: Push, connection: ERPConnection, folder: Path
) -> None:
    everything = make_endpoint()
    failures = make_endpoint(wants_sent=False, wants_acked=False)
    make_endpoint(enabled=False)
    make_endpoint(wants_sent=False, wants_acked=False, wants_failed=False)
    good, bad = push(), push()
    bad.draft_order.lines.update(uom="")
    drain.drain(connection.pk)
    rows = WebhookMessage.objects.values_list("endpoint", "export", "type")
    assert set(rows) == {
        (everything.pk, good.pk, "export.sent"),
        (everything.pk, bad.pk, "export.failed"),
        (failures.pk, bad.pk, "export.failed"),
    }
    assert len({message.webhook_id for message in WebhookMessage.objects.all()}) == 3


def test_another_organization_hears_nothing(
    make_endpoint: MakeEndpoint, push: Push, connection: ERPConnection, folder: Path, organization: Organization
) -> None:
    """S1."""
    make_endpoint(organization=Organization.objects.create(name="Globex", slug="globex"))
    mine = make_endpoint()
    push()
    drain.drain(connection.pk)
    assert [(m.endpoint_id, m.organization_id) for m in WebhookMessage.objects.all()] == [(mine.pk, organization.pk)]


def statements(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(database) as queries:
        work()
    # The copies end beside the drop, when they end.
    return sum('SET "storage_key"' not in query["sql"] for query in queries)


def costs(push: Push, connection: ERPConnection, folder: Path) -> list[tuple[int, int, int]]:
    """Statements of sending, refusing and reading the answers of a batch, by its size."""
    found = []
    for size in (6, 6, MANY):
        exports = [push() for _ in range(size)]
        sending = statements(lambda: drain.drain(connection.pk))
        for export in exports:
            answer(folder, export)
        answers = statements(lambda: ack_poller.poll(connection.pk))
        for _ in range(size):
            push().draft_order.lines.update(uom="")
        found.append((sending, answers, statements(lambda: drain.drain(connection.pk))))
    return found


def test_a_batch_costs_the_same_however_many_messages_it_makes(
    make_endpoint: MakeEndpoint, push: Push, connection: ERPConnection, folder: Path
) -> None:
    without = costs(push, connection, folder)
    make_endpoint()
    make_endpoint()
    told_too = costs(push, connection, folder)
    assert told_too[1] == told_too[2]
    # The exports are read, the messages written.
    assert [after - before for after, before in zip(told_too[2], without[2], strict=True)] == [2, 2, 2]
    assert WebhookMessage.objects.count() == 2 * 3 * (6 + 6 + MANY)


@pytest.mark.usefixtures("endpoint")
def test_messages_are_in_the_order_of_the_exports(push: Push, connection: ERPConnection, folder: Path) -> None:
    exports = [push() for _ in range(10)]
    drain.drain(connection.pk)
    assert list(WebhookMessage.objects.order_by("id").values_list("export", flat=True)) == [e.pk for e in exports]


def test_a_batch_wakes_each_endpoint_once(
    make_endpoint: MakeEndpoint,
    push: Push,
    connection: ERPConnection,
    queue: list[UUID],
    django_capture_on_commit_callbacks: Any,
) -> None:
    endpoints = [make_endpoint(), make_endpoint()]
    make_endpoint(wants_sent=False)
    for _ in range(2):
        for _ in range(10):
            push()
        with django_capture_on_commit_callbacks(execute=True):
            drain.drain(connection.pk)
    assert sorted(queue) == sorted(endpoint.pk for endpoint in endpoints)


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.usefixtures("endpoint")
def test_a_decision_about_an_export_in_doubt_is_told(push: Push, delivered: bool) -> None:
    export = push()
    in_doubt.mark({export.pk: "The worker ended."}, 0)
    assert told() == []
    resolve.decide(export, delivered=delivered, actor="ops", reason="Looked it up.")
    assert told(export) == ["export.sent" if delivered else "export.failed"]


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize("took", [True, False])
def test_what_a_person_decides_about_contradicting_acks_is_told(
    took: bool, sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    for kind in ("error", "ack") if took else ("ack", "error"):
        answer(folder, sent, kind, error_code="E42" if kind == "error" else "")
        ack_poller.poll(connection.pk)
    conflicts.decide(AckFile.objects.get(verdict="CONFLICT"), took=took, actor="eva", reason="it is so")
    sent.refresh_from_db()
    first, last = ("failed", "acked") if took else ("acked", "failed")
    assert told(sent) == ["export.sent", f"export.{first}", f"export.{last}"]
    data = body(sent, f"export.{last}")["data"]
    assert (data["status"], data["error_code"]) == (("ACKED", None) if took else ("FAILED", "E42"))
