from django_filters import CharFilter, FilterSet, MultipleChoiceFilter, UUIDFilter

from exports.transitions import ExportStatus


class ERPExportFilter(FilterSet):  # type: ignore[misc]  # django-filter has no types
    """`status` may be repeated; the others are ids."""

    # DISTINCT would sort all of an organization's rows for one page.
    status = MultipleChoiceFilter(choices=ExportStatus.choices, distinct=False)
    draft_order = UUIDFilter(field_name="draft_order_id")
    connection = UUIDFilter(field_name="connection_id")
    external_order_number = CharFilter(field_name="draft_order__external_order_number")
