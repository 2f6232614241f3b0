"""What Celery runs. Arguments are ids; a message that comes twice or not at all changes nothing."""

from uuid import UUID

from celery import shared_task

from connectors import background_tests
from connectors.models import ConnectionTest


@shared_task
def run_connection_test(test_id: str) -> None:
    background_tests.run(UUID(test_id))


@shared_task
def sweep_tests() -> None:
    """End what a dead worker left, and send for what waits: its message was lost, or its place is free by now."""
    background_tests.end_overdue(ConnectionTest.objects.all())
    background_tests.call_next()
