from django_filters import CharFilter, FilterSet, MultipleChoiceFilter, UUIDFilter

from orderflow.orders.transitions import OrderStatus


class DraftOrderFilter(FilterSet):  # type: ignore[misc]  # django-filter has no types
    """`status` may be repeated; `customer` is the customer's id."""

    # DISTINCT would sort all of an organization's rows for one page.
    status = MultipleChoiceFilter(choices=OrderStatus.choices, distinct=False)
    customer = UUIDFilter(field_name="customer_id")
    erp_customer_number = CharFilter(field_name="customer__erp_customer_number")
    external_order_number = CharFilter()
