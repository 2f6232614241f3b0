"""F35: whatever a third-party connector returns, raises or omits, no order arrives twice, and each fault shows."""

import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from django import forms
from django.db import connection as database
from django.urls import reverse
from django.utils import timezone

from connectors.base_connector import BaseConnector
from connectors.connections import health
from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    InDoubtError,
    RejectedError,
    TransientError,
    UndecidedError,
)
from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from connectors.models import ERPConnection
from connectors.ports import ExportAttempt, ExportDocument, ExportResult, Journal, TestResult, TestStep
from connectors.registry import registry
from connectors.types.config_form import ConfigForm
from connectors.types.sales_order import SalesOrder
from exports import tasks
from exports.delivery import drain
from exports.models import ERPExport, Lane
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.support.tenants import log_in

Orders = Sequence[tuple[SalesOrder, ExportAttempt]]
TYPE = "THIRD_PARTY"


class EmptyForm(ConfigForm):
    folder = forms.CharField(required=False)


class ERP:
    """What it got, in the order of arrival."""

    def __init__(self) -> None:
        self.got: list[UUID] = []

    def take(self, attempt: ExportAttempt) -> ExportResult:
        self.got.append(attempt.export_id)
        return ExportResult(success=True, export_id=attempt.export_id)


Behaviour = Callable[[ERP, Orders], Any]


class ThirdParty(BaseConnector):
    """Not a dropzone, and without a journal. `behaviour` is its `export_many`."""

    label = "Third party"
    config_form = EmptyForm
    erp: ClassVar[ERP]
    behaviour: ClassVar[Behaviour]

    def get_connector_type(self) -> str:
        return TYPE

    def document_name(self, draft_order_id: UUID, attempt: ExportAttempt) -> str:  # noqa: ARG002 - the port's
        return f"order_{attempt.export_id}.csv"

    def render(self, draft_order: SalesOrder, attempt: ExportAttempt) -> ExportDocument:
        content = draft_order.currency.encode()
        return ExportDocument(
            filename=self.document_name(draft_order.draft_order_id, attempt), content=content, sha256="unchecked"
        )

    # fmt: off
    def export(
        self, draft_order: SalesOrder, config: Mapping[str, Any], *, attempt: ExportAttempt | None = None  # noqa: ARG002
    ) -> ExportResult:
        assert attempt
        return type(self).erp.take(attempt)

    def export_many(self, orders: Orders, config: Mapping[str, Any], *, journal: Journal) -> Iterable[ExportResult]:  # noqa: ARG002
        found: Iterable[ExportResult] = type(self).behaviour(type(self).erp, orders)
        return found

    def test_connection(
        self, config: Mapping[str, Any], *, on_step: Callable[[TestStep], None] | None = None  # noqa: ARG002
    ) -> TestResult:
        return TestResult(success=True, latency_ms=0)
    # fmt: on


@pytest.fixture
def erp(connection: ERPConnection, monkeypatch: pytest.MonkeyPatch) -> ERP:
    erp = ERP()
    monkeypatch.setattr(ThirdParty, "erp", erp, raising=False)
    monkeypatch.setitem(registry._connectors, TYPE, ThirdParty)
    ERPConnection.objects.update(connector_type=TYPE)
    connection.refresh_from_db()
    connection.set_config({})
    connection.save()
    return erp


@pytest.fixture
def behave(erp: ERP, monkeypatch: pytest.MonkeyPatch) -> Callable[[Behaviour], None]:
    return lambda behaviour: monkeypatch.setattr(ThirdParty, "behaviour", staticmethod(behaviour), raising=False)


def drain_again_and_again(connection: ERPConnection) -> None:
    """Also past every wait and every pause, and after a person has freed the connection."""
    for _ in range(4):
        drain.drain(connection.pk)
        tasks.sweep()
        ERPExport.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=timezone.now())
        health.release(connection.pk, actor="ops", cause="The test succeeded.", tested=True)


def shown(export: ERPExport) -> str:
    """How people see what became of it: its state, or that it needs them."""
    export.refresh_from_db()
    return "UNDECIDED" if export.undecided_since else export.status


class Interrupting(BaseException):
    """As asyncio's CancelledError, no Exception."""


class Unprintable(ConnectorError):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def nothing_at_all(erp: ERP, orders: Orders) -> None:
    for _, attempt in orders:
        erp.take(attempt)


def no_results(erp: ERP, orders: Orders) -> Iterator[ExportResult]:
    nothing_at_all(erp, orders)
    yield from ()


def a_number(erp: ERP, orders: Orders) -> int:
    nothing_at_all(erp, orders)
    return 7


def one_result_too_few(erp: ERP, orders: Orders) -> list[ExportResult]:
    return [erp.take(attempt) for _, attempt in orders][:-1]


def each_result_twice(erp: ERP, orders: Orders) -> list[ExportResult]:
    return [erp.take(attempt) for _, attempt in orders] * 2


def results_without_end(erp: ERP, orders: Orders) -> Iterator[ExportResult]:
    nothing_at_all(erp, orders)
    while True:
        yield ExportResult(success=True, export_id=orders[0][1].export_id)


def of_unknown_exports(erp: ERP, orders: Orders) -> list[ExportResult]:
    return [replace(erp.take(attempt), export_id=uuid4()) for _, attempt in orders]


def ids_as_text(erp: ERP, orders: Orders) -> list[ExportResult]:
    return [replace(erp.take(attempt), export_id=str(attempt.export_id)) for _, attempt in orders]  # type: ignore[arg-type]


def garbage(erp: ERP, orders: Orders) -> list[Any]:
    nothing_at_all(erp, orders)
    return [None, {"success": True}, object(), "sent", SimpleNamespace(success=True, export_id=orders[0][1].export_id)]


def flags_of_the_wrong_type(erp: ERP, orders: Orders) -> list[ExportResult]:
    return [replace(erp.take(attempt), success="yes") for _, attempt in orders]  # type: ignore[arg-type]


def a_success_to_be_retried(erp: ERP, orders: Orders) -> list[ExportResult]:
    return [replace(erp.take(attempt), retryable=True) for _, attempt in orders]


def rejected_for_good_and_retryable(erp: ERP, orders: Orders) -> list[ExportResult]:
    return [replace(erp.take(a), success=False, retryable=True, cause="REJECTED") for _, a in orders]


def unreachable_and_not_retryable(erp: ERP, orders: Orders) -> list[ExportResult]:
    return [replace(erp.take(a), success=False, cause="UNREACHABLE") for _, a in orders]


def in_doubt(erp: ERP, orders: Orders) -> list[ExportResult]:
    return [ExportResult.failure(erp.take(a).export_id, InDoubtError("The response was lost.")) for _, a in orders]


def undecided(erp: ERP, orders: Orders) -> list[ExportResult]:
    return [ExportResult.failure(erp.take(a).export_id, UndecidedError("The ERP crashed.")) for _, a in orders]


def raises(error: BaseException) -> Behaviour:
    """Once everything was sent."""

    def behaviour(erp: ERP, orders: Orders) -> Iterator[ExportResult]:
        nothing_at_all(erp, orders)
        raise error

    return behaviour


def in_doubt_as_an_exception(erp: ERP, orders: Orders) -> Iterator[ExportResult]:
    nothing_at_all(erp, orders)
    raise InDoubtError("The response was lost.")


DOUBTFUL: dict[str, Behaviour] = {
    behaviour.__name__: behaviour
    for behaviour in (
        nothing_at_all, no_results, a_number, results_without_end, of_unknown_exports, ids_as_text, garbage,
        flags_of_the_wrong_type, a_success_to_be_retried, rejected_for_good_and_retryable,
        unreachable_and_not_retryable, in_doubt, undecided, in_doubt_as_an_exception, each_result_twice,
    )
} | {
    f"raises {type(error).__name__}": raises(error)
    for error in (
        KeyError("sha256"), SystemExit(1), GeneratorExit(), KeyboardInterrupt(), Interrupting(), MemoryError(),
        UndecidedError("The ERP crashed."), StopIteration(), RecursionError("\0" * 9_999),
    )
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_may_have_been_sent_is_sent_once_and_waits_for_a_person(
    name: str, push: Push, connection: ERPConnection, erp: ERP, behave: Callable[[Behaviour], None]
) -> None:
    exports = [push(), push(), push()]
    behave(DOUBTFUL[name])
    drain_again_and_again(connection)
    assert sorted(erp.got) == sorted(export.pk for export in exports)
    assert [shown(export) for export in exports] == ["UNDECIDED"] * 3
    for export in exports:
        assert "mark this export as delivered or not delivered" in export.error_message
        assert export.events.filter(kind="UNDECIDED").count() == 1
        assert DraftOrder.objects.get(pk=export.draft_order_id).status == "PUSHING"


@pytest.mark.parametrize(
    "error",
    [TransientError("Lost."), ConfigError("Wrong."), RejectedError("No."), Unprintable(), ValueError("\0")],
    ids=repr,
)
def test_after_a_result_the_rest_of_a_broken_call_is_in_doubt(
    error: Exception, push: Push, connection: ERPConnection, erp: ERP, behave: Callable[[Behaviour], None]
) -> None:
    """One was reported, one was sent without a report, one may have been begun."""

    def breaks_off(erp: ERP, orders: Orders) -> Iterator[ExportResult]:
        yield erp.take(orders[0][1])
        erp.take(orders[1][1])
        raise error

    exports = [push(), push(), push()]
    behave(breaks_off)
    drain_again_and_again(connection)
    assert erp.got == [exports[0].pk, exports[1].pk]
    assert [shown(export) for export in exports] == ["SENT", "UNDECIDED", "UNDECIDED"]


def test_what_has_a_result_keeps_it_when_another_has_none(
    push: Push, connection: ERPConnection, erp: ERP, behave: Callable[[Behaviour], None]
) -> None:
    exports = [push(), push(), push()]
    behave(one_result_too_few)
    drain_again_and_again(connection)
    assert erp.got == [export.pk for export in exports]
    assert [shown(export) for export in exports] == ["SENT", "SENT", "UNDECIDED"]


@pytest.mark.parametrize("error", [TransientError("Busy."), ConfigError("Wrong password.")], ids=repr)
def test_a_failure_before_anything_was_sent_is_attempted_again(
    error: ConnectorError, push: Push, connection: ERPConnection, erp: ERP, behave: Callable[[Behaviour], None]
) -> None:
    failures = [error, error]

    def busy_at_first(erp: ERP, orders: Orders) -> list[ExportResult]:
        if failures:
            raise failures.pop()
        return [erp.take(attempt) for _, attempt in orders]

    export = push()
    behave(busy_at_first)
    drain.drain(connection.pk)
    assert shown(export) == "PENDING"
    connection.refresh_from_db()
    assert (connection.blocked_at is not None) == isinstance(error, ConfigError)
    drain_again_and_again(connection)
    assert (shown(export), erp.got) == ("SENT", [export.pk])


def test_a_fault_blocks_the_connection_so_that_only_one_batch_is_in_doubt(
    push: Push, connection: ERPConnection, erp: ERP, behave: Callable[[Behaviour], None], settings: Any
) -> None:
    settings.DELIVERY_BATCH_SIZE = 1
    exports = [push(), push()]
    behave(raises(KeyError("sha256")))
    for _ in range(3):
        drain.drain(connection.pk)
    connection.refresh_from_db()
    assert "failed unexpectedly with KeyError" in connection.blocked_reason
    assert [shown(export) for export in exports] == ["UNDECIDED", "PENDING"]


def hostile(erp: ERP, orders: Orders) -> list[ExportResult]:
    monster: Any = "\0\ud800" + "x" * 100_000
    return [
        replace(erp.take(a), document=monster, dropzone_path=monster, error_message=monster, cause=monster,
                storage_key=monster, connector_metadata=monster)
        for _, a in orders
    ]  # fmt: skip


def of_wrong_types(erp: ERP, orders: Orders) -> list[ExportResult]:
    wrong: Any = {"sha256": []}
    document: Any = ExportDocument(filename=wrong, content=wrong, sha256=wrong)
    return [
        replace(
            erp.take(a), document=document, dropzone_path=wrong, error_message=wrong, cause=wrong, storage_key=wrong
        )
        for _, a in orders
    ]


def bare(erp: ERP, orders: Orders) -> list[ExportResult]:
    return [erp.take(attempt) for _, attempt in orders]


@pytest.mark.parametrize("behaviour", [bare, hostile, of_wrong_types], ids=lambda behaviour: behaviour.__name__)
def test_a_success_is_sent_whatever_else_the_result_holds(
    behaviour: Behaviour, push: Push, connection: ERPConnection, erp: ERP, behave: Callable[[Behaviour], None]
) -> None:
    export = push()
    behave(behaviour)
    drain_again_and_again(connection)
    assert (shown(export), erp.got) == ("SENT", [export.pk])
    # As the connector renders it.
    assert (export.document_size, export.document_sha256) == (3, hashlib.sha256(b"EUR").hexdigest())
    assert len(export.dropzone_path) <= 1024


def test_a_success_without_a_document_that_can_be_rendered_is_sent_all_the_same(
    push: Push,
    connection: ERPConnection,
    erp: ERP,
    behave: Callable[[Behaviour], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exports = [push(), push()]

    def render(self: object, draft_order: SalesOrder, attempt: ExportAttempt) -> ExportDocument:
        if attempt.export_id == exports[0].pk:
            raise KeyError("no template")
        return ExportDocument(filename="x", content=b"EUR", sha256="")

    monkeypatch.setattr(ThirdParty, "render", render)
    behave(bare)
    drain_again_and_again(connection)
    assert [shown(export) for export in exports] == ["SENT", "SENT"]
    assert [(export.document_size, len(export.document_sha256)) for export in exports] == [(None, 0), (3, 64)]
    ERPExport.objects.update(sent_at=timezone.now() - timedelta(hours=1))
    tasks.store_copies()


@pytest.mark.parametrize("kind", ["rejected", "busy"])
def test_a_failure_with_hostile_texts_is_recorded(
    kind: str, push: Push, connection: ERPConnection, erp: ERP, behave: Callable[[Behaviour], None]
) -> None:
    monster = "\0\ud800" + "x" * 100_000

    def fails(erp: ERP, orders: Orders) -> list[ExportResult]:
        return [
            ExportResult(
                success=False, export_id=a.export_id, retryable=kind == "busy", cause=monster, error_message=monster
            )
            for _, a in orders
        ]

    export = push()
    behave(fails)
    drain.drain(connection.pk)
    assert shown(export) == ("PENDING" if kind == "busy" else "FAILED")
    assert export.cause == ("" if kind == "busy" else "REJECTED")
    assert export.error_message.endswith("…")


def test_a_call_that_never_returns_is_cut_and_what_it_had_is_in_doubt(
    push: Push, connection: ERPConnection, erp: ERP, behave: Callable[[Behaviour], None], settings: Any
) -> None:
    settings.JOB_LIMIT_S = 0.3
    release = threading.Event()

    def hangs(erp: ERP, orders: Orders) -> Iterator[ExportResult]:
        yield erp.take(orders[0][1])
        erp.take(orders[1][1])
        release.wait(60)

    exports = [push(), push(), push()]
    behave(hangs)
    try:
        drain_again_and_again(connection)
    finally:
        release.set()
    assert erp.got == [exports[0].pk, exports[1].pk]
    assert [shown(export) for export in exports] == ["SENT", "UNDECIDED", "UNDECIDED"]
    assert "within the time" in exports[1].error_message


@pytest.mark.usefixtures("transactional_db")
def test_what_a_killed_worker_had_is_in_doubt_and_shown_at_the_next_turn(
    push: Push, erp: ERP, behave: Callable[[Behaviour], None], queue: list[UUID], tmp_path: Path
) -> None:
    """F1: SIGKILL after the order was sent and before that was recorded."""

    def dies(erp: ERP, orders: Orders) -> None:
        (tmp_path / str(orders[0][1].export_id)).touch()
        os.kill(os.getpid(), signal.SIGKILL)

    exports = [push(), push()]
    connection = exports[0].connection
    behave(dies)
    database.close()
    child = os.fork()
    if child == 0:
        drain.drain(connection.pk)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert [shown(export) for export in exports] == ["PENDING", "PENDING"]

    Lane.objects.update(leased_until=timezone.now() - timedelta(seconds=1), awake_since=None)
    queue.clear()
    tasks.sweep()
    assert queue == [connection.pk]
    behave(bare)
    drain_again_and_again(connection)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [str(exports[0].pk)]
    assert (erp.got, [shown(export) for export in exports]) == ([], ["UNDECIDED", "UNDECIDED"])
    assert "The worker ended" in exports[0].error_message


def test_the_dashboard_shows_it(
    push: Push, connection: ERPConnection, erp: ERP, behave: Callable[[Behaviour], None], organization: Organization
) -> None:
    push()
    behave(no_results)
    drain.drain(connection.pk)
    page = log_in(organization, Role.OPS).get(reverse("admin:index")).content.decode()
    assert "1 export needs your decision" in page
    assert "gave no usable result for 1 of its exports" in page


class Journaling(DropzoneJsonV1Connector):
    """The product's own connector with a fault: nothing is published that was not journaled."""

    journals = True
    fault: ClassVar[Callable[[Iterable[ExportResult]], Iterable[Any]]]

    def export_many(self, *args: Any, **kwargs: Any) -> Any:
        return type(self).fault(super().export_many(*args, **kwargs))


def loses_all(results: Iterable[ExportResult]) -> list[Any]:
    list(results)
    return []


def breaks(results: Iterable[ExportResult]) -> Iterator[Any]:
    yield from list(results)[:0]
    raise KeyError("x")


def doubles(results: Iterable[ExportResult]) -> list[Any]:
    return [*results] * 2


@pytest.mark.parametrize("fault", [loses_all, breaks, doubles], ids=lambda fault: fault.__name__)
def test_with_a_journal_the_next_attempt_finds_out(
    fault: Any, push: Push, connection: ERPConnection, folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports = [push(), push()]
    monkeypatch.setattr(Journaling, "fault", staticmethod(fault), raising=False)
    monkeypatch.setitem(registry._connectors, connection.connector_type, Journaling)
    drain.drain(connection.pk)
    assert [shown(export) for export in exports] == ["PENDING", "PENDING"]
    assert all(export.next_attempt_at and export.error_message for export in exports)
    monkeypatch.undo()
    drain_again_and_again(connection)
    assert [shown(export) for export in exports] == ["SENT", "SENT"]
    assert len(list((folder / "in").iterdir())) == 2


def test_with_a_journal_a_batch_in_doubt_waits_for_a_person(
    push: Push, connection: ERPConnection, folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_doubt_for_good(results: Iterable[ExportResult]) -> Iterator[Any]:
        yield from list(results)[:0]
        raise UndecidedError("The ERP crashed.")

    exports = [push(), push()]
    monkeypatch.setattr(Journaling, "fault", staticmethod(in_doubt_for_good), raising=False)
    monkeypatch.setitem(registry._connectors, connection.connector_type, Journaling)
    drain.drain(connection.pk)
    monkeypatch.undo()
    drain_again_and_again(connection)
    assert [shown(export) for export in exports] == ["UNDECIDED", "UNDECIDED"]


@pytest.mark.parametrize("due", [timedelta(days=1000), timedelta(0), 3600], ids=repr)
def test_a_time_for_acks_that_cannot_be_waited_for_blocks_before_anything_is_sent(
    due: Any, push: Push, connection: ERPConnection, folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DropzoneJsonV1Connector, "answer_due", lambda *_: due)
    export = push()
    drain.drain(connection.pk)
    connection.refresh_from_db()
    assert "failed unexpectedly with ValueError" in connection.blocked_reason
    assert (shown(export), list((folder / "in").iterdir())) == ("PENDING", [])


def test_a_connector_that_overrides_export_many_has_to_say_that_it_journals() -> None:
    class Silent(DropzoneJsonV1Connector):
        def export_many(self, *args: Any, **kwargs: Any) -> Any:
            return super().export_many(*args, **kwargs)

    class Inheriting(DropzoneJsonV1Connector):
        pass

    assert (Silent.journals, Inheriting.journals, Journaling.journals) == (False, True, True)


def test_the_default_export_many_keeps_what_was_not_begun_out_of_doubt(
    push: Push, connection: ERPConnection, erp: ERP, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is sent, the response to the next is lost, the third is not begun."""
    exports = [push(), push(), push()]
    monkeypatch.delattr(ThirdParty, "export_many")
    lost = [exports[1].pk]

    def export(self: object, draft_order: SalesOrder, config: object, *, attempt: ExportAttempt) -> ExportResult:
        result = erp.take(attempt)
        if attempt.export_id in lost:
            raise InDoubtError("The response was lost.")
        return result

    monkeypatch.setattr(ThirdParty, "export", export)
    drain.drain(connection.pk)
    assert [shown(export) for export in exports] == ["SENT", "UNDECIDED", "PENDING"]
    drain_again_and_again(connection)
    assert [shown(export) for export in exports] == ["SENT", "UNDECIDED", "SENT"]
    assert erp.got == [export.pk for export in exports]
