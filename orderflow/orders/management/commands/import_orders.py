import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orderflow.orders.importing.importer import ImportSummary, import_orders
from orderflow.orders.importing.source import read_source
from orderflow.orders.importing.values import UnusableSource
from orderflow.tenancy.models import Organization

SOME_BAD = 1
UNUSABLE = 2


class Command(BaseCommand):
    help = (
        "Import draft orders from a folder in Northwind's layout or a JSON file of orders. An order that is stored "
        "already stays as it is, and is reported where the file has it otherwise. An order that is not complete in the "
        "file is left out. Exit code 0: everything is stored as the file has it; 1: some rows were bad, or some orders "
        "differ; 2: nothing could be done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="the folder or the JSON file")
        parser.add_argument("--organization", required=True, metavar="SLUG", help="whose orders they are")
        parser.add_argument(
            "--create-organization",
            metavar="NAME",
            nargs="?",
            const="",
            help="make the organization when it is missing",
        )
        parser.add_argument("--user", default="import_orders", metavar="NAME", help="who is recorded as importing")
        parser.add_argument(
            "--update",
            action="store_true",
            help="give orders that differ the file's content, as long as they are not approved",
        )
        parser.add_argument("--dry-run", action="store_true", help="do everything and keep nothing")
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        summary = self._run(options)
        if options["json"]:
            self.stdout.write(_as_json(summary, dry_run=options["dry_run"]))
        else:
            self._print(summary, dry_run=options["dry_run"])
        if not summary.is_good:
            raise CommandError(_what_is_left(summary), returncode=SOME_BAD)

    def _run(self, options: dict[str, Any]) -> ImportSummary:
        try:
            source = read_source(options["path"])
        except UnusableSource as error:
            raise CommandError(str(error), returncode=UNUSABLE) from error
        with transaction.atomic() if options["dry_run"] else nullcontext():
            organization = _organization(options["organization"], options["create_organization"])
            with self._progress(len(source.orders)) as on_progress:
                summary = import_orders(
                    source, organization, options["user"], update=options["update"], on_progress=on_progress
                )
            if options["dry_run"]:
                transaction.set_rollback(True)
        return summary

    @contextmanager
    def _progress(self, total: int) -> Iterator[Callable[[int], None]]:
        console = Console(stderr=True)
        if not console.is_terminal:
            yield lambda done: self.stderr.write(f"{done} of {total} orders")
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("Importing orders", total=total)
            yield lambda done: bar.update(task, completed=done)

    def _print(self, summary: ImportSummary, *, dry_run: bool) -> None:
        for told in (*summary.written.remarks, *summary.written.differing, *summary.bad):
            self.stderr.write(str(told))
        for name, count in _counts(summary).items():
            self.stdout.write(f"{name.replace('_', ' ').capitalize():<14}{count:>7}")
        if dry_run:
            self.stdout.write("Dry run: nothing was kept.")


def _organization(slug: str, name_if_missing: str | None) -> Organization:
    """`name_if_missing` None: it has to be there; empty: the slug is its name too."""
    found = Organization.objects.filter(slug=slug).first()
    if found:
        return found
    if name_if_missing is None:
        hint = "Check the slug, or add --create-organization NAME."
        raise CommandError(f"There is no organization {slug!r}. {hint}", returncode=UNUSABLE)
    organization = Organization(slug=slug, name=name_if_missing or slug)
    try:
        organization.full_clean()
    except ValidationError as error:
        reasons = "; ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
        raise CommandError(f"The organization cannot be made. {reasons}", returncode=UNUSABLE) from error
    organization.save()
    return organization


def _counts(summary: ImportSummary) -> dict[str, int]:
    return {
        "imported": summary.written.imported,
        "ready": summary.written.ready,
        "needs_review": summary.needs_review,
        "already_there": summary.written.already_there,
        "updated": len(summary.written.updated),
        "differing": len(summary.written.differing),
        "bad_rows": len(summary.bad),
    }


def _as_json(summary: ImportSummary, *, dry_run: bool) -> str:
    told = {
        "bad": [asdict(row) for row in summary.bad],
        "differences": [asdict(order) for order in (*summary.written.differing, *summary.written.updated)],
        "remarks": summary.written.remarks,
    }
    return json.dumps({**_counts(summary), **told, "dry_run": dry_run}, ensure_ascii=False, indent=2)


def _what_is_left(summary: ImportSummary) -> str:
    bad, differing = len(summary.bad), len(summary.written.differing)
    sentences = []
    if bad:
        rows = "1 row was" if bad == 1 else f"{bad} rows were"
        sentences.append(f"{rows} bad; their orders were left out. Correct the file and import it again.")
    if differing:
        orders = "1 order differs" if differing == 1 else f"{differing} orders differ"
        sentences.append(f"{orders} from what is stored and stayed as stored.")
    return " ".join(sentences)
