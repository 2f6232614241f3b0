"""What an attempt leaves in the journal binds the next one, whatever was edited or goes wrong in between."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from connectors import connection_service
from connectors.connection_service import ConnectionChanges
from connectors.models import ERPConnection
from exports import retry_schedule
from exports.models import ERPExport
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import Fails, Freezes, Meanwhile
from tests.servers.faulty.server import Fault

RENAME, LOOK, OPEN = frozenset({"rename"}), frozenset({"lstat"}), frozenset({"open"})


def journaled(zone: Zone) -> ERPExport:
    """Staged and journaled; the rename got no response, and was not carried out."""
    zone.faults.append(Freezes(operations=RENAME, at_most=1))
    zone.drain()
    zone.faults.clear()
    export = ERPExport.objects.get()
    assert (export.status, export.tries) == ("PENDING", 1)
    assert export.staged_path
    return export


def at_the_last_attempt() -> None:
    ERPExport.objects.update(tries=len(retry_schedule.WAITS), next_attempt_at=None)
    ERPConnection.objects.update(paused_until=None)


def arrived(zone: Zone) -> Counter[str]:
    return Counter(name for name in zone.names if name.endswith(".json"))


@pytest.mark.parametrize("journaled_by", ["an earlier attempt", "this attempt"])
def test_an_order_in_doubt_is_not_given_up_after_the_last_attempt(journaled_by: str, push: Push, zone: Zone) -> None:
    """F2: it would be pushed again, and arrive twice."""
    export = push()
    if journaled_by == "an earlier attempt":
        journaled(zone)
    at_the_last_attempt()
    zone.faults.append(Freezes(operations=RENAME))
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries) == ("PENDING", len(retry_schedule.WAITS) + 1)
    assert export.next_attempt_at is not None
    # The last wait of the schedule, again and again.
    assert export.next_attempt_at > timezone.now() + timedelta(hours=10)
    assert export.staged_path
    zone.faults.clear()
    zone.drain_later()
    export.refresh_from_db()
    assert (export.status, arrived(zone)) == ("SENT", Counter([export.filename]))


@pytest.mark.parametrize("fault", [Fails(operations=LOOK), Freezes(operations=LOOK)], ids=["refused", "silent"])
def test_an_order_in_doubt_is_not_given_up_while_nobody_can_look(fault: Fault, push: Push, zone: Zone) -> None:
    """F2: the attempt after the doubt learns nothing, which ends no doubt."""
    push()
    export = journaled(zone)
    at_the_last_attempt()
    zone.faults.append(fault)
    zone.drain()
    export.refresh_from_db()
    assert export.status == "PENDING"
    assert export.next_attempt_at is not None
    zone.faults.clear()
    zone.drain_later()
    assert arrived(zone) == Counter([export.filename])


def test_of_two_orders_only_the_one_in_doubt_goes_on(push: Push, zone: Zone) -> None:
    """F2: each by its own row of the journal."""
    push()
    doubtful = journaled(zone)
    fresh = push()
    at_the_last_attempt()
    zone.faults.extend([Fails(operations=OPEN), Freezes(operations=RENAME)])
    zone.drain()
    for export in (doubtful, fresh):
        export.refresh_from_db()
    assert (doubtful.status, fresh.status) == ("PENDING", "FAILED")
    assert (bool(doubtful.staged_path), fresh.staged_path) == (True, "")


def test_a_file_that_was_published_in_the_folder_of_before_is_found_there(push: Push, zone: Zone) -> None:
    """F3, F26: the connection's folder is another one by now, and the old one still there."""
    push()
    export = journaled(zone)
    (staged,) = zone.folder.iterdir()
    staged.rename(zone.folder / export.filename)
    (zone.server.root / "new").mkdir()
    zone.edit(export_path="/new")
    zone.drain_later()
    export.refresh_from_db()
    assert (export.status, export.dropzone_path) == ("SENT", f"/in/{export.filename}")
    assert zone.names == [export.filename]
    assert list((zone.server.root / "new").iterdir()) == []


def test_a_file_that_the_erp_took_from_the_folder_of_before_is_not_sent_to_the_new_one(push: Push, zone: Zone) -> None:
    """F3, F8, F26."""
    push()
    export = journaled(zone)
    (staged,) = zone.folder.iterdir()
    staged.unlink()
    (zone.server.root / "new").mkdir()
    zone.edit(export_path="/new")
    zone.drain_later()
    export.refresh_from_db()
    assert (export.status, zone.names) == ("SENT", [])
    assert list((zone.server.root / "new").iterdir()) == []


def test_a_file_that_was_staged_under_another_form_of_names_is_published(push: Push, zone: Zone) -> None:
    """F26: an edit of the temporary names does not lose what was staged under the old ones."""
    push()
    export = journaled(zone)
    (staged,) = zone.folder.iterdir()
    inode = staged.stat().st_ino
    zone.edit(temp_name="tmp_{name}")
    zone.drain_later()
    export.refresh_from_db()
    assert (export.status, zone.names) == ("SENT", [export.filename])
    assert (zone.folder / export.filename).stat().st_ino == inode


@pytest.mark.django_db(transaction=True)
def test_what_was_staged_before_is_kept_when_the_batch_of_the_next_attempt_is_outdated(push: Push, zone: Zone) -> None:
    """F26: the fresh file of the batch goes, the one of the earlier attempt may be a last trace."""
    push()
    export = journaled(zone)
    (staged,) = zone.folder.iterdir()
    fresh = push()

    def disable() -> None:
        connection_service.save(zone.connection, ConnectionChanges(status="DISABLED"), actor="test")
        database.close()

    zone.connection.refresh_from_db()
    edit = Meanwhile(operations=frozenset({"close"}), act=disable)
    zone.faults.append(edit)
    zone.drain_later()
    assert (edit.struck, edit.failed) == (1, [])
    assert zone.names == [staged.name]
    for each in (export, fresh):
        each.refresh_from_db()
    assert (export.status, fresh.status) == ("PENDING", "PENDING")
    assert (bool(export.staged_path), fresh.staged_path) == (True, "")
    zone.connection.refresh_from_db()
    connection_service.save(zone.connection, ConnectionChanges(status="ACTIVE"), actor="test")
    zone.faults.clear()
    zone.drain_later()
    assert arrived(zone) == Counter([export.filename, fresh.filename])
