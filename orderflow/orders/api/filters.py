from uuid import UUID

from django.db.models import QuerySet
from django_filters import CharFilter, UUIDFilter

from orderflow.api.lists.filters import AnyOf, CreatedFilter
from orderflow.orders.models import Customer, DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.scope import User, scoped


class DraftOrderFilter(CreatedFilter):
    """`status` may be repeated; `customer` is the customer's id."""

    status = AnyOf(choices=OrderStatus.choices)
    customer = UUIDFilter(field_name="customer_id")
    erp_customer_number = CharFilter(max_length=60, method="of_customer")
    external_order_number = CharFilter(max_length=80)

    def of_customer(self, orders: QuerySet[DraftOrder], name: str, value: str) -> QuerySet[DraftOrder]:  # noqa: ARG002
        return orders.filter(customer_id__in=customers_numbered(value, self.request.user))


def customers_numbered(number: str, user: User) -> list[UUID]:
    """Looked up beforehand: of an id, PostgreSQL knows whether many orders have it or few, and which index to take."""
    customers = scoped(Customer.objects.all(), user)
    return list(customers.filter(erp_customer_number=number).values_list("pk", flat=True))
