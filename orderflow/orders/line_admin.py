"""The lines of an order as its admin page edits them."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from orderflow.admin.scoped import ScopedTabularInline
from orderflow.fields.number_parsing import as_written
from orderflow.orders.forms import LineFormSet
from orderflow.orders.models import DraftOrder, DraftOrderLine
from orderflow.orders.status import EDITABLE
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may


class DraftOrderLineInline(ScopedTabularInline):
    model = DraftOrderLine
    formset = LineFormSet
    organization_path = "order__organization"
    fields = ("line_no", "internal_sku", "description", "qty", "uom", "unit_price", "currency", "customer_sku_raw")
    shown_instead: ClassVar = {"qty": "quantity", "unit_price": "price"}
    readonly_fields = tuple(shown_instead.values())
    verbose_name = "line"
    verbose_name_plural = "lines"
    # More would pass the number of fields that a request may have.
    per_page = 50
    hide_title = True
    known_by = "line_no"

    def get_extra(self, request: HttpRequest, obj: Any = None, **_: Any) -> int:
        return 0 if obj else 1

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Where nothing can be edited, numbers are shown as the inputs show them: 40.000 may be read as 40000."""
        instead = {} if editable_by(request, obj) else self.shown_instead
        return [instead.get(name, name) for name in self.fields]

    @admin.display(description="quantity")
    def quantity(self, line: DraftOrderLine) -> str:
        return as_written(line.qty)

    @admin.display(description="unit price")
    def price(self, line: DraftOrderLine) -> str:
        return as_written(line.unit_price)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A cell has its column's head for a label, which is not read out for it."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field:
            field.widget.attrs.setdefault("aria-label", str(db_field.verbose_name))
        return field

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return editable_by(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return editable_by(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return editable_by(request, obj)


def editable_by(request: HttpRequest, order: DraftOrder | None) -> bool:
    return may(request.user, Action.EDIT_ORDERS) and (order is None or order.status in EDITABLE)
