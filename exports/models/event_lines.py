"""What the log says of each step of an export: when an order left, over which connection, and what became of it.

The lines of a call or of an admin page have its request id; those of a worker name the same export. A batch shares
lines: to write one costs a worker about half as much as to record an acknowledgement.
"""

import logging
from collections.abc import Mapping
from functools import partial
from uuid import UUID

from django.db import DatabaseError, transaction

from connectors.text.sanitize import tame
from exports.models import ERPExport

logger = logging.getLogger(__name__)

# Of an error message.
SHOWN = 300
# Some log collectors cut a line at 16 kB.
EXPORTS_PER_LINE = 25


def steps(what: str, details: Mapping[UUID, str]) -> None:
    """Log `what` happened to each export of `details`, which are by export id, once the caller's transaction is
    committed: `EXPORTS_PER_LINE` exports to a line."""
    if details and logger.isEnabledFor(logging.INFO):
        transaction.on_commit(partial(_write_all, what, dict(details)), robust=True)


def step(what: str, export: ERPExport, detail: str) -> None:
    """As `steps`, for an export that is in memory with its order and its connection."""
    if not logger.isEnabledFor(logging.INFO):
        return
    order = export.draft_order.external_order_number or str(export.draft_order_id)
    told = _export(order, export.filename, export.connection.name, detail)
    transaction.on_commit(partial(logger.info, "%s: %s", what, told), robust=True)


def _write_all(what: str, details: Mapping[UUID, str]) -> None:
    columns = ("pk", "draft_order__external_order_number", "draft_order_id", "filename", "connection__name")
    rows = ERPExport.objects.filter(pk__any_of=list(details)).order_by("created_at", "pk")
    try:
        found = list(rows.values_list(*columns))
    except DatabaseError:
        # It happened all the same.
        found = [(pk, "", "?", str(pk), "?") for pk in details]
    told = [
        _export(number or str(order_id), filename, connection, details[pk])
        for pk, number, order_id, filename, connection in found
    ]
    for start in range(0, len(told), EXPORTS_PER_LINE):
        logger.info("%s: %s", what, " | ".join(told[start : start + EXPORTS_PER_LINE]))


def _export(order: str, filename: str, connection: str, detail: str) -> str:
    told = f" {tame(detail, SHOWN)}" if detail else ""
    return f"order {tame(order)}, export {tame(filename)}, connection {tame(connection)!r}.{told}"
