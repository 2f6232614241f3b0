"""Connection tests that the admin asked for, run as a worker does."""

from connectors.connections import test_runs
from connectors.models import ConnectionTest


def run_tests() -> None:
    """All that wait, as a worker would."""
    for pk in ConnectionTest.objects.filter(state="WAITING").values_list("pk", flat=True):
        test_runs.run(pk)
