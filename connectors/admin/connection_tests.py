"""The part of a connection's page that tests it: what stands in the form, saved or not, while people watch."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from connectors.admin import test_report
from connectors.admin.columns import ConnectionColumns, state_of
from connectors.admin.forms import ConnectionForm
from connectors.connections import service as connection_service
from connectors.connections import test_runs
from connectors.encrypted_model import sealed_values
from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from orderflow.admin.extensions import ExtensibleAdmin
from orderflow.admin.formatting import is_paused
from orderflow.admin.optimistic_locking.row_version import SEEN, parse
from orderflow.admin.pages import badge
from orderflow.admin.scoped import actor
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may


class TestingAdmin(ConnectionColumns, ExtensibleAdmin):
    actions_submit_line = ("save_and_test",)
    # How its server does, and what counts edits.
    seen_without = frozenset({
        "revision", "last_test_at", "last_test_success", "last_test_message", "last_test_latency_ms", "blocked_at",
        "blocked_reason", "blocked_by_key", "paused_until", "failures_in_a_row", "resolved_at", "reached_at",
        "worked_at", "login_first", "works_since",
    })  # fmt: skip

    class Media:
        js = ("connectors/accept_host_key.js",)

    def seen_values(self, row: ERPConnection) -> dict[str, Any]:
        return sealed_values(row, super().seen_values(row))

    def get_urls(self) -> list[URLPattern]:
        accept, test = (self.admin_site.admin_view(view) for view in (self.accept_host_key, self.test_view))
        return [
            path("<path:object_id>/host-key/", accept, name="accept_host_key"),
            path("<path:object_id>/connection-test/", test, name=self.url_name("test")),
            *super().get_urls(),
        ]

    def has_edit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may(request.user, Action.EDIT_CONNECTIONS)

    def has_test_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may(request.user, Action.TEST_CONNECTIONS)

    @admin.action(description="Save and test", permissions=["edit"])
    def save_and_test(self, request: HttpRequest, obj: ERPConnection) -> None:
        self._ask_after_edit(request, obj)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        # No two connections are alike.
        context["show_save_and_add_another"] = False
        # Unfold would have it for what exists already only.
        context["actions_submit_line"] = self.get_actions_submit_line(request, None)
        if obj is not None:
            context |= self._report(request, obj, str(context.get("seen", "")))
            context["test_button"] = self._test_button(obj) if self.has_test_permission(request) else {}
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def response_change(self, request: HttpRequest, obj: ERPConnection) -> HttpResponse:
        if test_report.SAVE_AND_TEST in request.POST:
            return HttpResponseRedirect(self.page_url(obj))
        page: HttpResponse = super().response_change(request, obj)
        return page

    @admin.action(description="Test connection", permissions=["test"])
    def test(self, request: HttpRequest, rows: "models.QuerySet[ERPConnection]") -> None:
        self.run_each(
            request,
            rows,
            lambda connection: test_runs.ask(connection, actor=actor(request)),
            done="will be tested now. Reload the list to see how it went",
            refusal=test_runs.TestUnderWay,
        )

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """How the newest test stands; a POST starts one of what stands in the form, where the person may edit it."""
        connection = self.get_object(request, unquote(object_id))
        if not self.has_test_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._test_form(request, connection)
        context = self._report(request, connection, request.GET.get("page", ""))
        report = context["report"]
        if report and report.version == request.GET.get("seen"):
            return HttpResponse(status=204)
        if report and report.is_over:
            context["health"] = badge(*state_of(connection))
        response = TemplateResponse(request, "connectors/test_report.html", context)
        if report and report.is_over and request.GET.get("unusable") and not context["unusable"]:
            # What the page says of a block is not true any more.
            response.headers["HX-Refresh"] = "true"
        return response

    def _test_form(self, request: HttpRequest, connection: ERPConnection) -> HttpResponse:
        if not self.has_edit_permission(request):
            self._ask(request, connection)
            report = self._report(request, connection, request.POST.get(SEEN, ""))
            return TemplateResponse(request, "connectors/test_report.html", report)
        form: ConnectionForm = self.get_form(request, connection, change=True)(request.POST, instance=connection)
        form.saves = False
        if not self.is_seen(request, connection, lock=False):
            changes = self.seen_changes(request, connection, parse(request.POST.get(SEEN, "")))
            error = f"Nothing was tested: {connection} was changed since this page was loaded. {changes} Load it again."
            context = {"original": connection, "form_errors": [error]}
        elif form.is_valid():
            self._ask(request, connection, form.config_changes())
            context = self._report(request, connection, request.POST.get(SEEN, ""))
        else:
            context = {"original": connection, "form_errors": _told(form)}
        return TemplateResponse(request, "connectors/test_report.html", context)

    def _ask(self, request: HttpRequest, connection: ERPConnection, unsaved: dict[str, Any] | None = None) -> bool:
        """False where a test is under way already; the page shows that one."""
        try:
            test_runs.ask(connection, actor=actor(request), unsaved=unsaved)
        except test_runs.TestUnderWay:
            return False
        return True

    def _ask_after_edit(self, request: HttpRequest, connection: ERPConnection) -> None:
        if not self._ask(request, connection):
            messages.warning(request, test_runs.STILL_TESTED)

    def _report(self, request: HttpRequest, connection: ERPConnection, seen: str) -> dict[str, Any]:
        """`seen` is the version of the connection that the page shows, in which the report stands."""
        return {
            "original": connection,
            "seen": seen,
            "report": test_report.latest(connection),
            "last_test": self.last_test(connection) if connection.last_test_at else "",
            "may_edit": self.has_edit_permission(request),
            "unusable": bool(connection.blocked_at or is_paused(connection.paused_until)),
        }

    def _test_button(self, connection: ERPConnection) -> dict[str, str]:
        return {
            "type": "button",
            "id": "test-connection",
            "hx-post": reverse(f"admin:{self.url_name('test')}", args=[connection.pk]),
            "hx-include": f"#{self.opts.model_name}_form",
            "hx-target": "#connection-test",
        }

    def accept_host_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Pin the very key whose fingerprint the person was shown, and try the connection with it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        connection = self.get_object(request, unquote(object_id))
        if not self.has_edit_permission(request):
            raise PermissionDenied
        self.run_as_seen(request, connection, lambda: self._accept(request, connection))
        return HttpResponseRedirect(self.page_url(connection))

    def _accept(self, request: HttpRequest, connection: ERPConnection) -> None:
        try:
            key, keep = request.POST.get("host_key", ""), "keep" in request.POST
            accepted = self._pin(connection, key, actor(request), keep=keep)
        except ConfigError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"The host key {accepted} is accepted.")
            self._ask_after_edit(request, connection)

    def _pin(self, connection: ERPConnection, host_key: str, who: str, *, keep: bool) -> str:
        """Accept `host_key`, with `keep` beside those accepted before. Its fingerprint. Raises `ConfigError`."""
        accepted = test_report.fingerprints(host_key)
        if not accepted:
            raise ConfigError("No host key came with the request. Test the connection first.")
        if not test_report.was_shown(connection, host_key):
            raise ConfigError("No test since the last edit showed this host key. Test the connection again.")
        before = connection.stored_config().get("host_key") if keep else ""
        keys = f"{before}\n{host_key}" if before else host_key
        connection_service.save(connection, connection_service.ConnectionChanges(config={"host_key": keys}), actor=who)
        return accepted[0]


def _told(form: ConnectionForm) -> list[str]:
    """Each error behind the label of its field."""
    return [
        f"{form.fields[name].label}: {error}" if name in form.fields else str(error)
        for name, errors in form.errors.items()
        for error in errors
    ]
