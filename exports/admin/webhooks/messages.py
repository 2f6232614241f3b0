from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models.functions import Cast, Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from exports.admin import search
from exports.webhooks import endpoint_service
from exports.webhooks.endpoint_service import StillPending
from exports.webhooks.models import MessageStatus, WebhookMessage, WebhookTry
from orderflow.admin.filters import DateSpanFilter
from orderflow.admin.pages import Button, PageAdmin, badge, page_link
from orderflow.admin.scoped import OwnRowsFilter, actor
from orderflow.admin.searchable import KnownAsAdmin
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import User, may

STATES = {
    MessageStatus.PENDING: "info",
    MessageStatus.DELIVERED: "success",
    MessageStatus.FAILED: "danger",
}


@admin.register(WebhookMessage)
class WebhookMessageAdmin(KnownAsAdmin, PageAdmin):
    actions = ("send_again",)
    change_form_outer_after_template = "exports/webhook_tries.html"
    list_display = (
        "created_at", "state", "type", "sent_export", "webhook", "tries", "last_try", "next_attempt_at", "organization",
    )  # fmt: skip
    list_display_links = ("created_at",)
    list_filter = ("organization", "status", "type", ("endpoint", OwnRowsFilter), ("created_at", DateSpanFilter))
    list_filter_submit = True
    sortable_by = ()
    list_select_related = ("organization", "endpoint", "export")
    fields = (
        ("state", "type"), "webhook_id", ("sent_export", "webhook"), ("created_at", "settled_at"),
        ("tries", "next_attempt_at"), "body",
    )  # fmt: skip

    def known_as(self, term: str, user: User) -> set[int]:
        return search.messages_known_as(term, user)

    def has_edit_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Action.EDIT_CONNECTIONS)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        tries = WebhookTry.objects.filter(message=models.OuterRef("pk")).order_by("-id")[:1]
        came_to = Coalesce(Cast("http_status", models.CharField()), "error")
        last = models.Subquery(tries.values(came_to=came_to))
        rows: models.QuerySet[Any] = super().get_queryset(request).annotate(came_to=last)
        return rows

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context["webhook_tries"] = obj.log.all()
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def buttons(self, request: HttpRequest, obj: WebhookMessage) -> Iterator[Button]:
        if obj.status != MessageStatus.PENDING:
            variant = "primary" if obj.status == MessageStatus.FAILED else "default"
            yield Button(action="send_again", label="Send again", variant=variant, icon="replay")

    @admin.action(description="Send again", permissions=["edit"])
    def send_again(self, request: HttpRequest, rows: models.QuerySet[WebhookMessage]) -> None:
        who = actor(request)
        self.run_each(
            request,
            rows,
            lambda message: endpoint_service.send_again(message, actor=who),
            done="sent again as soon as the webhook may be asked",
            refusal=StillPending,
        )

    @admin.display(description="status")
    def state(self, message: WebhookMessage) -> SafeString:
        since = message.settled_at or message.created_at
        return badge(message.get_status_display(), STATES[MessageStatus(message.status)], since=since)

    @admin.display(description="export")
    def sent_export(self, message: WebhookMessage) -> SafeString | str:
        return page_link(message.export)

    @admin.display(description="webhook")
    def webhook(self, message: WebhookMessage) -> SafeString | str:
        return page_link(message.endpoint)

    @admin.display(description="last try")
    def last_try(self, message: Any) -> SafeString:
        return format_html('<div class="sentence">{}</div>', message.came_to or "")

    @admin.display(description="body")
    def body(self, message: WebhookMessage) -> SafeString:
        return format_html('<pre class="text-xs whitespace-pre-wrap anywhere">{}</pre>', message.payload)
