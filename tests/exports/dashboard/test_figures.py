from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from connectors.models import ERPConnection
from exports.admin.durations import duration_text
from exports.dashboard import figures
from exports.dashboard.figures import Figures
from exports.models import ERPExport
from exports.models.status import ExportStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.support.tenants import make_tenant, make_user

S = ExportStatus


@pytest.fixture
def person(organization: Organization) -> User:
    return make_user(organization, Role.VIEWER, "viewer")


def put(export: ERPExport, *, ago: timedelta, **fields: Any) -> None:
    ERPExport.objects.filter(pk=export.pk).update(created_at=timezone.now() - ago, **fields)


def totals(found: Figures) -> dict[str, int]:
    return {status: found.total(status) for status in S if found.total(status)}


def test_every_export_of_the_last_hours_is_in_one_bar(person: User, push: Push) -> None:
    for hours, status in ((0, S.PENDING), (1, S.SENT), (5, S.FAILED), (5, S.ACKED), (22, S.ACKED), (25, S.ACKED)):
        put(push(), ago=timedelta(hours=hours), status=status)
    found = figures.of(person)
    assert totals(found) == {S.PENDING: 1, S.SENT: 1, S.FAILED: 1, S.ACKED: 2}
    assert len(found.hours) == figures.HOURS
    assert found.hours[-1].begins <= found.at < found.hours[-1].begins + timedelta(hours=1)
    assert [hour.counts for hour in found.hours[-6:-5]] == [{S.PENDING: 0, S.SENT: 0, S.FAILED: 1, S.ACKED: 1}]
    assert found.hours[-1].counts[S.PENDING] == 1


def test_hours_begin_at_the_same_instant_in_every_time_zone(person: User, push: Push) -> None:
    with timezone.override("Asia/Kolkata"):
        put(push(), ago=timedelta(hours=3))
        assert totals(figures.of(person)) == {S.PENDING: 1}


@pytest.mark.parametrize(("seconds", "median", "p95"), [([4], 4, 4), ([1, 3], 2, 2.9), ([1, 2, 3, 4, 100], 3, 80.8)])
def test_the_times_are_those_of_the_middle_and_of_nearly_all(
    person: User, push: Push, seconds: list[int], median: float, p95: float
) -> None:
    for took in seconds:
        export = push()
        sent_at = export.created_at + timedelta(seconds=took)
        ERPExport.objects.filter(pk=export.pk).update(status=S.SENT, sent_at=sent_at)
    found = figures.of(person)
    assert found.to_sent is not None
    assert (found.to_sent.median, found.to_sent.p95) == (timedelta(seconds=median), timedelta(seconds=p95))
    assert found.to_acked is None


def test_an_hour_is_counted_so_far_and_no_further(person: User, push: Push, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "COUNTED", 3)
    for count, is_cut in ((2, False), (3, True)):
        put(push(), ago=timedelta(hours=2), status=S.ACKED)
        put(push(), ago=timedelta(hours=2), status=S.ACKED)
        found = figures.of(person)
        assert (totals(found), found.is_cut) == ({S.ACKED: count}, is_cut)


def test_the_time_to_the_answer_counts_from_the_push(person: User, push: Push) -> None:
    put(push(), ago=timedelta(hours=1), status=S.ACKED, settled_at=timezone.now())
    found = figures.of(person)
    assert found.to_acked is not None
    assert abs(found.to_acked.median - timedelta(hours=1)) < timedelta(seconds=10)
    assert found.to_sent is None


def test_what_waits_and_what_is_late(person: User, push: Push, connection: ERPConnection) -> None:
    for hours in (1, 40):
        put(push(), ago=timedelta(hours=hours))
    now = timezone.now()
    put(push(), ago=timedelta(days=3), status=S.SENT, answer_due_at=now - timedelta(hours=1))
    put(push(), ago=timedelta(days=3), status=S.SENT, answer_due_at=now + timedelta(hours=1))
    put(push(), ago=timedelta(days=3), status=S.SENT)
    found = figures.of(person)
    (way,) = found.ways
    assert (way.connection, way.pending, way.overdue, found.overdue) == (connection, 2, 1, 1)
    assert found.oldest_pending == way
    assert way.oldest_pending is not None
    assert timedelta(hours=39) < found.at - way.oldest_pending < timedelta(hours=41)


def test_nothing_at_all(person: User) -> None:
    found = figures.of(person)
    assert found.is_new
    assert (found.ways, found.oldest_pending, found.overdue, found.to_sent) == ((), None, 0, None)
    assert found.open_work.is_nothing
    assert totals(found) == {}


def test_a_person_sees_the_own_organization_and_a_superuser_all(person: User, push: Push) -> None:
    """S1."""
    push()
    make_tenant("globex")
    assert [way.connection.name for way in figures.of(person).ways] == ["Folder"]
    assert totals(figures.of(person)) == {S.PENDING: 1}
    everything = figures.of(User.objects.create_superuser("root"))
    assert [way.connection.name for way in everything.ways] == ["Folder", "globex folder"]
    assert totals(everything) == {S.PENDING: 2}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"), (0.067, "67 ms"), (1, "1.0 s"), (9.94, "9.9 s"), (42.4, "42 s"), (200, "3 min 20 s"),
        (3600, "1 h 0 min"), (7_500, "2 h 5 min"), (90_000, "1 d 1 h"),
    ],
)  # fmt: skip
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == words
