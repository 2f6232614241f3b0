"""Which connection becomes an organization's default by itself."""

from uuid import UUID

from connectors.models import ERPConnection
from orderflow.tenancy.models import Organization


def is_first(organization_id: UUID) -> bool:
    """Whether the organization has no connection yet. In a transaction: of two that are created at once, one waits."""
    list(Organization.objects.select_for_update(no_key=True).filter(pk=organization_id))
    return not ERPConnection.objects.filter(organization=organization_id).exists()
