"""Pushes over the API."""

from typing import Any

from rest_framework.test import APIClient

from exports.models import ERPExport
from orderflow.orders.models import DraftOrder


def push(api: APIClient, order: DraftOrder, body: Any = None, *, key: str | None = None, call: str = "push") -> Any:
    headers = {} if key is None else {"idempotency-key": key}
    return api.post(f"/api/v1/draft-orders/{order.pk}/{call}/", body, headers=headers)


def fail(export_id: str) -> None:
    export = ERPExport.objects.get(pk=export_id)
    ERPExport.objects.filter(pk=export.pk).update(status="FAILED")
    DraftOrder.objects.filter(pk=export.draft_order_id).update(status="ERROR")
