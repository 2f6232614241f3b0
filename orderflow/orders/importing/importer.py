"""One import: the good orders written in batches, and one line in the audit."""

from collections.abc import Callable
from dataclasses import dataclass

from orderflow.orders.importing.source import Source
from orderflow.orders.importing.values import BadRow
from orderflow.orders.importing.writer import Written, write_batch
from orderflow.tenancy.audit import record
from orderflow.tenancy.models import Organization

BATCH_SIZE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportSummary:
    written: Written
    bad: list[BadRow]

    @property
    def needs_review(self) -> int:
        return self.written.imported - self.written.ready

    @property
    def is_good(self) -> bool:
        """Whether the file is stored as it is."""
        return not self.bad and not self.written.differing


def import_orders(
    source: Source,
    organization: Organization,
    actor: str,
    *,
    update: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ImportSummary:
    """Safe to repeat, also after a run that was killed. `update` as in `write_batch`; `on_progress` hears after each
    batch how many orders are dealt with."""
    written = Written()
    for start in range(0, len(source.orders), BATCH_SIZE):
        batch = source.orders[start : start + BATCH_SIZE]
        written += write_batch(batch, organization, actor, update=update)
        on_progress(start + len(batch))
    summary = ImportSummary(written=written, bad=source.bad)
    _record(summary, source.name, organization, actor)
    return summary


def _record(summary: ImportSummary, source_name: str, organization: Organization, actor: str) -> None:
    record(
        organization.pk,
        actor,
        "import orders",
        organization,
        source=source_name,
        imported=str(summary.written.imported),
        already_there=str(summary.written.already_there),
        updated=str(len(summary.written.updated)),
        differing=str(len(summary.written.differing)),
        bad=str(len(summary.bad)),
    )
