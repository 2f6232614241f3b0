from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from connectors.encrypted_model import sealed_values
from connectors.exceptions import ConfigError
from exports.admin.webhooks.forms import WebhookEndpointForm
from exports.webhooks import endpoint_service, signing
from exports.webhooks.models import MessageStatus, WebhookEndpoint
from orderflow.admin.formatting import is_paused, local_time
from orderflow.admin.pages import Button, Note, PageAdmin, badge, page_link
from orderflow.admin.scoped import actor
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(PageAdmin):
    needed_to_add = needed_to_change = Action.EDIT_CONNECTIONS
    audits_itself = frozenset({"add", "edit"})
    form = WebhookEndpointForm
    actions = ("test", "new_secret", "end_old_secrets")
    unlocked_actions = frozenset({"test"})
    # How its receiver does, and who sends.
    seen_without = frozenset({
        "failures_in_a_row", "failing_since", "pauses_in_a_row", "paused_until", "token", "leased_until", "awake_since",
        "last_run_at",
    })  # fmt: skip
    list_display = ("name", "organization", "url", "health", "wishes", "problem")
    list_filter = ("organization", "enabled")
    list_select_related = ("organization",)
    search_fields = ("name", "url")
    search_help_text = "Name or URL"
    readonly_fields = ("health", "created_at")
    fieldsets = (
        (None, {"fields": ("organization", "name", "url", "enabled")}),
        ("Told when an export is", {"fields": ("wants_sent", "wants_acked", "wants_failed")}),
    )

    def seen_values(self, row: WebhookEndpoint) -> dict[str, Any]:
        return sealed_values(row, super().seen_values(row))

    def has_edit_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Action.EDIT_CONNECTIONS)

    def get_fieldsets(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return (*fieldsets, ("State", {"fields": (self.readonly_fields,)})) if obj else fieldsets

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: WebhookEndpointForm, change: bool) -> None:
        if not change:
            endpoint_service.create(obj, actor=actor(request))
        elif form.has_changed():
            endpoint_service.edit(obj, form.changed_data, actor=actor(request))

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show_secrets(request, [(obj, obj.secret())])

    def _show_secrets(self, request: HttpRequest, secrets: list[tuple[WebhookEndpoint, str]]) -> HttpResponse:
        """In the answer to the very request that made them: a redirect would have to keep them somewhere."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "The webhook's secret",
            "secrets": [(page_link(endpoint), secret, _until(endpoint)) for endpoint, secret in secrets],
        }
        return TemplateResponse(request, "exports/webhook_secret.html", context)

    def notes(self, request: HttpRequest, obj: WebhookEndpoint) -> Iterator[Note]:
        if obj.disabled_reason:
            yield Note(level="error", text=f"Disabled. {obj.disabled_reason} What waits is sent once it is enabled.")
        elif obj.enabled and is_paused(obj.paused_until):
            failed = f"{obj.failures_in_a_row} messages in a row failed"
            why = failed if obj.failures_in_a_row else "the receiver asked for it"
            text = f"Paused until {local_time(obj.paused_until)}: {why}. A test that passes ends the pause."
            yield Note(level="warning", text=text)
        if refused := obj.messages.filter(status=MessageStatus.PENDING, next_attempt_at__isnull=False).count():
            verb = "message waits" if refused == 1 else "messages wait"
            yield Note(
                level="warning", text=f"{refused} {verb} to be sent again. Their pages show what the receiver answered."
            )
        if until := _until(obj):
            yield Note(level="info", text=f"The old secret signs beside the new one until {until}.")

    def buttons(self, request: HttpRequest, obj: WebhookEndpoint) -> Iterator[Button]:
        yield Button(action="test", label="Send a test message", variant="primary", icon="network_check")
        yield Button(action="new_secret", label="New secret", icon="key")
        if _until(obj):
            yield Button(action="end_old_secrets", label="End the old secret now", icon="key_off")

    @admin.action(description="Send a test message", permissions=["edit"])
    def test(self, request: HttpRequest, rows: models.QuerySet[WebhookEndpoint]) -> None:
        for endpoint in rows:
            try:
                answer = endpoint_service.test(endpoint, actor=actor(request))
            except ConfigError as error:
                messages.error(request, str(error))
                continue
            if answer.delivered:
                messages.success(request, f"{endpoint}: accepted with HTTP {answer.status} in {answer.duration_ms} ms.")
            else:
                messages.error(request, f"{endpoint}: the test failed. {answer}")

    @admin.action(description="New secret", permissions=["edit"])
    def new_secret(self, request: HttpRequest, rows: models.QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        who = actor(request)
        made = [(endpoint, endpoint_service.renew_secret(endpoint, actor=who)) for endpoint in rows]
        return self._show_secrets(request, made) if made else None

    @admin.action(description="End old secrets", permissions=["edit"])
    def end_old_secrets(self, request: HttpRequest, rows: models.QuerySet[WebhookEndpoint]) -> None:
        for endpoint in rows:
            if endpoint_service.end_old_secrets(endpoint, actor=actor(request)):
                messages.success(request, f"{endpoint}: only the current secret signs from now on.")
            else:
                messages.info(request, f"{endpoint}: no old secret signs.")

    @admin.display(description="state")
    def health(self, endpoint: WebhookEndpoint) -> SafeString:
        if not endpoint.enabled:
            return badge("Disabled", "danger" if endpoint.disabled_reason else "")
        if is_paused(endpoint.paused_until):
            return badge(f"Paused until {local_time(endpoint.paused_until)}", "warning")
        return badge("Enabled", "success")

    @admin.display(description="told when")
    def wishes(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(sorted(notice.label.lower() for notice in endpoint.wanted))

    @admin.display(description="what is wrong")
    def problem(self, endpoint: WebhookEndpoint) -> SafeString:
        return format_html('<div class="sentence">{}</div>', endpoint.disabled_reason)


def _until(endpoint: WebhookEndpoint) -> str:
    """Until when an old secret signs; empty when none does."""
    return local_time(signing.old_sign_until(endpoint))
