import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError

from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.tenancy.models import Membership, Organization
from orderflow.tenancy.roles import Action, Role
from orderflow.tenancy.scope import may, membership_of, organization_of, scoped


@pytest.fixture
def operator(acme: Organization) -> User:
    user = User.objects.create_user("olga")
    Membership.objects.create(user=user, organization=acme, role=Role.OPS)
    return user


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("nobody")


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def orders(acme: Organization, globex: Organization) -> dict[str, DraftOrder]:
    return {org.slug: DraftOrder.objects.create(organization=org) for org in (acme, globex)}


def test_a_member_sees_the_rows_of_the_own_organization_only(operator: User, orders: dict[str, DraftOrder]) -> None:
    """S1."""
    assert list(scoped(DraftOrder.objects.all(), operator)) == [orders["acme"]]


def test_a_path_leads_from_a_row_to_its_organization(operator: User, orders: dict[str, DraftOrder]) -> None:
    """S1."""
    lines = [DraftOrderLine.objects.create(order=order, line_no=1, qty=1) for order in orders.values()]
    seen = scoped(DraftOrderLine.objects.all(), operator, path="order__organization")
    assert list(seen) == [line for line in lines if line.order == orders["acme"]]


def test_a_superuser_sees_every_row(superuser: User, orders: dict[str, DraftOrder]) -> None:
    assert set(scoped(DraftOrder.objects.all(), superuser)) == set(orders.values())


def test_who_belongs_to_no_organization_sees_nothing(stranger: User, orders: dict[str, DraftOrder]) -> None:
    """S1."""
    assert not scoped(DraftOrder.objects.all(), stranger).exists()
    assert not scoped(DraftOrder.objects.all(), AnonymousUser()).exists()


def test_scoping_keeps_the_filters_that_were_there(operator: User, acme: Organization) -> None:
    keep = Customer.objects.create(organization=acme, erp_customer_number="1", name="One")
    Customer.objects.create(organization=acme, erp_customer_number="2", name="Two")
    assert list(scoped(Customer.objects.filter(name="One"), operator)) == [keep]


def test_a_member_may_do_what_the_role_allows(operator: User) -> None:
    """S14."""
    assert may(operator, Action.PUSH)
    assert not may(operator, Action.EDIT_CONNECTIONS)


def test_a_superuser_may_do_everything_and_a_stranger_nothing(superuser: User, stranger: User) -> None:
    """S14."""
    assert all(may(superuser, action) for action in Action)
    assert not any(may(user, action) for action in Action for user in (stranger, AnonymousUser()))


def test_the_organization_of_a_user_is_the_one_of_the_membership(
    operator: User, stranger: User, acme: Organization
) -> None:
    assert organization_of(operator) == acme
    assert organization_of(stranger) is None
    assert membership_of(AnonymousUser()) is None


def test_a_user_belongs_to_one_organization_at_most(operator: User, globex: Organization) -> None:
    with pytest.raises(IntegrityError):
        Membership.objects.create(user=operator, organization=globex)
