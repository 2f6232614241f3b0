"""Finds connections of an organization."""

from uuid import UUID

from connectors.models import ERPConnection
from orderflow.tenancy.models import Organization


class UnknownConnection(Exception):
    """No connection, or more than one, goes by that name."""


def connection_named(organization_slug: str, name: str | None) -> ERPConnection:
    """By name, or the organization's default without one. Raises `UnknownConnection`."""
    rows = ERPConnection.objects.select_related("organization").filter(organization__slug=organization_slug)
    found = rows.filter(name=name) if name else rows.filter(is_default=True)
    connection = found.first()
    if connection is None:
        names = ", ".join(repr(row.name) for row in rows) or "none"
        wanted = f"connection {name!r}" if name else "default connection"
        raise UnknownConnection(f"{organization_slug!r} has no {wanted}. Its connections: {names}.")
    return connection


def is_first(organization_id: UUID) -> bool:
    """Whether the organization has no connection yet. Call it in a transaction: of two creations, one waits."""
    list(Organization.objects.select_for_update(no_key=True).filter(pk=organization_id))
    return not ERPConnection.objects.filter(organization=organization_id).exists()
