"""Reconstruct what a database forgot that went back in time, then let the lanes go."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models.functions import Now

from connectors.connections import health
from connectors.exceptions import ConnectorError, LoginRefusedError
from connectors.models import ERPConnection
from exports.models import ERPExport, Lane
from exports.models.installation import Installation
from exports.models.status import ExportStatus
from exports.recovery import acks, documents, lost, release
from exports.recovery.doubt import Doubt
from exports.recovery.lost import Lost
from exports.recovery.report import Named, Report
from exports.recovery.rows import Restoring
from exports.rollback import guard
from orderflow.tenancy.models import Organization

# How long deliveries that are under way have to end.
PATIENCE_S = 60.0
STARTED = "`manage.py recover` was started."

Progress = Callable[[str], None]


class LanesBusy(Exception):
    """Workers are still at it."""


def recover(report: Report, progress: Progress = lambda _: None, *, distrust: bool = False) -> None:
    """Idempotent; one that was killed is run again. With `distrust`, journal and archive may have been set back
    together with the database. Raises `LanesBusy`."""
    if report.dry_run:
        with _rolled_back():
            _recover(report, progress, distrust=distrust)
        return
    guard.hold(STARTED)
    _wait_for_workers()
    _recover(report, progress, distrust=distrust)


def accept() -> None:
    """Let the lanes go without a recovery. What was sent since may be sent again. Raises `LanesBusy`."""
    guard.hold(STARTED)
    _wait_for_workers()
    row = guard.installation_row()
    release.adopt_identity(row)
    release.adopt(lost.find(row, Report()).marks)
    release.release()


def _recover(report: Report, progress: Progress, *, distrust: bool) -> None:
    row = guard.installation_row()
    identity = row.uuid
    if several := release.adopt_identity(row):
        report.problems.append(f"Several journals lie outside, of {', '.join(several)}. None was used.")
    progress("Reading the journal outside the database")
    found = lost.find(row, report)
    _restore(found, report, progress)
    progress("Judging what the journal does not cover")
    covers_all = found.is_complete and row.uuid == identity and not several and not distrust
    for organization in Organization.objects.order_by("pk"):
        if not covers_all or not _journals(organization):
            Doubt(organization=organization, report=report, distrust=distrust).settle()
    progress("Reading acknowledgements in processed/")
    for connection in ERPConnection.objects.select_related("organization").order_by("pk"):
        _acknowledge(connection, report)
    report.held = _held()
    release.adopt(found.marks)
    release.release()
    report.released = True


def _restore(found: Lost, report: Report, progress: Progress) -> None:
    names = {line.export_id: line.filename for chunk in found.chunks(Report()) for line in chunk}
    restoring = Restoring(report=report, names=names)
    done = 0
    for chunk in found.chunks(report):
        restoring.restore(chunk)
        done += len(chunk)
        progress(f"Journal lines read: {done}")


def _journals(organization: Organization) -> bool:
    """Whether nothing of it is published without a journal."""
    for connection in ERPConnection.objects.filter(organization=organization):
        try:
            if not connection.stored_config().get("atomic_write", False):
                return False
        except ConnectorError:
            return False
    return True


def _acknowledge(connection: ERPConnection, report: Report) -> None:
    try:
        documents.require_reachable(connection)
        acks.enter_again(connection, report)
    except ConnectorError as error:
        report.problems.append(f"The acknowledgements of connection {connection.name!r} cannot be read: {error}")
        reason = f"{documents.BLOCKED}: {error} Run `manage.py recover` again when it can be reached."
        if isinstance(error, LoginRefusedError):
            # Not one of those that recover itself attempts again.
            reason = f"{error} Then run `manage.py recover` again."
        health.block(connection.pk, reason, revision=connection.revision)
        return
    if connection.blocked_reason.startswith(documents.BLOCKED):
        health.release(connection.pk, actor="recover", cause="Its acknowledgements can be read.")


def _held() -> list[Named]:
    """All that are held by now, also by an earlier run; an acknowledgement may have decided some since."""
    rows = (
        ERPExport.objects.filter(status=ExportStatus.PENDING)
        .filter(undecided_since__isnull=False)
        .order_by("created_at", "pk")
    )
    return [Named(name=name, why=why) for name, why in rows.values_list("filename", "error_message")]


def _wait_for_workers() -> None:
    end = time.monotonic() + PATIENCE_S
    while Lane.objects.filter(leased_until__gte=Now()).exists():
        if time.monotonic() > end:
            raise LanesBusy(f"Workers have been delivering for {PATIENCE_S:.0f} s. Stop them and run it again.")
        time.sleep(0.2)


@contextmanager
def _rolled_back() -> Iterator[None]:
    with transaction.atomic():
        Installation.objects.get_or_create(pk=Installation.KEY)
        yield
        transaction.set_rollback(True)
