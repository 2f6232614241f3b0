import pytest

from orderflow.db.state_machine import IllegalTransition
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import ALLOWED, EDITABLE, OrderStatus
from tests.orderflow.orders.conftest import MakeDraft

S = OrderStatus

# Written out again on purpose: a way that is added or lost by accident shows here.
WAYS = {
    (S.NEEDS_REVIEW, S.READY),
    (S.NEEDS_REVIEW, S.REJECTED),
    (S.READY, S.NEEDS_REVIEW),
    (S.READY, S.APPROVED),
    (S.READY, S.REJECTED),
    (S.APPROVED, S.NEEDS_REVIEW),
    (S.APPROVED, S.READY),
    (S.APPROVED, S.PUSHING),
    (S.APPROVED, S.REJECTED),
    (S.PUSHING, S.PUSHED),
    (S.PUSHING, S.ERROR),
    (S.PUSHED, S.ERROR),
    (S.ERROR, S.NEEDS_REVIEW),
    (S.ERROR, S.READY),
    (S.ERROR, S.PUSHING),
    (S.ERROR, S.PUSHED),
    (S.ERROR, S.REJECTED),
    (S.REJECTED, S.NEEDS_REVIEW),
}
PAIRS = [(source, target) for source in S for target in S]


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair in WAYS])
def test_an_order_moves_along_an_allowed_way(make_draft: MakeDraft, source: OrderStatus, target: OrderStatus) -> None:
    order, neighbor = make_draft(status=source), make_draft(status=source)
    assert DraftOrder.objects.filter(pk=order.pk).move(source, target, error_message="moved") == 1
    order.refresh_from_db()
    neighbor.refresh_from_db()
    assert (order.status, order.error_message) == (target, "moved")
    assert (neighbor.status, neighbor.error_message) == (source, "")


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair not in WAYS])
def test_every_other_way_is_refused(make_draft: MakeDraft, source: OrderStatus, target: OrderStatus) -> None:
    order = make_draft(status=source)
    with pytest.raises(IllegalTransition, match=f"{source} -> {target}"):
        DraftOrder.objects.filter(pk=order.pk).move(source, target)
    order.refresh_from_db()
    assert order.status == source


@pytest.mark.parametrize("actual", [status for status in S if status != S.READY])
def test_a_row_that_is_elsewhere_by_now_does_not_move(make_draft: MakeDraft, actual: OrderStatus) -> None:
    order = make_draft(status=actual)
    assert DraftOrder.objects.filter(pk=order.pk).move(S.READY, S.APPROVED) == 0
    order.refresh_from_db()
    assert order.status == actual


def test_of_many_rows_those_that_are_in_the_source_move(make_draft: MakeDraft) -> None:
    for status in (S.READY, S.READY, S.ERROR):
        make_draft(status=status)
    assert DraftOrder.objects.move(S.READY, S.APPROVED) == 2
    assert sorted(DraftOrder.objects.values_list("status", flat=True)) == [S.APPROVED, S.APPROVED, S.ERROR]


def test_of_many_rows_each_gets_its_own_values_where_it_moves(make_draft: MakeDraft) -> None:
    orders = [make_draft(status=status) for status in (S.READY, S.READY, S.ERROR)]
    neighbor = make_draft(status=S.READY)
    keys = [order.pk for order in orders]
    notes = [f"Note {number}, 100 % 'quoted' {{x}}" for number in range(3)]
    own = {"notes": notes}
    assert DraftOrder.objects.move_each(keys, S.READY, S.APPROVED, own=own, error_message="moved") == 2
    rows = {order.pk: order for order in DraftOrder.objects.all()}
    for key, note in zip(keys[:2], notes, strict=False):
        assert (rows[key].status, rows[key].error_message, rows[key].notes) == (S.APPROVED, "moved", note)
    for order in (orders[2], neighbor):
        assert (rows[order.pk].status, rows[order.pk].notes, rows[order.pk].error_message) == (order.status, "", "")


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair not in WAYS])
def test_rows_with_their_own_values_go_no_other_way_either(
    make_draft: MakeDraft, source: OrderStatus, target: OrderStatus
) -> None:
    with pytest.raises(IllegalTransition, match=f"{source} -> {target}"):
        DraftOrder.objects.move_each([make_draft(status=source).pk], source, target, own={"notes": [""]})


def test_the_table_names_every_state() -> None:
    assert set(ALLOWED) == set(S)


def test_an_order_that_is_on_its_way_or_rejected_cannot_be_edited() -> None:
    assert set(S) - EDITABLE == {S.PUSHING, S.PUSHED, S.REJECTED}
