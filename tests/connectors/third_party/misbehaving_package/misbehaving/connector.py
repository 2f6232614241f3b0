"""Connectors that send each order and then misbehave: what they sent is a line in the file that the config names."""

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django import forms

from connectors.base_connector import BaseConnector
from connectors.exceptions import InDoubtError, TransientError
from connectors.ports import ExportAttempt, ExportDocument, ExportResult, TestResult
from connectors.types.config_form import ConfigForm
from connectors.types.sales_order import SalesOrder

Orders = Sequence[tuple[SalesOrder, ExportAttempt]]


class LedgerForm(ConfigForm):
    ledger = forms.CharField()


class Sending(BaseConnector):
    label = "Misbehaving"
    config_form = LedgerForm

    def get_connector_type(self) -> str:
        return "BAD"

    def document_name(self, draft_order_id: UUID, attempt: ExportAttempt) -> str:
        return f"order_{attempt.export_id}.txt"

    def render(self, draft_order: SalesOrder, attempt: ExportAttempt) -> ExportDocument:
        raise KeyError("no template")

    def export(
        self, draft_order: SalesOrder, config: Mapping[str, Any], *, attempt: ExportAttempt | None = None
    ) -> ExportResult:
        raise NotImplementedError

    def export_many(self, orders: Orders, config: Mapping[str, Any], *, journal: object) -> Any:
        with Path(config["ledger"]).open("a") as ledger:
            ledger.writelines(f"{attempt.export_id}\n" for _, attempt in orders)
        return self.after(orders)

    def after(self, orders: Orders) -> Any:
        raise NotImplementedError

    def test_connection(self, config: Mapping[str, Any], *, on_step: Any = None) -> TestResult:
        return TestResult(success=True, latency_ms=0)


def success(orders: Orders, **fields: Any) -> list[ExportResult]:
    return [ExportResult(**{"success": True, "export_id": attempt.export_id, **fields}) for _, attempt in orders]


class NoResult(Sending):
    def after(self, orders: Orders) -> Any:
        return []


class TwoResults(Sending):
    def after(self, orders: Orders) -> Any:
        return success(orders) * 2


class UnknownExport(Sending):
    def after(self, orders: Orders) -> Any:
        return success(orders, export_id=uuid4())


class Garbage(Sending):
    def after(self, orders: Orders) -> Any:
        return [None, {"success": True}, "sent"]


class Flags(Sending):
    def after(self, orders: Orders) -> Any:
        return success(orders, success="yes", retryable=1)


class RaisesKeyError(Sending):
    def after(self, orders: Orders) -> Any:
        raise KeyError("sha256")


class Exits(Sending):
    def after(self, orders: Orders) -> Any:
        raise SystemExit(1)


class RaisesAfterAResult(Sending):
    def after(self, orders: Orders) -> Iterator[Any]:
        yield None
        raise TransientError("The ERP is busy.")


class LosesTheResponse(Sending):
    def after(self, orders: Orders) -> Any:
        raise InDoubtError("The ERP did not respond.")


class Hangs(Sending):
    def after(self, orders: Orders) -> Any:
        time.sleep(3_600)


class Dies(Sending):
    def after(self, orders: Orders) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)
