"""What an attempt leaves in the journal binds the next one, whatever was edited or goes wrong in between."""

import os
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.delivery import retry_policy
from exports.models import ERPExport, Lane
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import BARE_FAILURE, Fails, Freezes, Meanwhile
from tests.servers.faulty.server import Fault
from tests.support.exports.failing_storage import FailsAt

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
    ERPExport.objects.update(tries=len(retry_policy.WAITS), next_attempt_at=None)
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
    assert (export.status, export.tries) == ("PENDING", len(retry_policy.WAITS) + 1)
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


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", ["blocked_at", "paused_until"])
def test_a_connection_that_another_worker_found_out_of_use_publishes_nothing(
    state: str, push: Push, zone: Zone
) -> None:
    """F26: nobody edited it, so only its state tells; what was staged goes again."""
    export = push()

    def find_out() -> None:
        ERPConnection.objects.update(**{state: timezone.now() + timedelta(hours=1)})
        database.close()

    found_out = Meanwhile(operations=frozenset({"close"}), act=find_out)
    zone.faults.append(found_out)
    zone.drain()
    assert (found_out.struck, found_out.failed) == (1, [])
    export.refresh_from_db()
    assert (export.status, export.staged_path, export.tries, zone.names) == ("PENDING", "", 0, [])
    ERPConnection.objects.update(blocked_at=None)
    zone.drain_later()
    assert arrived(zone) == Counter([export.filename])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("meanwhile", ["the lane is lost", "the export is settled"])
@pytest.mark.parametrize("damaged", [True, False])
def test_a_file_is_left_as_it_is_by_who_may_neither_write_it_anew_nor_publish_it(
    meanwhile: str, damaged: bool, push: Push, zone: Zone
) -> None:
    """F21, A1: it may be in the hands of the next holder, or a last trace."""
    push()
    export = journaled(zone)
    (staged,) = zone.folder.iterdir()
    if damaged:
        os.truncate(staged, 10)
    size = staged.stat().st_size

    def act() -> None:
        if meanwhile == "the lane is lost":
            Lane.objects.update(token=77)
        else:
            ERPExport.objects.update(status="FAILED")
        database.close()

    early = Meanwhile(operations=LOOK, act=act)
    zone.faults.append(early)
    zone.drain_later()
    assert (early.struck, early.failed) == (1, [])
    assert zone.names == [staged.name]
    assert staged.stat().st_size == size
    export.refresh_from_db()
    assert export.staged_path


def test_a_folder_that_nobody_can_look_at_is_not_taken_for_an_erp_that_took_the_file(push: Push, zone: Zone) -> None:
    """F13."""
    push()
    export = journaled(zone)
    (staged,) = zone.folder.iterdir()
    staged.rename(zone.server.root / "kept")
    zone.faults.append(FailsAt(operations=LOOK, error=BARE_FAILURE, name="/in"))
    zone.drain_later()
    export.refresh_from_db()
    assert (export.status, bool(export.staged_path)) == ("PENDING", True)
    zone.faults.clear()
    (zone.server.root / "kept").rename(staged)
    zone.drain_later()
    assert arrived(zone) == Counter([export.filename])


def test_an_order_in_doubt_is_settled_by_its_file_after_temporary_names_were_turned_off(push: Push, zone: Zone) -> None:
    """F2: the rename was carried out, its response was lost, and the ERP took the file."""
    push()
    export = journaled(zone)
    (temporary,) = zone.folder.iterdir()
    temporary.unlink()
    waiting = push()
    zone.edit(atomic_write=False)
    zone.drain_later()
    export.refresh_from_db()
    waiting.refresh_from_db()
    assert (export.status, waiting.status) == ("SENT", "SENT")
    assert arrived(zone) == Counter([waiting.filename])


def test_a_staged_file_is_published_after_temporary_names_were_turned_off(push: Push, zone: Zone) -> None:
    push()
    export = journaled(zone)
    zone.edit(atomic_write=False)
    zone.drain_later()
    export.refresh_from_db()
    assert (export.status, zone.names) == ("SENT", [export.filename])


def test_a_session_that_is_lost_over_a_fresh_file_says_why_and_keeps_what_was_staged_before(
    push: Push, zone: Zone
) -> None:
    """F2, F10: the older order learns only that the session has ended; people see what ended it."""
    push()
    earlier = journaled(zone)
    (staged,) = zone.folder.iterdir()
    fresh = push()
    zone.faults.append(Freezes(operations=OPEN))
    zone.drain_later()
    for each in (earlier, fresh):
        each.refresh_from_db()
        assert each.status == "PENDING"
    assert "has ended" in earlier.error_message
    assert "has ended" not in fresh.error_message
    assert Lane.objects.get(kind="DELIVERY").last_error == fresh.error_message
    assert (bool(earlier.staged_path), fresh.staged_path) == (True, "")
    assert staged.exists()
    zone.faults.clear()
    zone.drain_later()
    assert arrived(zone) == Counter([earlier.filename, fresh.filename])


@pytest.mark.parametrize("unseen", ["final", "temporary"])
def test_a_name_that_nobody_can_look_at_decides_nothing_about_its_order_and_the_others(
    unseen: str, push: Push, zone: Zone
) -> None:
    """F2, F9: one of the two names tells nothing; the other order of the batch was published."""
    exports = [push(), push()]
    zone.faults.append(Freezes(operations=RENAME))
    zone.drain()
    zone.faults.clear()
    for export in exports:
        export.refresh_from_db()
    doubtful, published = exports
    temporary = {export: zone.folder / export.staged_path.rpartition("/")[2] for export in exports}
    temporary[published].rename(zone.folder / published.filename)
    if unseen == "final":
        temporary[doubtful].rename(zone.folder / doubtful.filename)
    name = doubtful.filename if unseen == "final" else temporary[doubtful].name
    zone.faults.append(FailsAt(operations=LOOK, error=BARE_FAILURE, name=name))
    zone.drain_later()
    for export in exports:
        export.refresh_from_db()
    assert (doubtful.status, published.status) == ("PENDING", "SENT")
    assert "failed without a cause" in doubtful.error_message
    assert doubtful.staged_path
    zone.faults.clear()
    zone.drain_later()
    doubtful.refresh_from_db()
    assert doubtful.status == "SENT"
    assert zone.names == sorted(export.filename for export in exports)
