"""What a crash may leave at the dropzone under temporary names, and what is removed of it."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from exports import ack_poller
from exports.delivery import cleanup
from exports.models import ERPExport, Lane
from tests.exports.conftest import Push, names
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import DENIED, Fails, LosesAnswers, Meanwhile
from tests.support.temporary_names import unmarked

NOW = timezone.now()


def age(days: float) -> None:
    ERPExport.objects.exclude(settled_at=None).update(settled_at=timezone.now() - timedelta(days=days))


@pytest.fixture
def given_up(push: Push, zone: Zone) -> ERPExport:
    """Its last try broke off in the middle of the file."""
    export = push()
    ERPExport.objects.update(tries=7)
    zone.faults.append(LosesAnswers(operations=frozenset({"write"}), hangs_up_after_s=0))
    zone.drain()
    zone.faults.clear()
    export.refresh_from_db()
    assert (export.status, export.staged_path) == ("FAILED", "")
    assert unmarked(zone.names) == [f"{export.filename}.tmp"]
    return export


def test_a_temporary_of_an_export_that_failed_long_ago_is_removed(given_up: ERPExport, zone: Zone) -> None:
    """F14: only old ones."""
    assert cleanup.tidy_up(zone.connection.pk) == 0
    assert unmarked(zone.names) == [f"{given_up.filename}.tmp"]
    age(days=2)
    assert cleanup.tidy_up(zone.connection.pk) == 1
    assert zone.names == []


def test_only_our_own_temporaries_are_removed(given_up: ERPExport, zone: Zone) -> None:
    """F14."""
    folder = zone.folder
    foreign = ["sales_order_of_somebody_else.json.tmp", "notes.tmp", ".tmp", given_up.filename]
    for name in foreign:
        (folder / name).write_text("not ours")
    (folder / f"{given_up.filename}.tmp.tmp").mkdir()
    age(days=2)
    assert cleanup.tidy_up(zone.connection.pk) == 1
    assert names(folder) == sorted([*foreign, f"{given_up.filename}.tmp.tmp"])


def test_a_temporary_of_an_answered_export_is_removed_and_the_last_trace_of_another_is_not(
    push: Push, zone: Zone
) -> None:
    """F14, F3: without an answer, a temporary may be all that tells that a power cut undid the rename."""
    answered, unanswered, waiting = push(), push(), push()
    ERPExport.objects.filter(pk=waiting.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    zone.drain()
    (zone.acks / f"ack_{answered.filename}").write_text('{"status": "ACKED"}')
    assert ack_poller.poll(zone.connection.pk) == 1
    temporary_of = {e.filename: e.staged_path.rpartition("/")[2] for e in ERPExport.objects.exclude(staged_path="")}
    for path in (zone.folder).iterdir():
        path.rename(zone.folder / temporary_of[path.name])
    (zone.folder / f"{waiting.filename}.tmp").write_text("half of i")
    ERPExport.objects.filter(pk=unanswered.pk).update(status="FAILED", settled_at=timezone.now())
    age(days=2)
    assert cleanup.tidy_up(zone.connection.pk) == 1
    assert zone.names == sorted([temporary_of[unanswered.filename], f"{waiting.filename}.tmp"])


def test_a_folder_that_may_be_written_to_and_not_listed_is_told_and_goes_on_being_used(
    given_up: ERPExport, push: Push, zone: Zone
) -> None:
    zone.faults.append(Fails(operations=frozenset({"scandir"}), error=DENIED))
    with pytest.raises(ConfigError, match="list /in"):
        cleanup.tidy_up(zone.connection.pk)
    assert "list /in" in Lane.objects.get(kind="TIDYING").last_error
    export = push()
    zone.drain()
    assert (zone.folder / export.filename).exists()


def test_every_connection_is_looked_through_once_a_day(given_up: ERPExport, zone: Zone) -> None:
    assert cleanup.due() == [zone.connection.pk]
    cleanup.tidy_up(zone.connection.pk)
    assert cleanup.due() == []
    Lane.objects.update(last_run_at=timezone.now() - timedelta(days=2))
    assert cleanup.due() == [zone.connection.pk]


@pytest.mark.parametrize("change", [{"status": "DISABLED"}, {"blocked_at": NOW}], ids=["disabled", "blocked"])
def test_a_connection_that_may_not_be_used_is_not_looked_through(
    given_up: ERPExport, zone: Zone, change: dict[str, Any]
) -> None:
    age(days=2)
    ERPConnection.objects.update(**change)
    assert cleanup.due() == []
    assert cleanup.tidy_up(zone.connection.pk) == 0
    assert len(zone.names) == 1


def test_a_temporary_that_may_not_be_removed_is_told_and_not_counted(given_up: ERPExport, zone: Zone) -> None:
    """F14: "removed" is said of what is gone."""
    age(days=2)
    zone.faults.append(Fails(operations=frozenset({"remove"}), error=DENIED))
    with pytest.raises(ConfigError, match=r"Cannot remove /in/.*: permission denied"):
        cleanup.tidy_up(zone.connection.pk)
    assert "permission denied" in Lane.objects.get(kind="TIDYING").last_error
    assert len(zone.names) == 1
    zone.faults.clear()
    assert cleanup.tidy_up(zone.connection.pk) == 1
    assert (zone.names, Lane.objects.get(kind="TIDYING").last_error) == ([], "")


def test_a_refused_login_of_the_cleanup_blocks_the_connection(given_up: ERPExport, zone: Zone) -> None:
    """F18."""
    age(days=2)
    zone.edit(password="wrong")
    zone.server.attempts.clear()
    for _ in range(2):
        with suppress(ConfigError):
            cleanup.tidy_up(zone.connection.pk)
    assert [offered for kind, offered in zone.server.attempts if kind == "password"] == ["wrong"]
    zone.connection.refresh_from_db()
    assert zone.connection.blocked_at is not None


@pytest.mark.django_db(transaction=True)
def test_a_cleanup_whose_lane_was_taken_removes_nothing(given_up: ERPExport, zone: Zone) -> None:
    """F21."""
    age(days=2)

    def take() -> None:
        Lane.objects.filter(kind="TIDYING").update(token=77)
        database.close()

    zone.faults.append(Meanwhile(operations=frozenset({"scandir"}), act=take))
    assert cleanup.tidy_up(zone.connection.pk) == 0
    assert len(zone.names) == 1


def test_a_temporary_of_another_connection_is_left_to_it(given_up: ERPExport, push: Push, zone: Zone) -> None:
    """F14, S1: also where two connections share a folder."""
    age(days=2)
    neighbor = ERPConnection.objects.get(pk=zone.connection.pk)
    neighbor.pk, neighbor.name, neighbor.is_default = None, "Neighbor", False
    neighbor._state.adding = True
    neighbor.save()
    ERPExport.objects.filter(pk=given_up.pk).update(connection=neighbor)
    assert cleanup.tidy_up(zone.connection.pk) == 0
    assert len(zone.names) == 1
