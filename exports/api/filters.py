from django.db.models import F, QuerySet
from django_filters import CharFilter, FilterSet, UUIDFilter

from exports.models import AckFile, ERPExport, Verdict
from exports.models.status import ExportStatus
from orderflow.api.lists.filters import AnyOf, CreatedFilter, OneOf, TimeFilter
from orderflow.orders.api.filters import customers_numbered


class ERPExportFilter(CreatedFilter):
    """`status` may be repeated; `draft_order`, `connection` and `customer` are ids."""

    status = AnyOf(choices=ExportStatus.choices)
    draft_order = UUIDFilter(field_name="draft_order_id")
    connection = UUIDFilter(field_name="connection_id")
    customer = UUIDFilter(field_name="draft_order__customer_id")
    erp_customer_number = CharFilter(max_length=60, method="of_customer")
    external_order_number = CharFilter(max_length=80, method="of_order")
    undecided = OneOf(
        choices=[("true", "in doubt"), ("false", "not in doubt")],
        method="in_doubt",
        help_text="Whether a person has to decide.",
    )

    def in_doubt(self, exports: QuerySet[ERPExport], name: str, value: str) -> QuerySet[ERPExport]:  # noqa: ARG002
        return exports.filter(undecided_since__isnull=value != "true")

    def of_customer(self, exports: QuerySet[ERPExport], name: str, value: str) -> QuerySet[ERPExport]:  # noqa: ARG002
        return exports.filter(draft_order__customer_id__in=customers_numbered(value, self.request.user))

    def of_order(self, exports: QuerySet[ERPExport], name: str, value: str) -> QuerySet[ERPExport]:  # noqa: ARG002
        # The index of numbers goes on with the organization.
        return exports.filter(draft_order__organization=F("organization"), draft_order__external_order_number=value)


class AckFileFilter(FilterSet):  # type: ignore[misc]  # django-filter has no types
    """`verdict` may be repeated; `connection` and `export` are ids; `name` is a whole file name."""

    verdict = AnyOf(choices=Verdict.choices)
    connection = UUIDFilter(field_name="connection_id")
    export = UUIDFilter(field_name="export_id")
    name = CharFilter(max_length=255, method="of_name")
    seen_after = TimeFilter(field_name="seen_at", lookup_expr="gte", help_text="At this time or later.")
    seen_before = TimeFilter(field_name="seen_at", lookup_expr="lt", help_text="Earlier than this time.")

    def of_name(self, files: QuerySet[AckFile], name: str, value: str) -> QuerySet[AckFile]:  # noqa: ARG002
        # The index of names begins with the connection.
        return files.filter(connection__organization=F("organization"), name=value)
