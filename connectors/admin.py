from collections.abc import Iterator
from copy import copy
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from connectors import connection_service, trial_report
from connectors.connection_columns import ConnectionColumns, is_paused, local_time, steps_table
from connectors.connection_service import ConnectionChanges, NotPaused
from connectors.exceptions import ConfigError
from connectors.forms import CLEAR, CONFIG, ConnectionForm, connection_form, shown_when
from connectors.models import ERPConnection
from connectors.public_config import public_config
from connectors.registry import registry
from connectors.start_form import ConnectionStartForm
from orderflow.tenancy.admin_page import Button, Note, PageAdmin
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may
from orderflow.tenancy.scoped_admin import actor

OWN_FIELDS = ("organization", "connector", "name", "status", "is_default")
STATE_FIELDS = (("health", "last_test"),)
# The newest.
EVENTS_SHOWN = 50


@admin.register(ERPConnection)
class ERPConnectionAdmin(ConnectionColumns, PageAdmin):
    needed_to_add = needed_to_change = Action.EDIT_CONNECTIONS
    actions = ("test", "resume")
    change_form_outer_before_template = "connectors/above_the_form.html"
    change_form_outer_after_template = "connectors/events.html"
    readonly_fields = ("connector", "health", "last_test")
    list_display = ("name", "organization", "connector", "health", "default", "last_test", "problem")
    list_filter = ("organization", "status")
    list_select_related = ("organization",)
    search_fields = ("name",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.accept_host_key)
        return [path("<path:object_id>/host-key/", view, name="accept_host_key"), *super().get_urls()]

    def has_edit_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Action.EDIT_CONNECTIONS)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The connector type comes first: what else there is to ask depends on it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        try:
            registry.connector_class(request.GET.get("connector_type", ""))
        except ConfigError as error:
            return self._start_view(request, str(error) if "connector_type" in request.GET else "")
        page: HttpResponse = super().add_view(request, form_url, extra_context)
        return page

    def _start_view(self, request: HttpRequest, error: str) -> HttpResponse:
        form = ConnectionStartForm(initial=request.GET.dict())
        field = self.formfield_for_foreignkey(ERPConnection._meta.get_field("organization"), request)
        form.fields["organization"] = field
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Add ERP connection",
            "form": form,
            "error": error,
        }
        return TemplateResponse(request, "connectors/start.html", context)

    def get_form(
        self, request: HttpRequest, obj: ERPConnection | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        kwargs["form"] = self._form_class(request, obj)
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: ERPConnection | None = None) -> Any:
        own = ("Connection", {"fields": (*OWN_FIELDS, *STATE_FIELDS) if obj else OWN_FIELDS})
        form = self._form_class(request, obj)
        config = [name for name in form.declared_fields if name.startswith((CONFIG, CLEAR))]
        if not config or not self.has_change_permission(request, obj):
            return (own,)
        return (own, ("Configuration", {"fields": config}))

    def _form_class(self, request: HttpRequest, obj: ERPConnection | None) -> type[ConnectionForm]:
        connection = obj or ERPConnection(connector_type=request.GET.get("connector_type", ""))
        try:
            return connection_form(connection)
        except ConfigError:
            # The page says so; name and status can be edited all the same.
            return ConnectionForm

    def save_model(self, request: HttpRequest, obj: ERPConnection, form: ConnectionForm, change: bool) -> None:
        if form.has_changed():
            form.save_as(actor(request))

    def _audited(self, request: HttpRequest, obj: Any, verb: str, entry: LogEntry) -> LogEntry:
        """The service has written the line, in the same transaction as the change."""
        return entry

    def response_add(
        self, request: HttpRequest, obj: ERPConnection, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.success(request, f"{obj} is saved. Test it now.")
        return HttpResponseRedirect(self.page_url(obj))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        # The page is shared by all requests, the rules are those of this connection's form.
        page = context["adminform"].model_admin = copy(self)
        page.conditional_fields = shown_when(type(context["adminform"].form))
        if obj is not None:
            test = context["test"] = trial_report.take(request.session, obj)
            context["test_steps"] = steps_table(test["steps"] if test else [])
            context["may_accept"] = self.has_edit_permission(request)
            context["events"] = obj.events.order_by("-id")[:EVENTS_SHOWN]
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def notes(self, request: HttpRequest, obj: ERPConnection) -> Iterator[Note]:
        unreadable = public_config(obj).error
        if unreadable:
            yield Note(level="error", text=f"{unreadable} What you enter below replaces it.")
        if obj.blocked_at:
            text = f"Blocked since {local_time(obj.blocked_at)}: {obj.blocked_reason} Its orders wait."
            yield Note(level="error", text=text)
        if is_paused(obj.paused_until):
            text = f"Paused until {local_time(obj.paused_until)}: {obj.failures_in_a_row} sessions in a row failed."
            yield Note(level="warning", text=text)

    def buttons(self, request: HttpRequest, obj: ERPConnection) -> Iterator[Button]:
        yield Button(action="test", label="Test connection", variant="primary", icon="network_check")
        if is_paused(obj.paused_until) and not obj.blocked_at:
            yield Button(action="resume", label="Resume now", icon="play_arrow")

    @admin.action(description="Test connection", permissions=["edit"])
    def test(self, request: HttpRequest, rows: models.QuerySet[ERPConnection]) -> None:
        for connection in rows.select_related("organization"):
            pinned = (public_config(connection).values or {}).get("host_key", "")
            result = connection_service.test(connection, actor=actor(request))
            trial_report.keep(request.session, connection, result, pinned)
            if result.success:
                messages.success(request, f"{connection}: the test passed in {result.latency_ms} ms.")
            else:
                messages.error(request, f"{connection}: the test failed. {result.error_message}")

    @admin.action(description="Resume now", permissions=["edit"])
    def resume(self, request: HttpRequest, rows: models.QuerySet[ERPConnection]) -> None:
        who = actor(request)
        self.run_each(
            request,
            rows,
            lambda connection: connection_service.resume(connection, actor=who),
            done="resumed. What waited goes now",
            refusal=NotPaused,
        )

    def accept_host_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Pin the very key whose fingerprint the person was shown."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        connection = self.get_object(request, unquote(object_id))
        if not self.has_edit_permission(request):
            raise PermissionDenied
        try:
            accepted = self._pin(connection, request.POST.get("host_key", ""), actor(request))
        except ConfigError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"The host key {accepted} is accepted. Test again.")
        return HttpResponseRedirect(self.page_url(connection))

    def _pin(self, connection: ERPConnection, host_key: str, who: str) -> str:
        """The fingerprint of what is pinned by now. Raises `ConfigError`."""
        accepted = trial_report.fingerprint(host_key)
        if not accepted:
            raise ConfigError("No host key came with the request. Test the connection first.")
        connection_service.save(connection, ConnectionChanges(config={"host_key": host_key}), actor=who)
        return accepted
