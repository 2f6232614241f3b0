"""Finding a connection by what people call it."""

from connectors.models import ERPConnection


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
