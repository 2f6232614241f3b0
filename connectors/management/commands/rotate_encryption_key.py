import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from connectors.rotation import rotate


class Command(BaseCommand):
    help = (
        "Encrypt every connection's config with ENCRYPTION_MASTER_KEY. Set the new key there and the old one in "
        "ENCRYPTION_PREVIOUS_KEYS, run this until it exits with 0, then drop the old one. Safe to stop and repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only tell what would be encrypted anew.")
        parser.add_argument("--json", action="store_true", help="Print the outcome as JSON.")

    def handle(self, **options: Any) -> None:
        rotated, problems = 0, []
        for step in rotate(dry_run=options["dry_run"]):
            rotated += not step.problem
            if step.problem:
                problems.append(step.problem)
                self.stderr.write(step.problem)
        if options["json"]:
            self.stdout.write(json.dumps({"rotated": rotated, "problems": problems, "dry_run": options["dry_run"]}))
        else:
            self.stdout.write(f"{rotated} configs {'would be' if options['dry_run'] else 'were'} encrypted anew.")
        if problems:
            raise CommandError(f"{len(problems)} configs could not be decrypted.")
