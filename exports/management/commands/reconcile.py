from argparse import ArgumentTypeError
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from connectors.connections.lookup import UnknownConnection, connection_named
from connectors.exceptions import ConnectorError
from exports.lanes.leases import LaneLost
from exports.reconciliation.documents import StorageUnreadable
from exports.reconciliation.findings import Repair
from exports.reconciliation.reconcile import Stage, Step, reconcile
from exports.reconciliation.report import JsonReport, Report, TextReport
from exports.reconciliation.run import LaneBusy, Run

SPAN = timedelta(days=7)
# Exit codes: 0 is "nothing found".
FOUND, PROBLEM = 1, 2
COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else timezone.make_aware(moment)


def _repairs(text: str) -> frozenset[Repair]:
    words = {word.strip() for word in text.split(",")}
    if unknown := sorted(words - set(Repair)):
        raise ArgumentTypeError(f"there is no repair {unknown[0]!r}; there are {', '.join(Repair)}")
    return frozenset(map(Repair, words))


class Command(BaseCommand):
    help = (
        "Hold the database, the dropzone and the stored copies of a connection against each other. Changes nothing "
        "unless --repair names what it may do. Exits with 0 when nothing was found, with 1 when something was, mended "
        "or not, with 2 when they could not be compared."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="The organization's slug.")
        parser.add_argument("connection", nargs="?", help="The connection's name; without one, the default.")
        parser.add_argument("--since", type=_moment, help="Exports created from then on, ISO 8601; default: 7 days.")
        parser.add_argument("--until", type=_moment, help="Exports created before then; default: now.")
        parser.add_argument("--json", action="store_true", help="Print the outcome as JSON.")
        either = parser.add_mutually_exclusive_group()
        either.add_argument("--dry-run", action="store_true", help="Only tell; so does leaving --repair out.")
        what = "; ".join(f"{repair}: {repair.does}" for repair in Repair)
        either.add_argument(
            "--repair", type=_repairs, default=frozenset(), metavar="WHAT[,WHAT]", help=f"What may be mended. {what}"
        )

    def handle(self, **options: Any) -> None:
        run = self._run(options)
        report = (JsonReport if options["json"] else TextReport)(self.stdout.write)
        report.begin(run)
        error = self._compare(run, report)
        report.end(error)
        if error:
            raise CommandError(error, returncode=PROBLEM)
        if found := report.counts.total():
            raise CommandError(f"{found} findings, {report.repaired} of them mended.", returncode=FOUND)

    def _run(self, options: dict[str, Any]) -> Run:
        try:
            connection = connection_named(options["organization"], options["connection"])
        except UnknownConnection as error:
            raise CommandError(str(error), returncode=PROBLEM) from error
        until = options["until"] or timezone.now()
        since = options["since"] or until - SPAN
        if since >= until:
            raise CommandError(f"--since {since} is not before --until {until}.", returncode=PROBLEM)
        return Run(connection=connection, since=since, until=until, repairs=options["repair"])

    def _compare(self, run: Run, report: Report) -> str:
        """What it broke off with, or empty."""
        console = Console(stderr=True)
        with Progress(*COLUMNS, console=console, transient=True, disable=not console.is_terminal) as progress:
            bars: dict[Stage, TaskID] = {}
            try:
                for step in reconcile(run):
                    if step.stage not in bars:
                        bars[step.stage] = progress.add_task(step.stage, total=None)
                    progress.advance(bars[step.stage], step.looked_at)
                    _add(report, step, progress)
            except (ConnectorError, LaneBusy, LaneLost, StorageUnreadable) as error:
                return str(error)
        return ""


def _add(report: Report, step: Step, progress: Progress) -> None:
    """With the bar out of the way: both may be on one terminal."""
    bar_is_shown = step.findings and not progress.disable
    if bar_is_shown:
        progress.stop()
    report.add(step.findings)
    if bar_is_shown:
        progress.start()
