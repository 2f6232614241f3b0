"""The journal outside the database: an incident where it is not written, so that a rollback would not be noticed."""

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F, Value
from django.db.models.functions import Concat, Now
from django.test import Client

from connectors.models import ERPConnection
from exports import tasks
from exports.delivery import drain
from exports.incidents import detector
from exports.incidents.detectors import journal_places
from exports.incidents.models import Incident
from exports.incidents.tasks import watch as watch_task
from exports.rollback import guard, journal_storage, place_faults
from orderflow.heartbeats.models import Fault
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.servers.smtp import Mailbox
from tests.support.tenants import log_in, log_in_superuser, page_url

MACHINE = socket.gethostname()
OFF = journal_places.OFF


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place_faults, "_written", {})
    monkeypatch.setattr(journal_storage, "REST_S", 0)
    journal_storage.process().archive_rests_until = 0


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def state(settings: Any) -> Path:
    return Path(settings.STATE_DIR)


def break_(*places: Path) -> None:
    for place in places:
        place.write_text("This is no folder.")


def open_labels() -> list[str]:
    detector.compare()
    rows = Incident.objects.filter(closed_at=None, kind=Incident.Kind.JOURNAL)
    return sorted(rows.values_list("label", flat=True))


def for_long() -> None:
    Fault.objects.update(since=F("since") - journal_places.ONE_FAILS_FOR - timedelta(seconds=1))


@pytest.mark.usefixtures("recipient")
def test_orders_that_leave_while_no_place_takes_the_journal_are_reported_at_once_until_one_does(  # noqa: PLR0917
    mailbox: Mailbox, push: Push, connection: ERPConnection, organization: Organization, storage: Path, state: Path
) -> None:
    break_(storage, state)
    export = push()
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert export.status == "SENT"
    for _ in range(2):
        watch_task()
    assert mailbox.subjects == [f"[OrderFlow] Acme, {OFF}: restored backups not noticed"]
    text = mailbox.mails[0].get_content()
    assert "OrderFlow does not notice it and sends orders a second time." in text.replace("\n", " ")
    assert "Ask the server's administrator; the log has the details." in text.replace("\n", " ")
    page_of_it = page_url(Incident.objects.get())
    for seen in (text, log_in(organization, Role.ADMIN).get(page_of_it).content.decode()):
        assert MACHINE not in seen
        assert str(state) not in seen
    details = log_in_superuser().get(page_of_it).content.decode()
    assert f"Machine {MACHINE}: " in details
    assert "STATE_DIR: " in details
    assert "recover --distrust" in text
    page = log_in(organization, Role.OPS).get("/admin/").content.decode()
    assert "Restored backups not noticed:" in page
    assert "nothing else is open" not in page
    storage.unlink()
    push()
    drain.drain(connection.pk)
    assert open_labels() == []
    for_long()
    assert open_labels() == ["STATE_DIR"]
    state.unlink()
    push()
    drain.drain(connection.pk)
    assert (open_labels(), Fault.objects.count()) == ([], 0)


def test_places_that_are_unusable_are_reported_before_anything_is_sent(
    connection: ERPConnection, storage: Path, state: Path
) -> None:
    break_(storage, state)
    tasks.store_copies()
    assert open_labels() == [OFF]
    state.unlink()
    tasks.store_copies()
    assert open_labels() == []


def test_one_place_that_fails_for_a_moment_is_no_incident(connection: ERPConnection, storage: Path) -> None:
    break_(storage)
    tasks.store_copies()
    assert open_labels() == []
    for_long()
    assert open_labels() == [place_faults.STORAGE]
    storage.unlink()
    tasks.store_copies()
    assert open_labels() == []


def test_the_check_ends_what_a_process_reported_that_has_ended(
    connection: ERPConnection, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_(state)
    tasks.store_copies()
    assert Fault.objects.count() == 1
    monkeypatch.setattr(place_faults, "_written", {})
    state.unlink()
    tasks.store_copies()
    assert Fault.objects.count() == 0


def test_a_machine_that_is_not_in_use_any_more_is_forgotten(
    connection: ERPConnection, storage: Path, state: Path
) -> None:
    break_(storage, state)
    tasks.store_copies()
    assert open_labels() == [OFF]
    Fault.objects.update(at=F("at") - timedelta(seconds=place_faults.FORGOTTEN_AFTER_S + 1))
    assert open_labels() == []


def test_what_one_machine_can_write_does_not_end_what_another_cannot(connection: ERPConnection, state: Path) -> None:
    break_(state)
    tasks.store_copies()
    for_long()
    Fault.objects.update(name=Concat("name", Value("2")))
    state.unlink()
    tasks.store_copies()
    assert open_labels() == ["STATE_DIR"]


def test_the_probe_is_unaffected(connection: ERPConnection, storage: Path, state: Path, client: Client) -> None:
    """The web serves pages whatever becomes of the journal."""
    break_(storage, state)
    before = client.get("/readyz").content
    tasks.store_copies()
    assert client.get("/readyz").content == before


def test_what_failed_once_and_was_not_seen_again_begins_no_incident(connection: ERPConnection, storage: Path) -> None:
    break_(storage)
    tasks.store_copies()
    for_long()
    Fault.objects.update(at=F("at") - journal_places.RECENT)
    assert open_labels() == []
    Fault.objects.update(at=Now())
    assert open_labels() == [place_faults.STORAGE]


def test_a_check_for_a_rollback_that_cannot_read_the_storage_is_no_failed_write(
    connection: ERPConnection, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_storage, "REST_S", 60)
    break_(storage)
    guard.look()
    assert journal_storage.process().archive_rests_until > 0
    assert Fault.objects.count() == 0
    # An entry that is not written because the storage rests is not there.
    tasks.store_copies()
    assert place_faults.parts_of(Fault.objects.get())[0] == place_faults.STORAGE
