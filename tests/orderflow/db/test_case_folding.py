"""A search finds a name however its letters are typed, on both databases."""

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db.models import F, Model, Q
from django.test import Client

from connectors.models import ERPConnection
from exports.models import ERPExport
from orderflow.orders.models import Customer, DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.support.tenants import list_url, log_in, log_in_superuser, page_url

NAME = "Bäckerei Öller"
TYPED = ["Öller", "öller", "ÖLLER", "BÄCKEREI", "bäckerei ö", NAME]


@pytest.fixture
def named(organization: Organization, connection: ERPConnection, make_order: MakeOrder) -> DraftOrder:
    """An order of a customer of that name; another one of which no search may find."""
    customer = Customer.objects.create(organization=organization, erp_customer_number="Ö-1", name=NAME)
    Customer.objects.create(organization=organization, erp_customer_number="X-1", name="Boller")
    make_order()
    ERPConnection.objects.update(name=NAME)
    Organization.objects.update(name=NAME)
    User.objects.create_user("backer", last_name=NAME)
    return make_order(customer=customer)


@pytest.mark.parametrize("typed", TYPED)
def test_the_lookups_pass_over_the_case_of_every_letter(typed: str, named: DraftOrder) -> None:
    """A10."""
    customers = Customer.objects.order_by("pk")
    assert [each.name for each in customers.filter(name__icontains=typed)] == [NAME]
    whole = typed.casefold() == NAME.casefold()
    assert customers.filter(name__iexact=typed).exists() == whole
    assert customers.filter(name__istartswith=typed).exists() == NAME.casefold().startswith(typed.casefold())
    assert customers.filter(name__iendswith=typed).exists() == NAME.casefold().endswith(typed.casefold())


@pytest.mark.parametrize("text", ["%", "_", "\\", "ö%r"])
def test_wildcards_are_letters_like_any_other(text: str, named: DraftOrder) -> None:
    assert not Customer.objects.filter(name__icontains=text).exists()
    Customer.objects.filter(name="Boller").update(name=f"a{text}b")
    assert Customer.objects.get(name__icontains=text.upper()).name == f"a{text}b"


def test_columns_are_compared_with_each_other(named: DraftOrder) -> None:
    Customer.objects.filter(name=NAME).update(erp_customer_number="öller")
    assert Customer.objects.get(name__icontains=F("erp_customer_number")).name == NAME


def test_a_name_that_is_not_there_is_no_text(named: DraftOrder) -> None:
    """As in the search of a list, which also finds orders without a customer."""
    DraftOrder.objects.update(customer=None)
    either = Q(customer__name__icontains="none") | Q(pk=named.pk)
    assert list(DraftOrder.objects.filter(either)) == [named]


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("model", [DraftOrder, Customer, ERPConnection, Organization, User])
def test_every_list_finds_it(model: type[Model], typed: str, named: DraftOrder, organization: Organization) -> None:
    """A10."""
    rows: dict[type[Model], Model] = {
        DraftOrder: named,
        Customer: Customer.objects.get(name=NAME),
        User: User.objects.get(username="backer"),
        ERPConnection: ERPConnection.objects.get(),
        Organization: organization,
    }
    client: Client = log_in_superuser() if model in (Organization, User) else log_in(organization, Role.OPS)
    page = client.get(list_url(model), {"q": typed}).content.decode()
    assert page_url(rows[model]) in page
    assert "Boller" not in page


def test_postgresql_keeps_its_own_comparison(named: DraftOrder) -> None:
    """Its indexes serve that one."""
    sql = str(Customer.objects.filter(name__icontains="ö").query)
    assert ("ORDERFLOW_FOLDED" in sql) == (database.vendor == "sqlite")
    assert ERPExport.objects.filter(filename__icontains="ö").count() == 0
