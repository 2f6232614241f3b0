"""Why an incident that no person resolved is over, for its last e-mail."""

from connectors.connections.health import PAUSES
from connectors.models import ERPConnection
from exports.incidents import items
from exports.incidents.models import Incident
from exports.models import Lane

Kind = Incident.Kind
DISABLED = ERPConnection.Status.DISABLED

NOTHING_LEFT = {
    Kind.BLOCKED: "The connection is released.",
    Kind.PAUSED: "A session with the server succeeded, or the pause was ended.",
    Kind.POLLING: "The acknowledgements were read.",
    Kind.FAILING: "No order that failed over this connection is in ERROR any more, apart from those that a user "
    "gave up or withdrew.",
    Kind.IN_DOUBT: "No export of this connection is in doubt any more.",
    Kind.OVERDUE: "No acknowledgement of this connection is overdue any more.",
    Kind.ACKS: "No acknowledgement file of this connection is open any more.",
    Kind.HELD: "Deliveries go on.",
    Kind.ARCHIVE: "Every document is archived.",
    Kind.WEBHOOK: "The webhook is enabled.",
    Kind.TOKEN: "The token was revoked or deleted, or it expired without having been in use.",
    Kind.STOPPED: "The component runs.",
    Kind.DISABLED: "No order waits for this connection any more.",
    Kind.WAITING: "No order has waited for over an hour any more.",
    Kind.RETRYING: "Each of these orders was sent, or its export has ended: one that failed is reported as that.",
    Kind.HOOKDOWN: "No message waits for another attempt any more: each was delivered, or failed for good, or the "
    "webhook is disabled, which is reported separately.",
    Kind.HOOKPART: "No message that was rejected waits for another attempt any more: each was delivered, or failed for "
    "good, which is reported separately, or the webhook is disabled.",
    Kind.HOOKLOST: "Each message was sent again.",
    Kind.JOURNAL: "The journal is written there again, or the machine is not in use any more.",
    Kind.CERT: "The certificate was replaced.",
}
# What keeps a connection from being used.
OF_USE = (Kind.BLOCKED, Kind.PAUSED, Kind.POLLING)


def why(incident: Incident) -> str:
    """A sentence or two. What ends because its connection is disabled says so: that removes no cause."""
    connection = incident.connection
    if connection and incident.kind == Kind.DISABLED and connection.status != DISABLED:
        return f"The connection was enabled. {_orders(incident)} to be sent over it."
    if connection is None or connection.status != DISABLED or incident.kind not in OF_USE:
        return NOTHING_LEFT[Kind(incident.kind)]
    is_edited = connection.updated_at >= incident.opened_at
    # An edit ends a block and a pause as well: whether it disabled the connection or repaired it is not known.
    if is_edited and (incident.kind != Kind.POLLING or not _is_gone(incident, connection)):
        waiting = items.pending(incident).exists()
        return "The connection was edited and is disabled" + (
            f"; {_orders(incident)} until it is enabled." if waiting else "."
        )
    if _is_gone(incident, connection):
        return NOTHING_LEFT[Kind(incident.kind)]
    # It was disabled before, and acknowledgements were awaited.
    return "It awaits no acknowledgement any more."


def _is_gone(incident: Incident, connection: ERPConnection) -> bool:
    """Whether the cause itself is."""
    if incident.kind == Kind.BLOCKED:
        return connection.blocked_at is None
    if incident.kind == Kind.PAUSED:
        return connection.failures_in_a_row < min(PAUSES)
    return Lane.objects.filter(connection=connection, kind=Lane.Kind.ACKS, last_error="").exists()


def _orders(incident: Incident) -> str:
    count = items.pending(incident).count()
    return "1 order waits" if count == 1 else f"{count:,} orders wait"
