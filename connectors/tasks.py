"""What Celery runs. Arguments are ids; a message that comes twice or not at all changes nothing."""

from uuid import UUID

from celery import shared_task

from connectors.connections import test_runs
from connectors.models import ConnectionTest


@shared_task
def run_connection_test(test_id: str) -> None:
    test_runs.run(UUID(test_id))


@shared_task
def sweep_tests() -> None:
    """End what a dead worker left, and send for what waits: its message was lost, or its place is free by now."""
    test_runs.end_overdue(ConnectionTest.objects.all())
    test_runs.call_next()
