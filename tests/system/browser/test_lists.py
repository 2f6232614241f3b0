"""Finding what went wrong, and mending it: one order, and many at once."""

import re
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from connectors.models import ERPConnection
from exports import push_service
from exports.bulk import jobs
from exports.bulk.models import BulkJob
from exports.models import AckFile, ERPExport, Verdict
from exports.models.status import ExportStatus
from exports.push_service import PushRequest
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.support.tenants import list_url, page_url
from tests.system.browser.conftest import PageAs
from tests.system.browser.looks import HEIGHT, NARROW, Gallery, cut_off

REASON = "The ERP refused it: unknown customer 4711."


@pytest.fixture
def failed(make_order: MakeOrder, connection: ERPConnection) -> list[ERPExport]:
    """Three orders that the ERP refused, among others."""
    for status in (OrderStatus.READY, OrderStatus.APPROVED, OrderStatus.NEEDS_REVIEW):
        make_order(status=status)
    exports = [push_service.push(PushRequest(order=make_order(), actor="ops")) for _ in range(4)]
    refused = ERPExport.objects.filter(pk__in=[export.pk for export in exports[:3]])
    for export in refused:
        rows, now = ERPExport.objects.filter(pk=export.pk), export.created_at
        rows.move(ExportStatus.PENDING, ExportStatus.FAILED, error_message=REASON, settled_at=now)
        DraftOrder.objects.filter(pk=export.draft_order_id).move(
            OrderStatus.PUSHING, OrderStatus.ERROR, error_message=REASON
        )
        AckFile.objects.create(
            organization=export.organization, connection=connection, export=export, name=f"error_{export.filename}",
            size=2, modified_at=0, raw='{"status": "FAILED"}', verdict=Verdict.MATCHED, seen_at=now,
        )  # fmt: skip
    return list(refused.order_by("created_at"))


def choose_all(page: Page, action: str) -> None:
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option(label=action)
    page.get_by_role("button", name="Run").click()


def test_find_a_failed_order_and_retry_it(page_as: PageAs, failed: list[ERPExport], gallery: Gallery) -> None:
    order = failed[0].draft_order
    page = page_as(Role.OPS)
    page.goto(list_url(DraftOrder))
    gallery.look_at(page, "orders")
    page.locator("#changelist a", has_text="Filters").click(timeout=5_000)
    expect(page.get_by_label("From", exact=True)).to_be_visible()
    gallery.look_at(page, "orders-filtered")
    page.get_by_label("From", exact=True).fill("2020-01-01")
    page.get_by_role("button", name="Apply Filters").click()
    expect(page).to_have_url(re.compile("created_at_from=2020-01-01"))
    page.get_by_placeholder("Order number").fill(str(order))
    page.keyboard.press("Enter")
    page.get_by_role("link", name=str(order), exact=True).click()
    expect(page.get_by_text(REASON).first).to_be_visible()
    gallery.look_at(page, "order")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("1 order retried.")).to_be_visible()
    order.refresh_from_db()
    assert order.status == OrderStatus.PUSHING
    assert ERPExport.objects.get(supersedes=failed[0]).status == ExportStatus.PENDING


def test_bulk_retry_says_first_what_will_go(page_as: PageAs, failed: list[ERPExport], gallery: Gallery) -> None:
    page = page_as(Role.OPS)
    page.goto(list_url(ERPExport))
    gallery.look_at(page, "exports")
    choose_all(page, "Retry")
    expect(page.get_by_text("3 orders over Folder")).to_be_visible()
    expect(page.get_by_text("is PUSHING; only an order in ERROR can be retried.")).to_be_visible()
    gallery.look_at(page, "confirmation")
    page.get_by_role("button", name="Retry 3 orders").click()
    expect(page.get_by_text("3 orders retried.")).to_be_visible()
    assert ERPExport.objects.exclude(supersedes=None).count() == 3


def test_all_failed_of_a_list_go_in_the_background(
    page_as: PageAs, failed: list[ERPExport], gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PORTION", 2)
    page = page_as(Role.OPS)
    page.goto(list_url(DraftOrder))
    page.get_by_role("link", name="Retry all in error of this list").click()
    page.get_by_role("button", name="Retry 3 orders").click()
    expect(page.get_by_text("0 of 3")).to_be_visible()
    job = jobs._take(BulkJob.objects.get().pk)
    assert job
    assert jobs._portion(job)
    expect(page.get_by_text("2 of 3: 2 went, 0 refused, 1 left.")).to_be_visible()
    gallery.look_at(page, "bulk-job")
    jobs._portion(job)
    expect(page.get_by_text("3 of 3: 3 went, 0 refused, 0 left.")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)


@pytest.mark.parametrize("model", [AckFile, BulkJob], ids=["ledger", "bulk-jobs"])
def test_the_other_lists_can_be_read(model: Any, page_as: PageAs, failed: list[ERPExport], gallery: Gallery) -> None:
    jobs.ask(failed[0].organization, BulkJob.Kind.RETRY, [failed[0].draft_order_id], actor="ops")
    page = page_as(Role.OPS)
    page.goto(list_url(model))
    gallery.look_at(page, f"{model._meta.model_name}s")
    page.goto(page_url(model.objects.all()[0]))
    gallery.look_at(page, model._meta.model_name)


@pytest.mark.pictures
def test_the_picture_of_the_orders(page_as: PageAs, failed: list[ERPExport], gallery: Gallery) -> None:
    page = page_as(Role.OPS)
    page.goto(list_url(DraftOrder))
    expect(page.get_by_role("link", name="Push all approved of this list")).to_be_visible()
    gallery.show(page, "orders")


def test_nothing_of_a_list_is_cut_off_on_a_phone(
    page_as: PageAs, connection: ERPConnection, make_order: MakeOrder
) -> None:
    """A16. Of answers and exports, whose file names are the longest texts."""
    export = push_service.push(PushRequest(order=make_order(), actor="ops@acme"))
    AckFile.objects.create(
        organization=export.organization, connection=connection, export=export, name=f"ack_{export.filename}", size=2,
        modified_at=0, raw="{}", verdict=Verdict.MATCHED, seen_at=timezone.now(), reason="x" * 200,
    )  # fmt: skip
    page = page_as(Role.OPS)
    page.set_viewport_size({"width": NARROW, "height": HEIGHT})
    for model in (AckFile, ERPExport, DraftOrder, ERPConnection):
        page.goto(list_url(model))
        expect(page.locator("#result_list tbody tr").first).to_be_visible()
        assert cut_off(page) == [], model
