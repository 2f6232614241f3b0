"""When a waiting export is attempted next: in the list, on its page, in the API."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.test import APIClient

from connectors.connections import health
from connectors.models import ERPConnection
from exports.admin import timeline
from exports.decisions import next_attempt
from exports.models import ERPExport, Installation
from exports.rollback import guard
from orderflow.admin.formatting import local_time
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.support.tenants import list_url, log_in, page_url


def planned(export: ERPExport, at: datetime | None, *, paused_until: datetime | None = None) -> ERPExport:
    ERPExport.objects.filter(pk=export.pk).update(next_attempt_at=at)
    ERPConnection.objects.update(paused_until=paused_until)
    return ERPExport.objects.select_related("connection").get(pk=export.pk)


def pages(organization: Organization, export: ERPExport) -> list[str]:
    client = log_in(organization, Role.OPS)
    return [client.get(url).content.decode() for url in (list_url(ERPExport), page_url(export))]


@pytest.mark.parametrize(("own", "pause"), [(5, 60), (60, 5), (None, 5), (-1, 5), (5, None), (5, -1)])
def test_it_is_the_later_of_its_own_time_and_the_end_of_the_pause(
    push: Push, organization: Organization, api: APIClient, own: int | None, pause: int | None
) -> None:
    """A12."""
    now = timezone.now()
    at, until = (None if each is None else now + timedelta(minutes=each) for each in (own, pause))
    export = planned(push(), at, paused_until=until)
    expected = max(each for each in (at, until) if each)
    assert next_attempt.planned_at(export) == expected
    assert all(local_time(expected) in page for page in pages(organization, export))
    shown = api.get(f"/api/v1/exports/{export.pk}/").json()["next_attempt_at"]
    assert abs(parse_datetime(shown) - expected) < timedelta(milliseconds=1)  # type: ignore[operator] # it is a time


@pytest.mark.parametrize("own", [None, -10])
def test_a_time_in_the_past_is_never_shown(
    push: Push, organization: Organization, api: APIClient, own: int | None
) -> None:
    at = None if own is None else timezone.now() + timedelta(seconds=own)
    export = planned(push(), at, paused_until=timezone.now() - timedelta(seconds=1))
    assert next_attempt.planned_at(export) is None
    assert "as soon as a worker is free" in pages(organization, export)[0]
    assert "It goes as soon as its connection can be used" in timeline.standing(export)
    assert api.get(f"/api/v1/exports/{export.pk}/").json()["next_attempt_at"] is None


def blocked(export: ERPExport) -> None:
    health.block(export.connection_id, "The log-in was refused.")


def disabled(_export: ERPExport) -> None:
    ERPConnection.objects.update(status=ERPConnection.Status.DISABLED)


def in_doubt(export: ERPExport) -> None:
    ERPExport.objects.filter(pk=export.pk).update(undecided_since=timezone.now(), next_attempt_at=None)


def all_held(_export: ERPExport) -> None:
    guard.installation_row()
    Installation.objects.update(held_since=timezone.now(), held_because="A restored backup.")


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (blocked, "when the connection is released"),
        (disabled, "when the connection is enabled"),
        (in_doubt, "when someone has decided"),
        (all_held, "when deliveries are released"),
    ],
)
def test_what_a_person_has_to_do_first_is_named(
    push: Push, organization: Organization, api: APIClient, what: Any, text: str
) -> None:
    export = planned(push(), timezone.now() + timedelta(hours=1), paused_until=timezone.now() + timedelta(minutes=5))
    what(export)
    assert all(text in page for page in pages(organization, export))
    assert api.get(f"/api/v1/exports/{export.pk}/").json()["next_attempt_at"] is None


def test_what_is_settled_has_none(sent: ERPExport, organization: Organization) -> None:
    export = planned(sent, None, paused_until=timezone.now() + timedelta(minutes=5))
    assert next_attempt.planned_at(export) is None
    assert next_attempt.shown(export, all_held=False) == "-"
