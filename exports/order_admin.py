"""The orders' admin page with what the orders themselves know nothing of: push, retry, and where the order went."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from exports import push_service
from exports.models import ERPExport
from exports.push_service import PushRefused, PushRequest
from exports.transitions import ExportStatus
from orderflow.orders.admin import DraftOrderAdmin
from orderflow.orders.models import DraftOrder
from orderflow.orders.transitions import OrderStatus
from orderflow.tenancy.admin_page import Button, badge
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may
from orderflow.tenancy.scoped_admin import actor

BADGES = {
    ExportStatus.PENDING: "info",
    ExportStatus.SENT: "warning",
    ExportStatus.ACKED: "success",
    ExportStatus.FAILED: "danger",
}


def status_badge(export: ERPExport) -> SafeString:
    return badge(export.get_status_display(), BADGES[ExportStatus(export.status)])


class PushableOrderAdmin(DraftOrderAdmin):
    actions: ClassVar[tuple[str, ...]] = (*DraftOrderAdmin.actions, "push", "retry")
    change_form_outer_after_template = "exports/exports_of_order.html"

    def has_push_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Action.PUSH)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            exports = obj.exports.select_related("connection")
            context["exports_of_order"] = [(export, status_badge(export)) for export in exports]
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def buttons(self, request: HttpRequest, obj: DraftOrder) -> Iterator[Button]:
        if obj.status == OrderStatus.APPROVED:
            yield Button(action="push", label="Push", variant="primary", icon="send")
        if obj.status == OrderStatus.ERROR:
            yield Button(action="retry", label="Retry", variant="primary", icon="replay")
        yield from super().buttons(request, obj)

    @admin.action(description="Push over the default connection", permissions=["push"])
    def push(self, request: HttpRequest, rows: models.QuerySet[DraftOrder]) -> None:
        who = actor(request)
        self.run_each(
            request,
            rows.select_related("organization"),
            lambda order: push_service.push(PushRequest(order=order, actor=who)),
            done="pushed",
            refusal=PushRefused,
        )

    @admin.action(description="Retry over the same connection", permissions=["push"])
    def retry(self, request: HttpRequest, rows: models.QuerySet[DraftOrder]) -> None:
        who = actor(request)
        self.run_each(
            request,
            rows.select_related("organization"),
            lambda order: push_service.retry(_same_way(order, who)),
            done="retried",
            refusal=PushRefused,
        )


def _same_way(order: DraftOrder, who: str) -> PushRequest:
    last = ERPExport.objects.filter(draft_order=order).select_related("connection").order_by("-created_at").first()
    return PushRequest(order=order, actor=who, connection=last.connection if last else None)
