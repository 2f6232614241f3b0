from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection, transaction
from django.utils import timezone

from orderflow.orders.approval import (
    DuplicateOrderNumber,
    NotPossible,
    approve,
    recheck,
    reject,
    reopen,
    require_editable,
)
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import EDITABLE, OrderStatus
from orderflow.tenancy.models import AuditEntry
from tests.orderflow.orders.conftest import MakeDraft

S = OrderStatus


def test_a_ready_order_is_approved_with_name_and_time(make_draft: MakeDraft) -> None:
    before = timezone.now()
    order = approve(make_draft(), "olga")
    stored = DraftOrder.objects.get(pk=order.pk)
    assert (stored.status, stored.approved_by) == (S.APPROVED, "olga")
    assert stored.approved_at is not None
    assert before <= stored.approved_at <= timezone.now()
    assert stored.updated_at >= before
    audit = AuditEntry.objects.get()
    assert (audit.actor, audit.action, audit.subject_id) == ("olga", "approve", str(order.pk))


@pytest.mark.parametrize("status", [status for status in S if status != S.READY])
def test_only_a_ready_order_is_approved(make_draft: MakeDraft, status: OrderStatus) -> None:
    order = make_draft(status=status, external_order_number="PO-1")
    with pytest.raises(NotPossible, match=f"Order PO-1 is {status}; only a READY order can be approved"):
        approve(order, "olga")
    assert DraftOrder.objects.get().status == status
    assert not AuditEntry.objects.exists()


def test_an_order_that_is_blocked_is_not_approved_whatever_its_state_says(make_draft: MakeDraft) -> None:
    order = make_draft(lines=[{"qty": Decimal(0)}, {"uom": "CRATE"}])
    with pytest.raises(NotPossible, match="Line 1: the quantity is 0") as refused:
        approve(order, "olga")
    assert [reason.field for reason in refused.value.reasons] == ["lines/0/qty", "lines/1/uom"]
    assert DraftOrder.objects.get().status == S.READY


@pytest.mark.parametrize("status", sorted(EDITABLE))
def test_an_order_that_has_not_left_is_rejected(make_draft: MakeDraft, status: OrderStatus) -> None:
    order = reject(make_draft(status=status), "olga")
    assert (order.status, DraftOrder.objects.get().status) == (S.REJECTED, S.REJECTED)
    assert AuditEntry.objects.get().action == "reject"


@pytest.mark.parametrize("status", [S.PUSHING, S.PUSHED, S.REJECTED])
def test_an_order_that_has_left_is_not_rejected(make_draft: MakeDraft, status: OrderStatus) -> None:
    with pytest.raises(NotPossible, match=f"is {status} and cannot be rejected"):
        reject(make_draft(status=status), "olga")
    assert DraftOrder.objects.get().status == status
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(("qty", "target"), [(1, S.READY), (0, S.NEEDS_REVIEW)])
def test_a_rejected_order_is_reopened_and_checked(make_draft: MakeDraft, qty: int, target: OrderStatus) -> None:
    """B49. It has to be approved again."""
    order = make_draft(status=S.REJECTED, lines=[{"qty": Decimal(qty)}], error_message="Unknown customer")
    DraftOrder.objects.update(approved_at=timezone.now(), approved_by="olga")
    assert reopen(order, "otto").status == target
    stored = DraftOrder.objects.get()
    assert (stored.status, stored.approved_at, stored.approved_by, stored.error_message) == (target, None, "", "")
    audit = AuditEntry.objects.get()
    assert (audit.actor, audit.action, audit.subject_id) == ("otto", "reopen", str(order.pk))


@pytest.mark.parametrize("status", [status for status in S if status != S.REJECTED])
def test_only_a_rejected_order_is_reopened(make_draft: MakeDraft, status: OrderStatus) -> None:
    order = make_draft(status=status, external_order_number="PO-1")
    with pytest.raises(NotPossible, match=f"Order PO-1 is {status}; only a REJECTED order can be reopened"):
        reopen(order, "olga")
    assert DraftOrder.objects.get().status == status
    assert not AuditEntry.objects.exists()


def test_an_order_whose_number_was_taken_is_not_reopened(make_draft: MakeDraft) -> None:
    """B49. Neither of the two is changed, and the transaction around it goes on."""
    rejected = make_draft(status=S.REJECTED, external_order_number="PO-1")
    make_draft(external_order_number="PO-1", customer=rejected.customer)
    with transaction.atomic():
        with pytest.raises(DuplicateOrderNumber, match="has another order with this number now"):
            reopen(rejected, "olga")
        assert sorted(DraftOrder.objects.values_list("status", flat=True)) == [S.READY, S.REJECTED]
    assert not AuditEntry.objects.exists()


def test_who_holds_an_old_copy_does_not_reject_what_was_pushed_meanwhile(make_draft: MakeDraft) -> None:
    stale = make_draft(status=S.APPROVED)
    DraftOrder.objects.move(S.APPROVED, S.PUSHING)
    with pytest.raises(NotPossible, match="cannot be rejected"):
        reject(stale, "olga")
    assert DraftOrder.objects.get().status == S.PUSHING


@pytest.mark.parametrize("status", sorted(EDITABLE))
@pytest.mark.parametrize(("qty", "target"), [(1, S.READY), (0, S.NEEDS_REVIEW)])
def test_after_an_edit_the_ready_check_decides(
    make_draft: MakeDraft, status: OrderStatus, qty: int, target: OrderStatus
) -> None:
    order = recheck(make_draft(status=status, lines=[{"qty": Decimal(qty)}]))
    assert (order.status, DraftOrder.objects.get().status) == (target, target)


def test_an_approval_does_not_outlive_what_it_approved(make_draft: MakeDraft) -> None:
    order = approve(make_draft(), "olga")
    order.lines.update(qty=Decimal(7))
    recheck(order)
    stored = DraftOrder.objects.get()
    assert (stored.status, stored.approved_at, stored.approved_by) == (S.READY, None, "")


def test_mending_an_order_clears_the_reason_that_the_erp_gave(make_draft: MakeDraft) -> None:
    recheck(make_draft(status=S.ERROR, error_message="Unknown customer 4711"))
    stored = DraftOrder.objects.get()
    assert (stored.status, stored.error_message) == (S.READY, "")


def test_an_edit_of_an_old_copy_does_not_take_a_pushed_order_back(make_draft: MakeDraft) -> None:
    stale = make_draft(status=S.APPROVED)
    DraftOrder.objects.move(S.APPROVED, S.PUSHING)
    with pytest.raises(NotPossible, match="was changed meanwhile"):
        recheck(stale)
    assert DraftOrder.objects.get().status == S.PUSHING


@pytest.mark.parametrize("status", S)
def test_what_has_left_or_was_rejected_is_not_editable(make_draft: MakeDraft, status: OrderStatus) -> None:
    order = make_draft(status=status)
    if status in EDITABLE:
        require_editable(order)
    else:
        with pytest.raises(NotPossible, match=f"is {status} and can no longer be edited"):
            require_editable(order)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_approve_at_once_one_wins(make_draft: MakeDraft) -> None:
    order = make_draft()
    people = [f"person {number}" for number in range(8)]
    together = Barrier(len(people))

    def try_to_approve(person: str) -> bool:
        copy = DraftOrder.objects.get(pk=order.pk)
        together.wait(timeout=30)
        try:
            approve(copy, person)
        except NotPossible:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        won = [person for person, success in zip(people, pool.map(try_to_approve, people), strict=True) if success]
    assert len(won) == 1
    assert DraftOrder.objects.get().approved_by == won[0]
    assert AuditEntry.objects.get().actor == won[0]
