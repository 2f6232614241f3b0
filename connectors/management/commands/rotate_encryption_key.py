import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import track

from connectors.connections.key_rotation import left, rotate


class Command(BaseCommand):
    help = (
        "Encrypt the configs of connections and the secrets of webhooks with ENCRYPTION_MASTER_KEY. "
        "docs/how-to/rotate-keys.md has the steps before and after. Run this until it exits with 0, then drop the old "
        "key. Safe to stop and repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only tell what would be encrypted anew.")
        parser.add_argument("--json", action="store_true", help="Print the outcome as JSON.")

    def handle(self, **options: Any) -> None:
        rotated, problems = 0, []
        steps = rotate(dry_run=options["dry_run"])
        for step in track(steps, "Encrypting", left(), console=Console(stderr=True), transient=True):
            rotated += not step.problem
            if step.problem:
                problems.append(step.problem)
                self.stderr.write(step.problem)
        if options["json"]:
            self.stdout.write(json.dumps({"rotated": rotated, "problems": problems, "dry_run": options["dry_run"]}))
        else:
            self.stdout.write(f"{rotated} secrets {'would be' if options['dry_run'] else 'were'} encrypted anew.")
        if problems:
            raise CommandError(f"{len(problems)} secrets could not be encrypted anew.")
        if not options["dry_run"] and (late := left()):
            raise CommandError(f"{late} secrets were entered under an older key meanwhile. Run this again.")
