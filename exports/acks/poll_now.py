"""Answers that somebody does not want to wait for: the connection's folder is read now, not when its turn comes."""

from functools import partial

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from connectors.models import ERPConnection
from exports.lanes import dispatch
from exports.models import AckFile, Lane, installation
from orderflow.db.clock import from_now
from orderflow.tenancy.audit import record

# Of two readings by hand.
APART_S = 10


class NotReadable(Exception):
    """The connection's folder is not read just now."""


def connections_of(answers: QuerySet[AckFile]) -> QuerySet[ERPConnection]:
    return ERPConnection.objects.filter(pk__in=answers.order_by().values("connection")).order_by("name")


@transaction.atomic
def ask(connection: ERPConnection, *, actor: str) -> None:
    """Raises `NotReadable`."""
    if why := installation.why_held():
        raise NotReadable(why)
    if connection.blocked_at:
        # A refused password is tried no second time.
        raise NotReadable(f"Connection {connection.name!r} is blocked: {connection.blocked_reason} Fix it and test it.")
    if connection.paused_until and connection.paused_until > timezone.now():
        raise NotReadable(f"Connection {connection.name!r} is paused, its server is away. Resume it on its page.")
    read = Lane.objects.filter(connection=connection, kind=Lane.Kind.ACKS, last_run_at__gt=from_now(-APART_S))
    if read.exists():
        raise NotReadable(f"The folder of {connection.name!r} was read a moment ago. Ask again in {APART_S} s.")
    record(connection.organization_id, actor, "read answers again", connection)
    # A lane that is awake is read in a moment anyway.
    transaction.on_commit(partial(dispatch.wake, connection.pk, Lane.Kind.ACKS), robust=True)
