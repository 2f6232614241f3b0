from django_filters import CharFilter, ChoiceFilter, FilterSet

from connectors.models import ERPConnection


class ERPConnectionFilter(FilterSet):  # type: ignore[misc]  # django-filter has no types
    status = ChoiceFilter(choices=ERPConnection.Status.choices)
    connector_type = CharFilter()
