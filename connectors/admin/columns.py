"""What lists and pages say about a connection."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from connectors.admin.start_form import connector_labels
from connectors.models import ERPConnection
from orderflow.admin.formatting import is_paused, local_time
from orderflow.admin.pages import badge


class ConnectionColumns:
    @admin.display(description="connector type", ordering="connector_type")
    def connector(self, connection: ERPConnection) -> str:
        """By its label, while it is installed."""
        return dict(connector_labels()).get(connection.connector_type, connection.connector_type)

    @admin.display(description="health")
    def health(self, connection: ERPConnection) -> SafeString:
        # By its id, the end of a test replaces it on the page.
        return format_html('<span id="health-{}">{}</span>', connection.pk, badge(*state_of(connection)))

    @admin.display(description="default", ordering="is_default")
    def default(self, connection: ERPConnection) -> SafeString | str:
        return badge("Default", "primary") if connection.is_default else ""

    @admin.display(description="last test", ordering="last_test_at")
    def last_test(self, connection: ERPConnection) -> str:
        if connection.last_test_at is None:
            return "never"
        outcome = f"passed in {connection.last_test_latency_ms} ms" if connection.last_test_success else "failed"
        if timezone.now() - connection.last_test_at < timedelta(minutes=1):
            return f"{outcome}, just now"
        return f"{outcome}, {timesince(connection.last_test_at, depth=1)} ago"

    @admin.display(description="what is wrong")
    def problem(self, connection: ERPConnection) -> str:
        failed = connection.last_test_message if connection.last_test_success is False else ""
        return connection.blocked_reason or failed


def state_of(connection: ERPConnection) -> tuple[str, str]:
    """Whether it may be used, and whether it is known to work: in words, and the variant of its badge."""
    if connection.blocked_at:
        return "Blocked", "danger"
    if connection.status == ERPConnection.Status.DISABLED:
        return "Disabled", ""
    if is_paused(connection.paused_until):
        return f"Paused until {local_time(connection.paused_until)}", "warning"
    if connection.works_since:
        return "Active", "success"
    return ("Last test failed", "warning") if connection.last_test_success is False else ("Not tested yet", "")


def steps_table(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """A test's steps as unfold's table takes them."""
    outcome = {True: badge("Passed", "success"), False: badge("Failed", "danger")}
    time = "{}\N{NO-BREAK SPACE}ms"
    rows = [[s["name"], outcome[s["success"]], time.format(s["duration_ms"]), s["detail"]] for s in steps]
    return {"headers": ["Step", "Outcome", "Time", "Details"], "rows": rows}
