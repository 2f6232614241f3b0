"""All times of a page are those of TIME_ZONE."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db.models import QuerySet
from django.urls import reverse

from connectors.models import ConnectionEvent, ConnectionTest, ERPConnection
from exports.models import AckFile, ERPExport, ExportEvent
from exports.webhooks.models import WebhookMessage, WebhookTry
from orderflow.heartbeats import standstill
from orderflow.heartbeats.models import Heartbeat
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.support.tenants import Tenant, list_url, log_in, make_tenant, page_url

# In Vienna it is one hour later, and another day.
AT = datetime(2026, 11, 23, 23, 41, 7, tzinfo=UTC)
UTC_SHOWN, VIENNA_SHOWN = "23:41", "00:41"


@pytest.fixture
def acme(db: None, settings: Any) -> Tenant:
    """Everything in it happened at `AT`."""
    settings.TIME_ZONE = "Europe/Vienna"
    tenant = make_tenant("acme")
    connection = tenant.connection
    ConnectionEvent.objects.create(connection=connection, kind="PAUSED", message="x", at=AT)
    ConnectionTest.objects.create(
        connection=connection, organization=tenant.organization, asked_by="ops", asked_at=AT, has_edits=False,
        state="FAILED", started_at=AT, ended_at=AT,
    )  # fmt: skip
    WebhookTry.objects.create(message=tenant.message, at=AT, duration_ms=1)
    Organization.objects.update(created_at=AT)
    DraftOrder.objects.update(created_at=AT, updated_at=AT, approved_at=AT, approved_by="olga")
    ERPConnection.objects.update(last_test_at=AT, blocked_at=AT, created_at=AT)
    ERPExport.objects.update(created_at=AT, sent_at=AT, next_attempt_at=AT, answer_due_at=AT, settled_at=AT)
    # Not by their own query sets, which change nothing that is past.
    QuerySet(ExportEvent).update(at=AT)
    QuerySet(AuditEntry).update(at=AT)
    AckFile.objects.update(seen_at=AT)
    WebhookMessage.objects.update(created_at=AT, settled_at=AT)
    return tenant


def test_every_page_shows_local_times_only(acme: Tenant) -> None:
    """A6. The page of each row, its history, and each list."""
    client = log_in(acme.organization, Role.ADMIN)
    shown = 0
    for model, row in acme.rows.items():
        for url in (page_url(row), page_url(row, "history"), list_url(model)):
            page = client.get(url).content.decode()
            assert UTC_SHOWN not in page, url
            shown += VIENNA_SHOWN in page
    assert shown > 10
    assert "2026-11-24 00:41 by olga" in client.get(page_url(acme.order)).content.decode()


def test_the_dashboard_tells_a_standstill_in_local_time(acme: Tenant) -> None:
    """A6."""
    Heartbeat.objects.update_or_create(name="beat", defaults={"at": AT, "running_since": AT})
    page = log_in(acme.organization).get(reverse("admin:index")).content.decode()
    assert "2026-11-24 00:41:07 CET" in page
    assert UTC_SHOWN not in page
    assert [each for each in standstill.found() if each.component == "beat"]


def test_what_a_row_is_called_has_a_local_time(acme: Tenant) -> None:
    """A6."""
    rows = (ConnectionEvent, ConnectionTest, ExportEvent, WebhookTry)
    for model in rows:
        assert "2026-11-24 00:41:07" in str(model._default_manager.first()), model


def test_dates_without_a_time_are_loaded_with_no_warning_about_the_zone(acme: Tenant) -> None:
    """A7. tests/system/browser sees that none is shown."""
    page = log_in(acme.organization, Role.OPS).get(list_url(DraftOrder, "add")).content.decode()
    assert "tenancy/dates.js" in page
