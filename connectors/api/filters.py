from django_filters import CharFilter, FilterSet

from connectors.models import ERPConnection
from orderflow.api.lists.filters import OneOf


class ERPConnectionFilter(FilterSet):  # type: ignore[misc]  # django-filter has no types
    status = OneOf(choices=ERPConnection.Status.choices)
    connector_type = CharFilter(max_length=60)
