import pytest

from connectors.models import ERPConnection
from exports import push_service
from exports.decisions import give_up
from exports.models import ERPExport
from exports.models.status import PushRefused
from exports.push_service import PushRequest
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import AuditEntry, Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import Push


def test_a_push_makes_one_pending_export_and_an_audit_line(push: Push) -> None:
    export = push()
    export.draft_order.refresh_from_db()
    assert (export.status, export.draft_order.status) == ("PENDING", OrderStatus.PUSHING)
    assert [event.kind for event in export.events.all()] == ["REQUESTED"]
    assert AuditEntry.objects.filter(action="push", subject_id=str(export.draft_order_id), actor="ops").count() == 1


@pytest.mark.parametrize("status", [s for s in OrderStatus if s != OrderStatus.APPROVED])
def test_only_an_approved_order_can_be_pushed(push: Push, make_order: MakeOrder, status: OrderStatus) -> None:
    order = make_order(status=status)
    with pytest.raises(PushRefused, match=f"PO-1 is {status}") as caught:
        push(order)
    pushed = status in (OrderStatus.PUSHING, OrderStatus.PUSHED)
    assert caught.value.code == ("already_pushed" if pushed else "not_approved")
    assert not ERPExport.objects.exists()


def test_the_same_key_gives_the_same_export(push: Push, make_order: MakeOrder) -> None:
    """S11."""
    order = make_order()
    first = push(order, idempotency_key="k1")
    assert push(order, idempotency_key="k1").pk == first.pk
    with pytest.raises(PushRefused) as caught:
        push_service.push(PushRequest(order=order, actor="ops", connection=None, idempotency_key="k1"))
    assert caught.value.code == "idempotency_key_reused"
    assert push(idempotency_key="k1").pk != first.pk


def test_the_key_of_a_push_does_not_serve_for_its_retry(push: Push, make_order: MakeOrder) -> None:
    order = make_order()
    export = push(order, idempotency_key="k1")
    ERPExport.objects.filter(pk=export.pk).update(status="FAILED")
    type(order).objects.filter(pk=order.pk).update(status="ERROR")
    with pytest.raises(PushRefused, match="Use a new key"):
        push_service.retry(PushRequest(order=order, actor="ops", connection=export.connection, idempotency_key="k1"))


def test_without_a_named_connection_the_default_one_is_taken(make_order: MakeOrder, connection: ERPConnection) -> None:
    export = push_service.push(PushRequest(order=make_order(), actor="ops"))
    assert export.connection == connection


def test_an_organization_without_a_default_is_told_so(make_order: MakeOrder) -> None:
    with pytest.raises(PushRefused, match="no default ERP connection") as caught:
        push_service.push(PushRequest(order=make_order(), actor="ops"))
    assert caught.value.code == "no_connection"


def test_a_connection_of_another_organization_is_unknown(make_order: MakeOrder, connection: ERPConnection) -> None:
    """S1."""
    other = Organization.objects.create(name="Other", slug="other")
    order = make_order(tenant=other)
    with pytest.raises(PushRefused) as caught:
        push_service.push(PushRequest(order=order, actor="ops", connection=connection))
    assert caught.value.code == "unknown_connection"
    order.refresh_from_db()
    assert order.status == OrderStatus.APPROVED


def test_a_disabled_connection_takes_no_push(make_order: MakeOrder, connection: ERPConnection, push: Push) -> None:
    connection.status = ERPConnection.Status.DISABLED
    with pytest.raises(PushRefused, match="is disabled") as caught:
        push()
    assert caught.value.code == "connection_disabled"


def test_a_retry_names_the_export_that_it_supersedes(push: Push, connection: ERPConnection) -> None:
    failed = push()
    ERPExport.objects.filter(pk=failed.pk).update(status="FAILED")
    type(failed.draft_order).objects.filter(pk=failed.draft_order_id).update(status="ERROR")
    again = push_service.retry(PushRequest(order=failed.draft_order, actor="ops"))
    assert again.supersedes == failed
    assert again.filename != failed.filename


def test_a_live_export_cannot_be_retried(sent: ERPExport) -> None:
    with pytest.raises(PushRefused, match="is SENT") as caught:
        push_service.retry(PushRequest(order=sent.draft_order, actor="ops"))
    assert caught.value.code == "still_alive"


def test_an_unanswered_export_can_be_given_up_and_retried(sent: ERPExport) -> None:
    give_up.give_up(sent, actor="Eva", reason="the ERP has lost it")
    sent.draft_order.refresh_from_db()
    assert (sent.status, sent.draft_order.status) == ("FAILED", OrderStatus.ERROR)
    assert sent.error_message == sent.draft_order.error_message == "Given up by Eva: the ERP has lost it"
    assert push_service.retry(PushRequest(order=sent.draft_order, actor="Eva")).supersedes == sent
    with pytest.raises(PushRefused):
        give_up.give_up(sent, actor="Eva", reason="again")


def fail(export: ERPExport) -> None:
    ERPExport.objects.filter(pk=export.pk).update(status="FAILED")
    rows = type(export.draft_order).objects.filter(pk=export.draft_order_id)
    rows.update(status="ERROR", error_message="The ERP is not amused.")


def test_each_retry_supersedes_the_export_before_it(push: Push, make_order: MakeOrder) -> None:
    """Of another order's exports it knows nothing."""
    other = push()
    fail(other)
    export = push()
    chain = [export]
    for _ in range(3):
        fail(chain[-1])
        chain.append(push_service.retry(PushRequest(order=export.draft_order, actor="eva")))
        # What the export before ran into is not this one's.
        export.draft_order.refresh_from_db()
        assert (export.draft_order.status, export.draft_order.error_message) == ("PUSHING", "")
        assert chain[-1].events.get(kind="REQUESTED").actor == "eva"
    assert [each.supersedes for each in chain] == [None, *chain[:-1]]
    assert len({each.filename for each in chain}) == 4
    assert list(ERPExport.objects.filter(supersedes=other)) == []


def test_an_order_that_was_approved_again_is_pushed_again_and_supersedes_the_export_before(push: Push) -> None:
    export = push()
    fail(export)
    type(export.draft_order).objects.filter(pk=export.draft_order_id).update(status="APPROVED")
    export.draft_order.refresh_from_db()
    again = push(export.draft_order)
    assert again.supersedes == export
    assert AuditEntry.objects.latest("id").action == "retry push"


def test_giving_up_is_on_record_with_who_did_it(sent: ERPExport, push: Push) -> None:
    other = push()
    ERPExport.objects.filter(pk=other.pk).update(status="SENT")
    type(other.draft_order).objects.filter(pk=other.draft_order_id).update(status="PUSHED")
    give_up.give_up(sent, actor="Eva", reason="the ERP has lost it")
    entry = AuditEntry.objects.get(action="give up export")
    assert (entry.actor, entry.subject_id, entry.organization) == ("Eva", str(sent.pk), sent.organization)
    event = sent.events.get(kind="GIVEN_UP")
    assert (event.actor, event.message) == ("Eva", sent.error_message)
    assert (sent.cause, sent.settled_at is None) == ("GIVEN_UP", False)
    other.refresh_from_db()
    other.draft_order.refresh_from_db()
    assert (other.status, other.draft_order.status) == ("SENT", OrderStatus.PUSHED)


def test_an_export_that_is_not_sent_yet_is_not_given_up(push: Push) -> None:
    export = push()
    with pytest.raises(PushRefused, match="is PENDING") as caught:
        give_up.give_up(export, actor="Eva", reason="no patience")
    assert caught.value.code == "not_sent"
    export.refresh_from_db()
    assert export.status == "PENDING"
    assert not AuditEntry.objects.filter(action="give up export").exists()


def test_the_default_connection_is_the_organizations_own(make_order: MakeOrder, connection: ERPConnection) -> None:
    """S1."""
    other = Organization.objects.create(name="Other", slug="other")
    with pytest.raises(PushRefused) as caught:
        push_service.push(PushRequest(order=make_order(tenant=other), actor="ops"))
    assert caught.value.code == "no_connection"


def test_a_key_of_one_order_is_not_another_ones(push: Push, make_order: MakeOrder) -> None:
    """S11."""
    first, second = push(make_order(), idempotency_key="k"), push(make_order(), idempotency_key="k")
    assert first.pk != second.pk
    assert push(first.draft_order, idempotency_key="k").pk == first.pk
    assert push(second.draft_order, idempotency_key="k").pk == second.pk


def test_a_key_finds_its_export_though_the_connection_was_disabled_since(
    push: Push, make_order: MakeOrder, connection: ERPConnection
) -> None:
    """S11: the response to a repeated request does not depend on when it is repeated."""
    order = make_order()
    first = push(order, idempotency_key="k")
    connection.status = ERPConnection.Status.DISABLED
    connection.save()
    assert push(order, idempotency_key="k").pk == first.pk


def test_the_key_of_a_retry_finds_its_export_though_that_failed_since(push: Push) -> None:
    """S11."""
    export = push()
    fail(export)
    request = PushRequest(order=export.draft_order, actor="ops", idempotency_key="k")
    again = push_service.retry(request)
    assert push_service.retry(request).pk == again.pk
    fail(again)
    assert push_service.retry(request).pk == again.pk
    assert ERPExport.objects.count() == 2
