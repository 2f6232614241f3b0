from typing import Any

from django import forms

from orderflow.orders.models import Customer, DraftOrder
from orderflow.orders.transitions import OrderStatus


class DraftOrderForm(forms.ModelForm):  # type: ignore[type-arg] # Django's class is not generic when run
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        organization, customer = cleaned.get("organization"), cleaned.get("customer")
        if organization and customer and customer.organization_id != organization.pk:
            self.add_error("customer", f"This customer belongs to another organization than {organization}.")
        elif customer and self._number_is_taken(customer, cleaned.get("external_order_number")):
            self.add_error("external_order_number", f"{customer} has an order with this number already.")
        return cleaned

    def _number_is_taken(self, customer: Customer, number: str | None) -> bool:
        orders = DraftOrder.objects.filter(customer=customer, external_order_number=number)
        others = orders.exclude(pk=self.instance.pk).exclude(status=OrderStatus.REJECTED)
        return bool(number) and others.exists()
