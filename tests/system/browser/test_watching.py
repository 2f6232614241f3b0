"""How people see what became of their orders, and mend what failed."""

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from connectors.connections import health
from connectors.models import ERPConnection
from exports import ack_poller, push_service
from exports.bulk import jobs
from exports.bulk.models import BulkJob
from exports.delivery import drain
from exports.incidents import detector
from exports.models import ERPExport
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus
from exports.push_service import PushRequest
from orderflow.celery import app
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.support.tenants import page_url
from tests.system.browser.conftest import PageAs
from tests.system.browser.looks import Gallery

S = ExportStatus


@pytest.fixture(autouse=True)
def nobody_works() -> Iterator[None]:
    """What the pages wake is done by the test itself; no later test shall find its messages."""
    yield
    app.control.purge()


def push(order: DraftOrder) -> ERPExport:
    return push_service.push(PushRequest(order=order, actor="ops@acme"))


def answer(folder: Path, export: ERPExport, **body: str) -> None:
    kind = "ack" if body["status"] == "ACKED" else "error"
    text = json.dumps({**body, "processed_at": "2026-11-23T10:01:00Z"}, indent=2)
    (folder / "acks" / f"{kind}_{export.filename}").write_text(text + "\n")


def refuse(folder: Path, export: ERPExport, customer: str) -> None:
    answer(folder, export, status="FAILED", error_code="UNKNOWN_CUSTOMER", message=f"Unknown customer {customer}")


def grown(export: ERPExport, begins: datetime, status: ExportStatus) -> None:
    """As if it had been pushed then."""
    sent_at, settled_at = begins + timedelta(seconds=3), begins + timedelta(minutes=4)
    fields = {"created_at": begins, "sent_at": sent_at, "settled_at": settled_at if status == S.ACKED else None}
    ERPExport.objects.filter(pk=export.pk).update(status=status, **fields)


def a_day(make_order: MakeOrder, count: int) -> None:
    drawn = random.Random(6)  # noqa: S311 - the same picture each time
    now = timezone.now()
    for number in range(count):
        begins = now - timedelta(hours=23 * drawn.betavariate(2, 1.4), minutes=10)
        grown(push(make_order()), begins, S.ACKED if number % 12 else S.SENT)


def test_an_order_is_pushed_and_becomes_acked(
    page_as: PageAs, connection: ERPConnection, folder: Path, make_order: MakeOrder, gallery: Gallery
) -> None:
    order = make_order()
    page = page_as(Role.OPS)
    page.goto(page_url(order))
    page.get_by_role("button", name="Push").click()
    page.get_by_role("link", name="sales_order_").click()
    export = ERPExport.objects.get()
    expect(page.get_by_text("It goes as soon as its connection can be used")).to_be_visible()
    expect(page.get_by_text("No copy is stored yet.")).to_be_visible()
    drain.drain(connection.pk)
    page.reload()
    expect(page.get_by_text("It was put where the ERP picks it up")).to_be_visible()
    answer(folder, export, status="ACKED", erp_order_id="SO-2026-000123")
    ack_poller.poll(connection.pk)
    page.reload()
    expect(page.get_by_text("The ERP has it as SO-2026-000123")).to_be_visible()
    expect(page.locator("pre", has_text='"erp_order_id": "SO-2026-000123"')).to_be_visible()
    gallery.look_at(page, "export")


def test_the_document_is_copied_and_downloaded_byte_by_byte(
    page_as: PageAs, connection: ERPConnection, make_order: MakeOrder
) -> None:
    export = push(make_order())
    drain.drain(connection.pk)
    page = page_as(Role.VIEWER)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(page_url(export))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the exact bytes").click()
    content = Path(download.value.path()).read_bytes()
    assert download.value.suggested_filename == export.filename
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == content.decode()


@pytest.mark.parametrize("role", [Role.ADMIN, Role.VIEWER])
def test_a_new_installation(page_as: PageAs, role: Role, gallery: Gallery) -> None:
    page = page_as(role)
    page.goto("/admin/")
    expect(page.get_by_text("Nothing was pushed yet.")).to_be_visible()
    gallery.look_at(page, f"first-steps-{role.lower()}")


def test_a_failing_group_is_found_and_retried_at_once(
    page_as: PageAs, connection: ERPConnection, folder: Path, make_order: MakeOrder, gallery: Gallery
) -> None:
    exports = [push(make_order()) for _ in range(3)]
    drain.drain(connection.pk)
    for number, export in enumerate(exports):
        refuse(folder, export, str(4711 + number))
    ack_poller.poll(connection.pk)
    page = page_as(Role.OPS)
    page.goto("/admin/")
    expect(page.get_by_role("link", name="Refused by the ERP: UNKNOWN_CUSTOMER × 3")).to_be_visible()
    page.get_by_role("link", name="Retry all 3").click()
    expect(page.get_by_text("3 exports over Folder failed for this cause.")).to_be_visible()
    gallery.look_at(page, "retry-failures")
    page.get_by_role("button", name="Yes, retry 3").click()
    jobs.run(BulkJob.objects.get().pk)
    expect(page.get_by_text("3 of 3: 3 went, 0 refused, 0 left.")).to_be_visible()
    page.goto("/admin/")
    expect(page.get_by_text("No failed exports.")).to_be_visible()
    assert ERPExport.objects.filter(supersedes__in=exports, status=S.PENDING).count() == 3


def test_an_unreadable_ack_is_on_the_dashboard_until_someone_resolves_it(  # noqa: PLR0917
    page_as: PageAs, connection: ERPConnection, folder: Path, make_order: MakeOrder, gallery: Gallery, settings: Any
) -> None:
    settings.ACK_POLL_INTERVAL_S = 0
    export = push(make_order())
    drain.drain(connection.pk)
    (folder / "acks" / f"error_{export.filename}").write_text('{"status": "FAIL')
    for _ in range(3):
        ack_poller.poll(connection.pk)
    detector.compare()
    page = page_as(Role.OPS)
    page.goto("/admin/")
    page.get_by_role("link", name="1 unreadable acknowledgement").click()
    page.get_by_role("link", name=f"error_{export.filename}").click()
    gallery.look_at(page, "open-ack")
    page.get_by_role("button", name="Mark as resolved").click()
    expect(page.get_by_text("marked as resolved.")).to_be_visible()
    detector.compare()
    page.goto("/admin/notices/incident/")
    expect(page.get_by_role("cell", name="Resolved")).to_be_visible()
    gallery.look_at(page, "incidents")
    page.goto("/admin/")
    expect(page.get_by_text("unreadable acknowledgement")).to_have_count(0)


@pytest.fixture
def eventful(
    organization: Organization, connection: ERPConnection, folder: Path, make_order: MakeOrder
) -> list[ERPExport]:
    """A day with a bit of everything; the exports that failed."""
    a_day(make_order, 120)
    failed = [push(make_order()) for _ in range(7)]
    drain.drain(connection.pk)
    for number, export in enumerate(failed):
        refuse(folder, export, str(4711 + number))
    ack_poller.poll(connection.pk)
    late = push(make_order())
    grown(late, timezone.now() - timedelta(hours=20), S.SENT)
    ERPExport.objects.filter(pk=late.pk).update(answer_due_at=timezone.now() - timedelta(hours=1))
    blocked = ERPConnection.objects.create(
        organization=organization,
        name="SFTP of the head office",
        connector_type="DROPZONE_JSON_V1",
        config_encrypted=b"",
    )
    for _ in range(4):
        export = push_service.push(PushRequest(order=make_order(), actor="ops@acme", connection=blocked))
        ERPExport.objects.filter(pk=export.pk).update(created_at=timezone.now() - timedelta(minutes=95))
    health.block(blocked.pk, "sftp.acme.example refused the log-in of 'orders'. Check user name and password.")
    given_up = push(make_order())
    ERPExport.objects.filter(pk=given_up.pk).move(
        S.PENDING,
        S.FAILED,
        settled_at=timezone.now(),
        cause=Cause.GIVEN_UP,
        error_message="Given up by ops.",
    )
    DraftOrder.objects.filter(pk=given_up.draft_order_id).move(OrderStatus.PUSHING, OrderStatus.ERROR)
    detector.compare()
    return failed


@pytest.mark.pictures
def test_the_dashboard_after_a_day_with_a_bit_of_everything(
    page_as: PageAs, eventful: list[ERPExport], gallery: Gallery
) -> None:
    page = page_as(Role.OPS)
    page.goto("/admin/")
    expect(page.get_by_text("Refused by the ERP: UNKNOWN_CUSTOMER × 7")).to_be_visible()
    expect(page.get_by_text("Connection blocked:")).to_be_visible()
    expect(page.locator("canvas.chart")).to_be_visible()
    assert drawn(page)
    gallery.look_at(page, "dashboard")
    gallery.show(page, "dashboard")


@pytest.mark.pictures
def test_the_page_of_an_export_that_was_retried(
    page_as: PageAs, connection: ERPConnection, folder: Path, make_order: MakeOrder, gallery: Gallery
) -> None:
    first = push(make_order())
    drain.drain(connection.pk)
    refuse(folder, first, "4711")
    ack_poller.poll(connection.pk)
    again = push_service.retry(PushRequest(order=first.draft_order, actor="ops@acme", connection=connection))
    drain.drain(connection.pk)
    answer(folder, again, status="ACKED", erp_order_id="SO-2026-000123")
    ack_poller.poll(connection.pk)
    page = page_as(Role.OPS)
    page.goto(page_url(first))
    expect(page.get_by_text("Unknown customer 4711").first).to_be_visible()
    gallery.look_at(page, "export-failed")
    page.get_by_role("link", name=again.filename).click()
    expect(page.get_by_role("link", name=first.filename)).to_be_visible()
    gallery.show(page, "export")


def drawn(page: Page) -> bool:
    """Whether the chart has a pixel."""
    pixels: bool = page.evaluate(
        "(() => { const c = document.querySelector('canvas.chart');"
        " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(value => value) })()"
    )
    return pixels


def test_an_export_is_followed_without_loading_its_page_again(
    page_as: PageAs, connection: ERPConnection, folder: Path, make_order: MakeOrder
) -> None:
    export = push(make_order())
    drain.drain(connection.pk)
    page = page_as(Role.OPS)
    page.goto(page_url(export))
    expect(page.get_by_text("It was put where the ERP picks it up")).to_be_visible()
    give_up = page.get_by_role("button", name="Give up…")
    expect(give_up).to_be_visible()
    answer(folder, export, status="ACKED", erp_order_id="SO-2026-000123")
    ack_poller.poll(connection.pk)
    expect(page.get_by_text("The ERP has it as SO-2026-000123")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Its state has changed since this page was loaded.")).to_be_visible()
    assert page.locator("#timeline").get_by_text("SO-2026-000123").count() == 1
    page.get_by_role("link", name="Load the page again").click()
    expect(give_up).to_have_count(0)


def test_the_dashboard_is_refreshed_while_it_is_in_view(
    page_as: PageAs, connection: ERPConnection, make_order: MakeOrder
) -> None:
    push(make_order())
    page = page_as(Role.OPS)
    page.clock.install()
    page.goto("/admin/")
    expect(page.get_by_text("1 pending, the oldest for")).to_be_visible()
    chart = "Chart.getChart(document.querySelector('canvas.chart'))"
    bars = f"{chart}.data.datasets.flatMap(each => each.data).reduce((sum, each) => sum + each)"
    assert page.evaluate(bars) == 1
    push(make_order())
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.clock.run_for(65_000)
    expect(page.get_by_text("1 pending, the oldest for")).to_be_visible()
    page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_text("2 pending, the oldest for")).to_be_visible()
    push(make_order())
    page.clock.run_for(31_000)
    expect(page.get_by_text("3 pending, the oldest for")).to_be_visible()
    page.wait_for_function(f"{bars} === 3")
    assert drawn(page)
