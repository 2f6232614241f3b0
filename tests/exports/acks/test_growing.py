"""A file that cannot be read is reported soon, and moved only when the ERP has let it be for a whole interval."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from connectors.models import ERPConnection
from exports import ack_poller
from exports.acks import growing
from exports.acks import unresolved as unresolved_acks
from exports.incidents import detector
from exports.incidents.models import Incident
from exports.models import AckFile, ERPExport
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.support.tenants import log_in, page_url

ACKED = '{"status": "ACKED", "erp_order_id": "SO-1"}'


@pytest.fixture
def path(sent: ERPExport, folder: Path) -> Path:
    """Of a file that the ERP has created, and writes later."""
    path = folder / "acks" / f"ack_{sent.filename}"
    path.touch()
    return path


def look(connection: ERPConnection, *, after_s: float = 0) -> AckFile:
    """A poll, so long after what was seen before."""
    for row in AckFile.objects.all():
        AckFile.objects.filter(pk=row.pk).update(seen_at=row.seen_at - timedelta(seconds=after_s))
    ack_poller.poll(connection.pk)
    return AckFile.objects.get()


def test_an_erp_that_writes_its_file_30_seconds_after_creating_it_is_waited_for(
    sent: ERPExport, connection: ERPConnection, path: Path
) -> None:
    """A2."""
    assert look(connection).verdict == "INCOMPLETE"
    assert look(connection, after_s=1).verdict == "INCOMPLETE"
    assert look(connection, after_s=19).verdict == "UNREAD"
    path.write_text(ACKED)
    assert look(connection, after_s=20).verdict == "MATCHED"
    sent.refresh_from_db()
    assert sent.status == "ACKED"


def test_a_file_that_stays_the_same_is_reported_at_the_second_look_and_moved_after_an_interval(
    connection: ERPConnection, path: Path, organization: Organization
) -> None:
    """A2."""
    look(connection)
    row = look(connection, after_s=growing.SECOND_LOOK_S)
    detector.compare()
    assert Incident.objects.get(closed_at=None).kind == "ACKS"
    assert path.exists()
    page = log_in(organization, Role.OPS).get(page_url(row)).content.decode()
    assert "it is moved to error/ after" in page
    unresolved_acks.resolve(row, actor="ops")
    row = look(connection, after_s=1)
    assert (row.verdict, row.resolved_by, path.exists()) == ("UNREAD", "ops", True)
    row = look(connection, after_s=39)
    assert (row.verdict, row.resolved_by, path.exists()) == ("MALFORMED", "", False)
    assert (path.parent / "error" / path.name).exists()


def test_an_upload_that_stalls_is_moved_an_interval_after_its_last_byte(connection: ERPConnection, path: Path) -> None:
    """A2."""
    look(connection)
    look(connection, after_s=30)
    path.write_text(ACKED[:10])
    assert look(connection, after_s=30).verdict == "INCOMPLETE"
    assert look(connection, after_s=25).verdict == "UNREAD"
    assert path.exists()
    assert look(connection, after_s=35).verdict == "MALFORMED"


def test_a_damaged_file_that_is_written_again_is_waited_for_as_long(connection: ERPConnection, path: Path) -> None:
    """A2: its beginning has been put aside before."""
    look(connection)
    look(connection, after_s=60)
    assert not path.exists()
    path.touch()
    for _ in range(2):
        look(connection, after_s=25)
        assert path.exists()
    look(connection, after_s=35)
    assert not path.exists()
    assert AckFile.objects.get().seen_at > timezone.now() - timedelta(seconds=120)
