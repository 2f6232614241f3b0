"""The parts of pages that are loaded again while a person looks: the dashboard, an export, an order's exports."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connectors.connections import health
from connectors.models import ERPConnection
from exports import ack_poller
from exports.bulk.models import BulkJob
from exports.delivery import drain
from exports.incidents import detector
from exports.models import ERPExport
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.support.tenants import log_in, make_tenant, page_url

HTMX = {"HX-Request": "true"}
CHANGED = "Its state has changed since this page was loaded."


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.OPS)


def text_of(client: Client, url: str) -> str:
    answer = client.get(url, headers=HTMX)
    assert answer.status_code == 200
    assert "HX-Refresh" not in answer.headers
    return answer.content.decode()


def loaded_again(page: str, name: str) -> list[str]:
    """The address that the element of that id loads again; empty if it does not."""
    (tag,) = re.findall(rf'<div id="{name}"[^>]*>', page)
    return [url.replace("&amp;", "&") for url in re.findall(r'hx-get="([^"]+)"', tag)]


def inputs(text: str) -> list[str]:
    return re.findall(r"<(?:input|select|textarea|form|button)\b", text)


def test_the_dashboard_loads_what_is_open_now(client: Client, push: Push, connection: ERPConnection) -> None:
    push()
    page = client.get(reverse("admin:index")).content.decode()
    (url,) = loaded_again(page, "dashboard")
    assert "Connection blocked:" not in page
    health.block(connection.pk, "The log-in was refused.")
    detector.compare()
    now = text_of(client, url)
    assert "Connection blocked:" in now
    assert "1 pending, the oldest for" in now
    assert "<html" not in now
    assert inputs(now) == []


def test_what_is_loaded_again_takes_no_message_from_another_page(client: Client, push: Push) -> None:
    """They are for the page that a person's own request leads to."""
    export = push()
    client.post(page_url(export, "do", "give_up"), {"reason": "x"})
    text_of(client, reverse("dashboard_now"))
    assert "1 refused." in client.get(page_url(export)).content.decode()


def test_where_the_session_has_ended_the_whole_page_is_loaded_again(client: Client, push: Push) -> None:
    export = push()
    job = BulkJob.objects.create(
        organization=export.organization, kind=BulkJob.Kind.PUSH, asked_by="ops", asked_at=timezone.now(), total=1
    )
    addresses = [
        reverse("dashboard_now"),
        page_url(export, "standing"),
        page_url(export.draft_order, "exports"),
        page_url(job, "progress"),
    ]
    for url in addresses:
        answer = Client().get(url, headers=HTMX)
        assert (answer.status_code, answer.headers["HX-Refresh"], answer.content) == (200, "true", b"")
        assert Client().get(url).status_code == 302


def test_nothing_of_another_organization_is_loaded(client: Client, push: Push) -> None:
    """S1."""
    push()
    globex = make_tenant("globex")
    assert "globex" not in text_of(client, reverse("dashboard_now")).lower()
    for url in (page_url(globex.export, "standing"), page_url(globex.order, "exports")):
        assert client.get(url, headers=HTMX).status_code == 404


def test_an_export_is_loaded_again_until_it_is_finished(
    client: Client, push: Push, connection: ERPConnection, folder: Path
) -> None:
    export = push()
    (url,) = loaded_again(client.get(page_url(export)).content.decode(), "standing")
    now = text_of(client, url)
    assert "It goes as soon as its connection can be used" in now
    assert loaded_again(now, "standing") == [url]
    assert CHANGED not in now
    drain.drain(connection.pk)
    now = text_of(client, url)
    assert "It was put where the ERP picks it up" in now
    assert 'id="timeline" hx-swap-oob="true"' in now
    assert ">Sent<" in re.sub(r"\s+", "", now)
    assert CHANGED in now
    assert f'href="{page_url(export)}"' in now
    assert loaded_again(now, "standing") == [url]
    body = {"status": "ACKED", "erp_order_id": "SO-1", "processed_at": "2026-11-23T10:01:00Z"}
    (folder / "acks" / f"ack_{export.filename}").write_text(json.dumps(body))
    ack_poller.poll(connection.pk)
    now = text_of(client, url)
    assert "The ERP has it as SO-1" in now
    assert loaded_again(now, "standing") == []
    assert inputs(now) == []
    assert loaded_again(client.get(page_url(export)).content.decode(), "standing") == []


def test_an_export_that_no_acknowledgement_is_awaited_of_is_finished_when_it_is_sent(
    client: Client, sent: ERPExport
) -> None:
    ERPExport.objects.update(answer_due_at=None)
    assert loaded_again(client.get(page_url(sent)).content.decode(), "standing") == []
    ERPExport.objects.update(answer_due_at=timezone.now() + timedelta(hours=1))
    assert loaded_again(client.get(page_url(sent)).content.decode(), "standing") != []


def test_an_orders_exports_are_loaded_again_while_it_is_pushing(
    client: Client, push: Push, connection: ERPConnection
) -> None:
    order: DraftOrder = push().draft_order
    (url,) = loaded_again(client.get(page_url(order)).content.decode(), "exports-of-order")
    now = text_of(client, url)
    assert "Pending" in now
    assert CHANGED not in now
    assert inputs(now) == []
    drain.drain(connection.pk)
    now = text_of(client, url)
    assert "Sent" in now
    assert CHANGED in now
    assert loaded_again(now, "exports-of-order") == []
    assert loaded_again(client.get(page_url(order)).content.decode(), "exports-of-order") == []
