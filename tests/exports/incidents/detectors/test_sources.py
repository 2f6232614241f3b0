"""A source of incidents that fails hides nothing of the others, and no e-mail waits for it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models import F

from connectors.connections import health
from connectors.models import ERPConnection
from exports.incidents import detector
from exports.incidents.detectors import sources
from exports.incidents.detectors.connections import Trouble
from exports.incidents.models import Incident
from exports.incidents.tasks import watch as watch_task
from orderflow.heartbeats.models import Fault
from orderflow.tenancy.models import Organization
from tests.servers.smtp import Mailbox

Kind = Incident.Kind


class Odd(Exception):
    """What no source is expected to raise."""


def _odd() -> Iterator[Trouble]:
    yield from ()
    raise Odd("/srv/secret/place")


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source of certificates fails, and it is asked first."""
    listed = [each for each in sources.every() if Kind.CERT not in each.kinds]
    odd = sources.Source(name="certificates", kinds=frozenset({Kind.CERT}), find=_odd)
    monkeypatch.setattr(sources, "every", lambda: [odd, *listed])


def open_kinds() -> list[str]:
    return sorted(Incident.objects.filter(closed_at=None).values_list("kind", flat=True))


@pytest.mark.usefixtures("recipient", "odd")
def test_a_source_that_fails_stops_neither_the_others_nor_the_mails(
    mailbox: Mailbox, connection: ERPConnection, organization: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    Incident.objects.create(
        organization=organization, kind=Kind.CERT, subject="certificate", opened_at=connection.created_at
    )
    health.block(connection.pk, "The log-in was refused.")
    watch_task()
    assert open_kinds() == [Kind.BLOCKED, Kind.CERT]
    assert len(mailbox.mails) == 2
    (logged,) = [each for each in caplog.records if each.name == sources.__name__]
    assert logged.exc_info
    assert logged.exc_info[0] is Odd


def test_a_source_that_fails_for_long_is_reported_without_its_reason_until_it_works(
    connection: ERPConnection, odd: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector.compare()
    assert open_kinds() == []
    Fault.objects.update(since=F("since") - sources.FAILS_FOR - timedelta(seconds=1))
    detector.compare()
    incident = Incident.objects.get()
    assert (incident.kind, incident.label) == (Kind.STOPPED, "alerts about certificates")
    assert "Ask the server's administrator" in incident.reason
    assert "/srv/secret" not in incident.reason
    monkeypatch.undo()
    detector.compare()
    assert (open_kinds(), Fault.objects.count()) == ([], 0)


def test_every_kind_of_incident_has_one_source() -> None:
    kinds = [kind for source in sources.every() for kind in source.kinds]
    assert sorted(kinds) == sorted(Kind.values)


def test_mails_are_sent_though_the_comparison_fails(
    mailbox: Mailbox, recipient: object, connection: ERPConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    health.block(connection.pk, "The log-in was refused.")
    detector.compare()

    def fails() -> None:
        raise Odd

    monkeypatch.setattr(detector, "compare", fails)
    with pytest.raises(Odd):
        watch_task()
    assert len(mailbox.mails) == 1
