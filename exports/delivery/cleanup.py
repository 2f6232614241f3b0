"""Temporary files that a crash left at a dropzone: ours only, long after their export's end, and never a last trace.

A file that was journaled and not answered stays: it may be all that tells whether the order was ever published.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from connectors.connections import health
from connectors.exceptions import ConfigError, ConnectorError
from connectors.fencing import LeaseLost
from connectors.models import ERPConnection
from connectors.registry import registry
from connectors.third_party.errors import guarded
from connectors.types.file_batches import batches
from connectors.types.inspection import InspectableConnector, Inspection, PlacedFile
from exports.delivery.stale_temporaries import stale_temporaries
from exports.lanes import leases
from exports.models import ERPExport, Lane

EVERY = timedelta(days=1)
# So that they do not all come at once when an installation starts.
AT_ONCE = 100


def due() -> list[UUID]:
    """Some of the connections that have not been looked through for a day."""
    lately = Lane.objects.filter(connection=OuterRef("pk"), kind=Lane.Kind.TIDYING, last_run_at__gt=Now() - EVERY)
    rows = health.usable().filter(Exists(ERPExport.objects.filter(connection=OuterRef("pk"))), ~Exists(lately))
    return list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])


def tidy_up(connection_id: UUID) -> int:
    """Remove what nobody needs any more, unless another worker does; tells how many files. Raises `ConnectorError`."""
    with leases.holding(connection_id, Lane.Kind.TIDYING) as lease:
        connection = health.usable().select_related("organization").filter(pk=connection_id).first()
        if lease is None or connection is None:
            return 0
        try:
            removed = _tidy_up(connection, lease)
        except LeaseLost:
            return 0
        except ConnectorError as error:
            leases.note(lease, error)
            raise
        leases.note(lease, None)
    return removed


def _tidy_up(connection: ERPConnection, lease: leases.Lease) -> int:
    removed = 0
    with ExitStack() as stack:
        inspection = _open(connection, stack, lease)
        if inspection is None:
            return 0
        for batch in batches(file for file in inspection.documents() if file.temporary_of):
            leases.renew(lease)
            outcomes = inspection.remove(_needless(connection, batch))
            for error in outcomes:
                if error:
                    raise error
            removed += len(outcomes)
    return removed


def _open(connection: ERPConnection, stack: ExitStack, lease: leases.Lease) -> Inspection | None:
    """None where nobody can look. Refused credentials block the connection before a next try; a folder that may be
    written to and not be listed does not."""
    try:
        with guarded(connection.connector_type):
            connector = registry.create(connection.connector_type)
            if not isinstance(connector, InspectableConnector):
                return None
            config = connection.runtime_config(ends_at=lease.ends_at, fence=lease.fence)
            return stack.enter_context(connector.open_inspection(config))
    except ConfigError as error:
        health.block(connection.pk, str(error), missing_key=error.missing_key, revision=connection.revision)
        raise


def _needless(connection: ERPConnection, batch: Sequence[PlacedFile]) -> list[PlacedFile]:
    exports = ERPExport.objects.filter(connection=connection)
    return [file for file, _ in stale_temporaries(exports, batch)]
