"""An order whose number a rejected order had that the ERP may have."""

import pytest

from exports.decisions import give_up
from exports.delivery import drain
from exports.models import ERPExport
from orderflow.orders import approval
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.exports.conftest import Push
from tests.support.tenants import log_in, page_url

WARNING = "A rejected order has the same number, and the ERP may have it"


def rejected(export: ERPExport) -> DraftOrder:
    order = export.draft_order
    order.refresh_from_db()
    return approval.reject(order, "ops")


@pytest.fixture
def given_up(push: Push) -> ERPExport:
    export = push()
    drain.drain(export.connection_id)
    export.refresh_from_db()
    give_up.give_up(export, actor="ops", reason="Nobody answers.")
    return export


def test_the_page_warns_of_a_rejected_order_that_may_have_arrived(
    given_up: ERPExport, organization: Organization, make_order: MakeOrder
) -> None:
    """F4: file names differ, so the ERP could not tell that it is the same order."""
    old = rejected(given_up)
    again = make_order(external_order_number=old.external_order_number)
    page = log_in(organization, Role.OPS).get(page_url(again)).content.decode()
    assert WARNING in page
    assert page_url(given_up) in page


def test_the_page_warns_of_no_order_that_was_never_sent(organization: Organization, make_order: MakeOrder) -> None:
    old = approval.reject(make_order(), "ops")
    again = make_order(external_order_number=old.external_order_number)
    assert WARNING not in log_in(organization, Role.OPS).get(page_url(again)).content.decode()
