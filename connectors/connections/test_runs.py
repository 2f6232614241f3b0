"""Connection tests that a worker runs while people watch: asked for, taken up, kept step by step, over."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from kombu.exceptions import OperationalError

from connectors.connections import service as connection_service
from connectors.connections.config_merge import merged_config
from connectors.exceptions import ConfigError
from connectors.models import ConnectionTest, ERPConnection
from connectors.ports import TestResult, TestStep

logger = logging.getLogger(__name__)

State = ConnectionTest.State

# By name: the tasks import this.
TASK = "connectors.tasks.run_connection_test"
# Of each connection, the newest.
KEPT = 5
# All together, so that servers that hang leave most workers to the orders.
PLACES = 2
WAITS_AT_MOST = timedelta(minutes=15)
# What a worker may need beyond the limit to say how the test ended.
GRACE_S = 15
# After an edit, which no test that began before it covers.
STILL_TESTED = (
    "The present settings are not tested yet: a test that was asked for before the edit is still under way. Test the "
    "connection again when it has ended."
)


class TestUnderWay(Exception):
    """The connection is being tested already."""

    __test__ = False


def ask(connection: ERPConnection, *, actor: str, unsaved: Mapping[str, Any] | None = None) -> ConnectionTest:
    """Have a worker try the stored config with `unsaved` edits over it. Raises `TestUnderWay`."""
    end_overdue(connection.tests.all())
    test = ConnectionTest(
        connection=connection, organization_id=connection.organization_id, asked_by=actor, asked_at=timezone.now()
    )
    test.set_edits(unsaved or {})
    try:
        with transaction.atomic():
            test.save(force_insert=True)
    except IntegrityError as error:
        raise TestUnderWay(f"{connection.name} is being tested already.") from error
    old = connection.tests.values_list("pk", flat=True)[KEPT:]
    connection.tests.filter(pk__in=list(old)).delete()
    transaction.on_commit(lambda: _send(test.pk))
    return test


def run(test_id: UUID) -> None:
    """A message that comes twice, or for a test that has to wait for a place, changes nothing."""
    test = _claim(test_id)
    if test is None:
        return
    try:
        _end(test, *_result(test))
    except Exception as error:
        _end(test, TestResult(success=False, latency_ms=0, error_message=f"Unexpected {type(error).__name__}."), "")
        raise
    finally:
        call_next()


def call_next() -> None:
    """Send for the test that has waited longest of those that there may be a place for."""
    running = ConnectionTest.objects.filter(state=State.RUNNING)
    waiting = ConnectionTest.objects.filter(state=State.WAITING)
    test = waiting.exclude(organization__in=running.values("organization")).order_by("id").first()
    if test:
        _send(test.pk)


def end_overdue(tests: "QuerySet[ConnectionTest]") -> None:
    """Of a worker that died, and those that no worker takes: what was entered for them goes, too."""
    limit = timedelta(seconds=settings.CONNECTION_TEST_LIMIT_S + GRACE_S)
    left = tests.filter(state=State.RUNNING, started_at__lt=Now() - limit)
    left.update(
        **_ended(State.FAILED, f"No end after {settings.CONNECTION_TEST_LIMIT_S:g} s: its worker is gone. Test again.")
    )
    minutes = WAITS_AT_MOST // timedelta(minutes=1)
    unseen = tests.filter(state=State.WAITING, asked_at__lt=Now() - WAITS_AT_MOST)
    unseen.update(**_ended(State.FAILED, f"No worker took it up within {minutes} min. Start one, then test again."))


def _claim(test_id: UUID) -> ConnectionTest | None:
    waiting = ConnectionTest.objects.filter(pk=test_id, state=State.WAITING)
    for place in range(PLACES):
        try:
            with transaction.atomic():
                if not waiting.update(state=State.RUNNING, place=place, started_at=Now()):
                    return None
        except IntegrityError:
            # The place is taken, or the organization has its one test running.
            continue
        return ConnectionTest.objects.select_related("connection__organization").get(pk=test_id)
    return None


def _result(test: ConnectionTest) -> tuple[TestResult, str]:
    """And the host key that the server's was held against."""
    try:
        edits = test.edits()
    except ConfigError as error:
        return TestResult(success=False, latency_ms=0, error_message=str(error)), ""
    result = connection_service.test(
        test.connection, actor=test.asked_by, unsaved=edits, on_step=lambda step: _note(test, step)
    )
    return result, _pinned(test, edits) if result.host_key else ""


def _pinned(test: ConnectionTest, edits: Mapping[str, Any]) -> str:
    try:
        return str(merged_config(test.connection, edits).get("host_key") or "")
    except ConfigError:
        # The connection was edited while the test ran.
        return ""


def _note(test: ConnectionTest, step: TestStep) -> None:
    test.steps.append(asdict(step))
    _running(test).update(steps=test.steps)


def _end(test: ConnectionTest, result: TestResult, pinned: str) -> None:
    """What somebody else gave up stays as it is."""
    _running(test).update(
        **_ended(State.PASSED if result.success else State.FAILED, result.error_message or ""),
        latency_ms=result.latency_ms,
        host_key=result.host_key or "",
        pinned_host_key=pinned,
    )


def _running(test: ConnectionTest) -> "QuerySet[ConnectionTest]":
    return ConnectionTest.objects.filter(pk=test.pk, state=State.RUNNING)


def _ended(state: State, error: str) -> dict[str, Any]:
    return {"state": state, "ended_at": Now(), "edits_encrypted": b"", "error_message": error[:500]}


def _send(test_id: UUID) -> None:
    try:
        current_app.send_task(TASK, args=[str(test_id)])
    except OperationalError as error:
        logger.warning("The broker took no test, the next sweep will find it: %s", error)
