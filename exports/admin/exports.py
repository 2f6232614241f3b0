from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from exports.acks import unread as unread_acks
from exports.admin import export_page, search
from exports.admin.decisions import conflicts
from exports.admin.decisions.give_up import GivingUpAdmin
from exports.admin.decisions.in_doubt import DecisionAdmin
from exports.admin.decisions.withdrawals import WithdrawalAdmin
from exports.admin.filters import OpenExports
from exports.admin.orders import status_badge
from exports.admin.push import connection_choice
from exports.admin.push.actions import BulkPush
from exports.bulk.models import SOURCES, BulkJob
from exports.decisions import next_attempt, resend_warnings
from exports.models import ERPExport, Installation
from exports.models.status import ExportStatus
from orderflow.admin.extensions import ExtensibleAdmin, PageExtension
from orderflow.admin.filters import DateSpanFilter
from orderflow.admin.optimistic_locking.row_version import Seen, digest_of
from orderflow.admin.pages import Button, Note, page_link
from orderflow.admin.permissions import PushPermission
from orderflow.admin.scoped import OwnRowsFilter
from orderflow.admin.searchable import KnownAsAdmin
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.fragments import fragment
from orderflow.tenancy.scope import User

ASK_BEFORE_RETRY = "Ask the ERP's administrator whether the order arrived before you retry it."


class ExportRetries(BulkPush):
    offers = ((BulkJob.Kind.RETRY, "Retry all failed of this list"),)

    def orders_of(self, rows: models.QuerySet[ERPExport]) -> models.QuerySet[DraftOrder]:
        return DraftOrder.objects.filter(pk__in=rows.order_by().values("draft_order"))

    def waiting_among(self, rows: models.QuerySet[ERPExport], kind: BulkJob.Kind) -> models.QuerySet[DraftOrder]:
        failed = rows.filter(status=ExportStatus.FAILED, superseded_by=None)
        return self.orders_of(failed).filter(status=SOURCES[kind])


@admin.register(ERPExport)
class ERPExportAdmin(PushPermission, KnownAsAdmin, GivingUpAdmin, WithdrawalAdmin, DecisionAdmin, ExtensibleAdmin):
    extensions: ClassVar[list[type[PageExtension]]] = [ExportRetries]
    actions = ("retry", "give_up", "withdraw", "stop_sending", "mark_delivered", "mark_not_delivered")
    change_form_outer_before_template = "exports/standing.html"
    change_form_outer_after_template = "exports/answers_and_document.html"
    list_display = (
        "created_at", "state", "order", "error", "erp_order", "sent_at", "next_attempt", "erp_connection",
        "organization",
    )  # fmt: skip
    list_display_links = ("created_at",)
    list_filter = ("organization", "status", OpenExports, ("connection", OwnRowsFilter), ("created_at", DateSpanFilter))
    list_filter_submit = True
    # What the dashboard's links have besides.
    linked_lookups = frozenset({"cause__exact", "created_at__gte", "error_code__exact", "undecided_since__isnull"})
    list_select_related = ("organization", "draft_order", "connection")
    sortable_by = ("created_at",)
    fieldsets = (
        (None, {"fields": (
            ("state", "tries"), ("order", "erp_connection"), ("superseded", "successor"), "filename", "dropzone_path",
            "document_sha256", "document_size",
        )}),
        ("When", {"fields": (
            ("created_at", "requested_by"), ("sent_at", "next_attempt"),
            ("answer_due_at", "settled_at"),
        )}),
        ("Answer", {"fields": ("erp_order_id", ("error_code", "error_message"))}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        all_held = models.Exists(Installation.objects.filter(held_since__isnull=False))
        rows: models.QuerySet[Any] = super().get_queryset(request).annotate(all_held=all_held)
        return rows

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.document)
        standing = path("<path:object_id>/standing/", fragment(self.standing), name=self.url_name("standing"))
        return [standing, path("<path:object_id>/document/", view, name="export_document"), *super().get_urls()]

    def seen_values(self, row: ERPExport) -> dict[str, Any]:
        """With the files that advise against its buttons: one that came after the page was loaded has been seen by
        nobody."""
        unread = resend_warnings.unsettled_files(ERPExport.objects.filter(pk=row.pk))
        return {**super().seen_values(row), "unread": unread}

    def seen_in_list(self, row: ERPExport) -> Seen:
        """A list shows no files; its actions ask on a page of their own."""
        return Seen(digest=digest_of(super().seen_values(row)), at=timezone.now())

    def known_as(self, term: str, user: User) -> set[UUID]:
        return search.exports_known_as(term, user)

    def standing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The parts of the page that show where the export stands."""
        export = self.get_object(request, unquote(object_id))
        found = export_page.standing(export, request.GET.get("loaded", ""))
        return TemplateResponse(request, "exports/standing_fragment.html", found)

    def document(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The exact bytes that were sent."""
        export = self.get_object(request, unquote(object_id))
        content = export_page.document(export)
        if content is None:
            raise Http404(f"The copy of {export} is not stored yet.")
        headers = {"Content-Disposition": f'attachment; filename="{export.filename}"'}
        return HttpResponse(content, content_type="application/json", headers=headers)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        return super().render_change_form(request, {**context, **export_page.context(obj)}, *args, obj=obj, **kwargs)

    def notes(self, request: HttpRequest, obj: ERPExport) -> Iterator[Note]:
        if obj.error_message:
            level = "error" if obj.status == ExportStatus.FAILED else "warning"
            yield Note(level=level, text=obj.error_message)
        this = ERPExport.objects.filter(pk=obj.pk)
        if obj.status == ExportStatus.SENT and obj.answer_due_at and obj.answer_due_at < timezone.now():
            asked = "No acknowledgement came in time. Ask the ERP's administrator whether the order arrived."
            yield Note(level="warning", text=unread_acks.advice(this, ask=asked) or asked)
        if doubt := resend_warnings.may_have(obj):
            yield Note(level="warning", text=doubt)
        is_last = obj.status == ExportStatus.FAILED and not hasattr(obj, "superseded_by")
        if is_last and (advice := unread_acks.advice(this, ask=ASK_BEFORE_RETRY)):
            yield Note(level="warning", text=advice)
        yield from conflicts.notes(obj)

    def buttons(self, request: HttpRequest, obj: ERPExport) -> Iterator[Button]:
        if obj.status == ExportStatus.FAILED and not hasattr(obj, "superseded_by"):
            choice = connection_choice.choice(obj.draft_order)
            yield Button(action="retry", label="Retry", variant="primary", icon="replay", choice=choice)
        yield from self.giving_up_buttons(obj)
        yield from self.withdrawal_buttons(obj)
        yield from self.decision_buttons(obj)

    @admin.action(description="Retry", permissions=["push"])
    def retry(self, request: HttpRequest, rows: models.QuerySet[ERPExport]) -> HttpResponse | None:
        """Over the same connection as before."""
        return ExportRetries(self).push_or_ask(request, rows, BulkJob.Kind.RETRY)

    @admin.display(description="status")
    def state(self, export: ERPExport) -> SafeString:
        return status_badge(export)

    @admin.display(description="order")
    def order(self, export: ERPExport) -> SafeString | str:
        return page_link(export.draft_order)

    @admin.display(description="connection")
    def erp_connection(self, export: ERPExport) -> SafeString | str:
        return page_link(export.connection)

    @admin.display(description="next attempt")
    def next_attempt(self, export: ERPExport) -> str:
        return next_attempt.shown(export, all_held=getattr(export, "all_held", False))

    @admin.display(description="supersedes")
    def superseded(self, export: ERPExport) -> SafeString | str:
        return page_link(export.supersedes)

    @admin.display(description="superseded by")
    def successor(self, export: ERPExport) -> SafeString | str:
        return page_link(getattr(export, "superseded_by", None))

    @admin.display(description="ERP order id")
    def erp_order(self, export: ERPExport) -> SafeString:
        return format_html('<span class="whitespace-nowrap">{}</span>', export.erp_order_id or "-")

    @admin.display(description="error")
    def error(self, export: ERPExport) -> SafeString:
        return format_html('<div class="sentence">{}</div>', Truncator(export.error_message).chars(80))
