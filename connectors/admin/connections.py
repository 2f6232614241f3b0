from collections.abc import Iterator
from copy import copy
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from connectors.admin import leaving_acks
from connectors.admin.connection_tests import TestingAdmin
from connectors.admin.forms import CLEAR, CONFIG, ConnectionForm, connection_form, shown_when
from connectors.admin.start_form import ConnectionStartForm
from connectors.admin.test_report import SAVE_AND_TEST
from connectors.connections import history as connection_history
from connectors.connections import service as connection_service
from connectors.connections.public_config import public_config
from connectors.connections.service import NotPaused
from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from connectors.registry import registry
from orderflow.admin import first_organization
from orderflow.admin.extensions import PageExtension
from orderflow.admin.formatting import is_paused, local_time
from orderflow.admin.pages import Button, Note
from orderflow.admin.scoped import actor
from orderflow.tenancy.roles import Action

OWN_FIELDS = ("organization", "connector", "name", "status", "is_default")
STATE_FIELDS = ("health", "last_test")


@admin.register(ERPConnection)
class ERPConnectionAdmin(TestingAdmin):
    extensions: ClassVar[list[type[PageExtension]]] = []
    needed_to_add = needed_to_change = Action.EDIT_CONNECTIONS
    audits_itself = frozenset({"add", "edit"})
    actions: ClassVar[tuple[str, ...]] = ("test", "resume")
    change_form_outer_before_template = "connectors/above_the_form.html"
    change_form_outer_after_template = "connectors/events.html"
    readonly_fields = ("connector", "health", "last_test")
    list_display = ("name", "organization", "connector", "health", "default", "last_test", "problem")
    list_filter = ("organization", "status")
    list_select_related = ("organization",)
    search_fields = ("name",)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The connector type comes first: what else there is to ask depends on it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if away := first_organization.detour(request):
            return away
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
        # Who may test it sees how the last test went above.
        state = STATE_FIELDS[:1] if self.has_test_permission(request) else STATE_FIELDS
        own = ("Connection", {"fields": (*OWN_FIELDS, *state) if obj else OWN_FIELDS})
        form = self._form_class(request, obj)
        config = [name for name in form.declared_fields if name.startswith((CONFIG, CLEAR))]
        if not config or not self.has_change_permission(request, obj):
            return (own,)
        return (own, ("Configuration", {"fields": [*config, *leaving_acks.shown(obj, request.method)]}))

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
        if SAVE_AND_TEST in request.POST:
            self.save_and_test(request, obj)

    def response_add(
        self, request: HttpRequest, obj: ERPConnection, post_url_continue: str | None = None
    ) -> HttpResponse:
        if SAVE_AND_TEST not in request.POST:
            messages.success(request, f"{obj} is saved. Test it now.")
        if obj.is_default:
            messages.info(request, f"{obj} is the default connection of {obj.organization}: orders are pushed over it.")
        return HttpResponseRedirect(self.page_url(obj))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        # The page is shared by all requests, the rules are those of this connection's form.
        page = context["adminform"].model_admin = copy(self)
        page.conditional_fields = shown_when(type(context["adminform"].form))
        if obj is not None:
            context["events"] = connection_history.history(obj, with_values=self.has_edit_permission(request))
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
        if is_paused(obj.paused_until) and not obj.blocked_at:
            yield Button(action="resume", label="Resume now", icon="play_arrow")

    @admin.action(description="Resume now", permissions=["test"])
    def resume(self, request: HttpRequest, rows: models.QuerySet[ERPConnection]) -> None:
        who = actor(request)
        self.run_each(
            request,
            rows,
            lambda connection: connection_service.resume(connection, actor=who),
            done="resumed. What waited goes now",
            refusal=NotPaused,
        )
