"""A connection test as the admin shows it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from unfold.widgets import UnfoldBooleanWidget

from connectors.admin.columns import steps_table
from connectors.models import ConnectionTest, ERPConnection
from connectors.sftp.keys.host_keys import pinned_keys
from orderflow.admin.pages import badge

# A worker that is there takes a test at once.
TAKEN_AFTER = timedelta(seconds=5)

State = ConnectionTest.State
VARIANTS = {State.WAITING: "", State.RUNNING: "primary", State.PASSED: "success", State.FAILED: "danger"}

# The name of the button that saves and tests, as unfold forms it.
SAVE_AND_TEST = "connectors_erpconnection_save_and_test"


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """`version` is another one as soon as there is anything else to show."""

    test: ConnectionTest
    is_over: bool
    headline: str
    version: str
    badge: SafeString
    steps: dict[str, Any]
    fingerprint: str
    pinned_fingerprints: list[str]
    accept_button: dict[str, str]
    keep_box: SafeString


def latest(connection: ERPConnection) -> Report | None:
    test = connection.tests.first()
    return _report(test) if test else None


def was_shown(connection: ERPConnection, host_key: str) -> bool:
    """Whether the server showed it to a test of the connection as it is stored."""
    tests = connection.tests.filter(host_key=host_key, has_edits=False, asked_at__gt=connection.updated_at)
    return tests.exists()


def _report(test: ConnectionTest) -> Report:
    state, headline = State(test.state), _headline(test)
    return Report(
        test=test,
        is_over=state not in ConnectionTest.UNDER_WAY,
        headline=headline,
        version=f"{test.pk} {len(test.steps)} {headline}",
        badge=badge(state.label, VARIANTS[state]),
        steps=steps_table(test.steps),
        fingerprint=", ".join(fingerprints(test.host_key)),
        pinned_fingerprints=fingerprints(test.pinned_host_key),
        accept_button={"type": "button", "data-host-key": test.host_key},
        keep_box=UnfoldBooleanWidget({"id": "keep-host-keys"}).render("keep", False),
    )


def _headline(test: ConnectionTest) -> str:
    if test.state == State.WAITING:
        return _waiting(test)
    tried = "What stands in the form" if test.has_edits else "The stored connection"
    if test.state == State.RUNNING:
        return f"{tried} is being tried."
    if test.state == State.PASSED:
        save = " Save it to use it." if test.has_edits else ""
        return f"{tried} works: all steps took {test.latency_ms} ms.{save}"
    if test.pinned_host_key:
        return "The server shows another host key than the accepted one. Nothing was sent."
    if test.host_key:
        return "The server shows a host key that nobody has accepted yet. Nothing was sent."
    return test.error_message


def _waiting(test: ConnectionTest) -> str:
    running = ConnectionTest.objects.filter(state=State.RUNNING)
    if running.filter(organization=test.organization_id).exists():
        return "Another connection is being tested; this one is next in line."
    if timezone.now() - test.asked_at < TAKEN_AFTER:
        return "Waiting for a worker."
    return f"No worker has taken it up yet, after {timesince(test.asked_at)}. Is one running?"


def fingerprints(host_key: str) -> list[str]:
    """Of the keys in `host_key`, as it is stored. Raises `ConfigError`."""
    return [key.fingerprint for key in pinned_keys(host_key)]
