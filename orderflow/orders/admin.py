from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from orderflow.admin.extensions import ExtensibleAdmin, PageExtension
from orderflow.admin.filters import DateSpanFilter
from orderflow.admin.pages import Button, Note, badge
from orderflow.admin.scoped import ScopedModelAdmin, actor
from orderflow.admin.searchable import KnownAsAdmin
from orderflow.orders import approval
from orderflow.orders.approval import DuplicateOrderNumber, NotPossible
from orderflow.orders.forms import DraftOrderForm, customer_hint
from orderflow.orders.line_admin import DraftOrderLineInline, editable_by
from orderflow.orders.models import Customer, DraftOrder
from orderflow.orders.ready_check import blocking_reasons, remarks
from orderflow.orders.status import EDITABLE, OrderStatus
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import User, may

BADGES = {
    OrderStatus.NEEDS_REVIEW: "warning",
    OrderStatus.READY: "info",
    OrderStatus.APPROVED: "primary",
    OrderStatus.PUSHING: "info",
    OrderStatus.PUSHED: "success",
    OrderStatus.ERROR: "danger",
}


@admin.register(Customer)
class CustomerAdmin(ScopedModelAdmin):
    needed_to_add = needed_to_change = Action.EDIT_ORDERS
    fields = ("organization", "erp_customer_number", "name")
    list_display = ("erp_customer_number", "name", "organization")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("erp_customer_number", "name")


@admin.register(DraftOrder)
class DraftOrderAdmin(KnownAsAdmin, ExtensibleAdmin):
    extensions: ClassVar[list[type[PageExtension]]] = []
    needed_to_add = Action.EDIT_ORDERS
    form = DraftOrderForm
    seen_related = ("customer",)
    inlines = (DraftOrderLineInline,)
    actions: ClassVar[tuple[str, ...]] = ("approve", "reject", "reopen")
    autocomplete_fields = ("customer",)
    list_display = (
        "number", "organization", "customer", "state", "order_date", "currency", "created_at", "erp_order_id", "error",
    )  # fmt: skip
    list_filter = ("organization", "status", ("created_at", DateSpanFilter))
    list_filter_submit = True
    list_select_related = ("organization", "customer")
    sortable_by = ("created_at",)
    readonly_fields = ("state", "approved", "created_by", "created_at", "erp_order_id", "error_message")
    order_fields = (
        "organization",
        ("customer", "external_order_number"),
        ("order_date", "requested_delivery_date"),
        "currency",
        "notes",
    )
    state_fields = (("state", "approved"), ("created_by", "created_at"), ("erp_order_id", "error_message"))
    source_fields = (("source_document_id", "source_file_name"), "source_sha256")

    def known_as(self, term: str, user: User) -> set[UUID]:
        """What the extensions find: most of what people know of an order came with its export."""
        return set[UUID]().union(*(each.known_as(term, user) for each in self.extended()))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        source = ("Source document", {"fields": self.source_fields, "classes": ("collapse",)})
        if obj is None:
            return ((None, {"fields": self.order_fields}), source)
        return (("State", {"fields": self.state_fields}), ("Order", {"fields": self.order_fields}), source)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        hints = {} if obj else {"help_texts": {"customer": customer_hint()}}
        return super().get_form(request, obj, change, **{**hints, **kwargs})

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return editable_by(request, obj)

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Action.APPROVE)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            page: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except NotPossible as refusal:
            messages.error(request, f"Nothing was saved. {refusal}")
            return HttpResponseRedirect(request.path)
        return page

    def save_model(self, request: HttpRequest, obj: DraftOrder, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = actor(request)
            obj.save()
            return
        # Locked from here to the end of the transaction, so that nobody pushes what is being changed.
        approval.require_editable(DraftOrder.objects.select_for_update().get(pk=obj.pk))
        obj.save(update_fields=[*form.changed_data, "updated_at"])

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not change or form.has_changed() or any(formset.has_changed() for formset in formsets):
            approval.recheck(form.instance)

    def notes(self, request: HttpRequest, obj: DraftOrder) -> Iterator[Note]:
        if obj.error_message:
            yield Note(level="error", text=obj.error_message)
        if obj.status in EDITABLE:
            yield from (Note(level="warning", text=reason.message) for reason in blocking_reasons(obj))
            yield from (Note(level="info", text=remark.message) for remark in remarks(obj))

    def buttons(self, request: HttpRequest, obj: DraftOrder) -> Iterator[Button]:
        if obj.status == OrderStatus.READY:
            yield Button(action="approve", label="Approve", variant="primary", icon="check")
        if obj.status in EDITABLE:
            yield Button(action="reject", label="Reject", icon="block")
        if obj.status == OrderStatus.REJECTED:
            yield Button(action="reopen", label="Reopen", icon="undo")

    @admin.action(description="Approve", permissions=["approve"])
    def approve(self, request: HttpRequest, rows: models.QuerySet[DraftOrder]) -> None:
        who = actor(request)
        orders = rows.prefetch_related("lines")
        self.run_each(request, orders, lambda order: approval.approve(order, who), done="approved", refusal=NotPossible)

    @admin.action(description="Reject", permissions=["approve"])
    def reject(self, request: HttpRequest, rows: models.QuerySet[DraftOrder]) -> None:
        who = actor(request)
        self.run_each(request, rows, lambda order: approval.reject(order, who), done="rejected", refusal=NotPossible)

    @admin.action(description="Reopen", permissions=["approve"])
    def reopen(self, request: HttpRequest, rows: models.QuerySet[DraftOrder]) -> None:
        who, refusal = actor(request), (NotPossible, DuplicateOrderNumber)
        orders = rows.select_related("customer").prefetch_related("lines")
        self.run_each(request, orders, lambda order: approval.reopen(order, who), done="reopened", refusal=refusal)

    @admin.display(description="number")
    def number(self, order: DraftOrder) -> str:
        return str(order)

    @admin.display(description="status")
    def state(self, order: DraftOrder) -> SafeString:
        return badge(order.get_status_display(), BADGES.get(OrderStatus(order.status), ""), since=order.updated_at)

    @admin.display(description="approved")
    def approved(self, order: DraftOrder) -> str:
        at = order.approved_at
        return f"{localtime(at):%Y-%m-%d %H:%M} by {order.approved_by}" if at else ""

    @admin.display(description="error")
    def error(self, order: DraftOrder) -> str:
        return order.error_message[:80]
