"""The orders' admin page, extended by what the orders themselves know nothing of: push, retry, and their exports."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from connectors.models import ERPConnection
from exports.acks import unread as unread_acks
from exports.admin import search
from exports.admin.decisions import conflicts
from exports.admin.push import connection_choice
from exports.admin.push.actions import BulkPush
from exports.bulk.models import SOURCES, BulkJob
from exports.decisions import earlier_exports, next_attempt, resend_warnings, withdraw
from exports.models import ERPExport
from exports.models.status import ExportStatus
from orderflow.admin.pages import Button, Note, badge, change_url
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.fragments import fragment
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import User, may

ASK_BEFORE_PUSH = "Ask the ERP's administrator whether the order arrived before you send it again."
BADGES = {
    ExportStatus.PENDING: "info",
    ExportStatus.SENT: "warning",
    ExportStatus.ACKED: "success",
    ExportStatus.FAILED: "danger",
}


def status_badge(export: ERPExport) -> SafeString:
    """With the time since when it is so."""
    if export.undecided_since:
        return badge("In doubt, decide", "danger", since=export.undecided_since)
    since = {ExportStatus.PENDING: export.created_at, ExportStatus.SENT: export.sent_at}
    state = ExportStatus(export.status)
    return badge(export.get_status_display(), BADGES[state], since=since.get(state, export.settled_at))


class OrderExports(BulkPush):
    actions = ("push", "retry")
    offers = (
        (BulkJob.Kind.PUSH, "Push all approved of this list"),
        (BulkJob.Kind.RETRY, "Retry all in error of this list"),
    )
    form_template = "exports/exports_of_order.html"

    def known_as(self, term: str, user: User) -> set[UUID]:
        return search.orders_known_as(term, user)

    def orders_of(self, rows: models.QuerySet[DraftOrder]) -> models.QuerySet[DraftOrder]:
        return rows

    def waiting_among(self, rows: models.QuerySet[DraftOrder], kind: BulkJob.Kind) -> models.QuerySet[DraftOrder]:
        return rows.filter(status=SOURCES[kind])

    def form_context(self, request: HttpRequest, obj: DraftOrder) -> dict[str, Any]:
        return _exports(obj, obj.status)

    def get_urls(self) -> list[URLPattern]:
        view = fragment(self.exports_of_order)
        return [path("<path:object_id>/exports/", view, name=self.page.url_name("exports")), *super().get_urls()]

    def exports_of_order(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The part of the page that shows where the order's exports stand."""
        order = self.page.get_object(request, unquote(object_id))
        return TemplateResponse(
            request, "exports/exports_of_order.html", _exports(order, request.GET.get("loaded", ""))
        )

    def notes(self, request: HttpRequest, obj: DraftOrder) -> Iterator[Note]:
        if rejected := earlier_exports.may_have_arrived(obj):
            yield Note(
                level="warning",
                text=f"A rejected order has the same number, and the ERP may have it: {rejected.error_message} "
                "Ask the ERP's administrator before you push this one.",
                href=change_url(rejected),
                link="See its export",
            )
        yield from _stuck(obj)
        yield from _unread(obj)
        if obj.status not in SOURCES.values() or not self.has_push_permission(request):
            return
        choice = connection_choice.choice(obj)
        if choice is None:
            yield _no_connection(request, obj)
        elif not choice.chosen:
            yield Note(
                level="info", text=f"{obj.organization} has no default connection. Choose one beside the button."
            )

    def buttons(self, request: HttpRequest, obj: DraftOrder) -> Iterator[Button]:
        if obj.status == OrderStatus.APPROVED:
            yield Button(
                action="push", label="Push", variant="primary", icon="send", choice=connection_choice.choice(obj)
            )
        if obj.status == OrderStatus.ERROR:
            yield Button(
                action="retry", label="Retry", variant="primary", icon="replay", choice=connection_choice.choice(obj)
            )

    @admin.action(description="Push over the default connection", permissions=["push"])
    def push(self, request: HttpRequest, rows: models.QuerySet[DraftOrder]) -> HttpResponse | None:
        return self.push_or_ask(request, rows, BulkJob.Kind.PUSH)

    @admin.action(description="Retry over the same connection", permissions=["push"])
    def retry(self, request: HttpRequest, rows: models.QuerySet[DraftOrder]) -> HttpResponse | None:
        return self.push_or_ask(request, rows, BulkJob.Kind.RETRY)


def _stuck(order: DraftOrder) -> Iterator[Note]:
    """An order under way whose connection is out of use, with the way to its export, where it can be withdrawn."""
    if order.status != OrderStatus.PUSHING:
        return
    export = order.exports.select_related("connection").filter(status=ExportStatus.PENDING).first()
    if export and not export.undecided_since and withdraw.is_out_of_use(export.connection):
        text = f"The order waits for connection {export.connection.name!r}. {next_attempt.sentence(export)}"
        yield Note(level="warning", text=text, href=change_url(export), link="Open its export")


def _exports(order: DraftOrder, loaded: str) -> dict[str, Any]:
    """What changes while a person looks at the page, which was `loaded` when the order had that status."""
    exports = order.exports.select_related("connection")
    return {
        "order": order,
        "loaded": loaded,
        "exports_of_order": [(export, status_badge(export)) for export in exports],
        "page_to_reload": "" if loaded == order.status else change_url(order),
    }


def _unread(order: DraftOrder) -> Iterator[Note]:
    """What the ERP may have done with the order, or said of its last export, and nobody has read or decided."""
    last = ERPExport.objects.filter(draft_order=order, superseded_by=None)
    export = last.order_by("-created_at").first()
    if export is None or order.status == OrderStatus.REJECTED:
        return
    may_be_sent = order.status not in earlier_exports.DONE
    if doubt := resend_warnings.may_have(export):
        yield Note(level="warning", text=doubt, href=change_url(export), link="See its export")
    text = unread_acks.advice(last, ask=ASK_BEFORE_PUSH) if may_be_sent else unread_acks.unread_about(last)
    if text:
        yield Note(level="warning", text=text, href=change_url(export), link="See its export")
    if taken := resend_warnings.taken_advice(last):
        ack = resend_warnings.taken(last)[0]
        yield Note(level="warning", text=taken, href=change_url(ack), link="Decide")
    else:
        yield from conflicts.notes(export)


def _no_connection(request: HttpRequest, order: DraftOrder) -> Note:
    """A second connection to an ERP whose first one is disabled would be a mistake."""
    text = f"{order.organization} has no active connection, so the order cannot be pushed."
    if ERPConnection.objects.filter(organization=order.organization_id).exists():
        text = (
            f"All connections of {order.organization} are disabled, so the order cannot be pushed. Enable one of them."
        )
    elif may(request.user, Action.EDIT_CONNECTIONS):
        href = reverse("admin:connectors_erpconnection_add")
        return Note(level="warning", text=text, href=href, link="Add a connection")
    href = reverse("admin:connectors_erpconnection_changelist")
    return Note(level="warning", text=text, href=href, link="See the connections")
