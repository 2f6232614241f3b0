"""One comparison: of which connection, over which time, and what may be mended."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from connectors.types.file_batches import BATCH
from exports.lanes import leases as lanes
from exports.models import AckFile, ERPExport, Lane, Verdict, installation
from exports.reconciliation.findings import Finding, Repair

# How long a repair waits for whoever works for the connection just now.
PATIENCE_S = 60


class LaneBusy(Exception):
    """Somebody works for the connection all the time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """`leases` are the connection's lanes, for as long as something is mended."""

    connection: ERPConnection
    since: datetime
    until: datetime
    repairs: frozenset[Repair] = frozenset()
    leases: Sequence[lanes.Lease] = ()

    def keep_lanes(self) -> None:
        """Before each batch. Raises `LaneLost`."""
        for lease in self.leases:
            lanes.renew(lease)

    def is_under_way(self, kind: Lane.Kind) -> bool:
        """Somebody else is at it: what differs may be the same in a moment."""
        held = Lane.objects.filter(connection=self.connection, kind=kind, leased_until__gte=Now())
        return not self.leases and held.exists()

    def exports(self) -> Iterator[list[ERPExport]]:
        """Those of the time span by the batch, oldest first; `answered` says whether an answer settled them."""
        rows = ERPExport.objects.filter(
            connection=self.connection, created_at__gte=self.since, created_at__lt=self.until
        )
        matched = AckFile.objects.filter(export=OuterRef("pk"), verdict=Verdict.MATCHED)
        rows = rows.annotate(answered=Exists(matched)).order_by("created_at", "pk")
        batch = list(rows[:BATCH])
        while batch:
            self.keep_lanes()
            yield batch
            last = batch[-1]
            later = Q(created_at__gt=last.created_at) | Q(created_at=last.created_at, pk__gt=last.pk)
            batch = list(rows.filter(later)[:BATCH])


@contextmanager
def holding_lanes(connection_id: UUID, *, needed: bool) -> Iterator[list[lanes.Lease]]:
    """All lanes of the connection, so that no worker delivers or polls at the same time. Raises `LaneBusy`."""
    if needed and (why := installation.why_held()):
        raise LaneBusy(f"{why} Then repeat the repair.")
    with ExitStack() as stack:
        yield [_held(stack, connection_id, kind) for kind in Lane.Kind] if needed else []


def _held(stack: ExitStack, connection_id: UUID, kind: Lane.Kind) -> lanes.Lease:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        lease = stack.enter_context(lanes.holding(connection_id, kind))
        if lease:
            return lease
        time.sleep(0.2)
    raise LaneBusy(f"Somebody else has worked for the connection for {PATIENCE_S} s. Try again, or stop the workers.")


def mended(finding: Finding, error: ConnectorError | None) -> Finding:
    """The finding with what its repair came to."""
    return replace(finding, repaired=error is None, problem=str(error or ""))
