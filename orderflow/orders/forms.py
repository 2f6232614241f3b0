from itertools import count
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.forms import PaginationInlineFormSet

from orderflow.admin.first_organization import NEXT, ROW
from orderflow.orders.models import Customer, DraftOrder
from orderflow.orders.status import OrderStatus


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


class LineFormSet(PaginationInlineFormSet):  # type: ignore[misc] # unfold has no types
    """Lines without a number get the next ones that are free, in their order."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "line_no" in form.fields:
            form.fields["line_no"].required = False

    def clean(self) -> None:
        taken = {form.cleaned_data.get("line_no") for form in self._entered()}
        if self.instance.pk:
            # Those on other pages of the form as well.
            taken |= set(self.instance.lines.values_list("line_no", flat=True))
        free = (number for number in count(1) if number not in taken)
        for form in self._entered():
            if form.cleaned_data.get("line_no") is None and "line_no" not in form.errors:
                form.cleaned_data["line_no"] = form.instance.line_no = next(free)
        super().clean()

    def _entered(self) -> list[Any]:
        forms_entered = (form for form in self.forms if form.has_changed() or form.instance.pk)
        return [form for form in forms_entered if hasattr(form, "cleaned_data") and not self._should_delete_form(form)]


def customer_hint() -> SafeString:
    """Leads to the form of a new customer, and back with that customer."""
    back = f"{reverse('admin:orders_draftorder_add')}?customer={ROW}"
    address = f"{reverse('admin:orders_customer_add')}?{urlencode({NEXT: back})}"
    hint = 'Search by number or name. Not there yet? <a class="underline" href="{}">Add the customer</a> first.'
    return format_html(hint, address)
