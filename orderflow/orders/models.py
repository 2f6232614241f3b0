import uuid

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

from orderflow.db.state_machine import StateQuerySet
from orderflow.db.uuid7 import time_ordered_uuid
from orderflow.fields.identifier_field import IdentifierField
from orderflow.orders.status import ALLOWED, OrderStatus
from orderflow.tenancy.models import Organization

currency_code = RegexValidator(r"^[A-Z]{3}\Z", "A currency is three capital letters, such as EUR.")


class Customer(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="customers")
    erp_customer_number = IdentifierField("ERP customer number", max_length=60)
    name = models.CharField(max_length=200)

    class Meta:
        ordering = ["erp_customer_number"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "erp_customer_number"], name="customer_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.erp_customer_number} {self.name}"


class DraftOrderQuerySet(StateQuerySet["DraftOrder"]):
    transitions = ALLOWED


class DraftOrder(models.Model):
    # File names begin with it, those of the answers too.
    id = models.UUIDField(primary_key=True, default=time_ordered_uuid, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="draft_orders", db_index=False
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="draft_orders", null=True, blank=True, db_index=False
    )
    external_order_number = IdentifierField(max_length=80, blank=True)
    order_date = models.DateField(null=True, blank=True)
    currency = IdentifierField(max_length=3, blank=True, validators=[currency_code])
    requested_delivery_date = models.DateField(null=True, blank=True)
    notes = models.TextField(blank=True, max_length=4000)
    status = models.CharField(max_length=12, choices=OrderStatus, default=OrderStatus.NEEDS_REVIEW, editable=False)
    approved_at = models.DateTimeField(null=True, editable=False)
    approved_by = models.CharField(max_length=150, blank=True, editable=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    erp_order_id = IdentifierField("ERP order id", max_length=120, blank=True, editable=False)
    error_message = models.CharField(max_length=500, blank=True, editable=False)
    source_document_id = IdentifierField(max_length=120, blank=True)
    source_file_name = models.CharField(max_length=255, blank=True)
    source_sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = DraftOrderQuerySet.as_manager()

    class Meta:
        verbose_name = "order"
        ordering = ["-created_at", "id"]
        constraints = [
            # A rejected order frees its number: the order can be entered again.
            models.UniqueConstraint(
                fields=["customer", "external_order_number"],
                condition=~models.Q(external_order_number="") & ~models.Q(status=OrderStatus.REJECTED),
                name="order_number_once_per_customer",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="order_by_organization"),
            # Most are PUSHED in the end; to find one of those, the newest of the organization are looked through.
            models.Index(
                fields=["status", "organization", "-created_at"],
                condition=models.Q(status__in=[status for status in OrderStatus if status != OrderStatus.PUSHED]),
                name="order_not_pushed",
            ),
            models.Index(fields=["customer", "-created_at"], name="order_by_customer"),
            # For whole numbers, and for how they begin, which needs another order than people's.
            models.Index(
                fields=["external_order_number", "organization"],
                opclasses=["varchar_pattern_ops", "uuid_ops"],
                name="order_by_number",
            ),
        ]

    def __str__(self) -> str:
        return self.external_order_number or str(self.id)


class DraftOrderLine(models.Model):
    order = models.ForeignKey(DraftOrder, on_delete=models.CASCADE, related_name="lines", db_index=False)
    line_no = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    internal_sku = IdentifierField("SKU", max_length=80, blank=True)
    qty = models.DecimalField("quantity", max_digits=15, decimal_places=3)
    uom = IdentifierField("unit", max_length=10, blank=True)
    unit_price = models.DecimalField(max_digits=15, decimal_places=4, default=0)
    # Empty: the order's own.
    currency = IdentifierField(max_length=3, blank=True, validators=[currency_code])
    customer_sku_raw = IdentifierField("customer's SKU", max_length=120, blank=True)
    description = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["line_no"]
        constraints = [models.UniqueConstraint(fields=["order", "line_no"], name="line_number_once_per_order")]

    def __str__(self) -> str:
        return f"{self.line_no}. {self.internal_sku}"
