import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exports.recovery import decisions
from exports.recovery.decisions import NotHeld
from exports.recovery.recover import LanesBusy, accept, recover
from exports.recovery.report import Report

# Exit codes: 0 is "nothing for a person to decide".
PERSON, PROBLEM = 1, 2
WARNING = (
    "Deliveries and polls go on without a recovery. Orders that were sent since the backup may be sent AGAIN, and what "
    "the ERP has of the others is unknown to the database."
)


class Command(BaseCommand):
    help = (
        "After a restored backup or a failover that lost commits: reconstruct exports, orders and states from the "
        "journal outside the database, the archived documents, the dropzones and the acknowledgements, then let "
        "deliveries and polls go on. May be interrupted and run again. Exits with 0 when nothing is left to decide, "
        "with 1 when a person has to, with 2 when it could not be done. See docs/how-to/back-up-and-restore.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--dry-run", action="store_true", help="Only tell what would be done.")
        what.add_argument("--accept", action="store_true", help=f"Recover nothing. {WARNING}")
        what.add_argument(
            "--sent", nargs="+", metavar="NAME", help="These held exports were sent: record them as SENT."
        )
        what.add_argument("--send", nargs="+", metavar="NAME", help="These held exports were not sent: let them go.")
        parser.add_argument(
            "--distrust",
            action="store_true",
            help="The journal and the archive went back too, such as with a snapshot of the whole machine: hold "
            "whatever neither the dropzones nor the acknowledgements tell.",
        )
        parser.add_argument("--report", type=Path, metavar="FILE", help="Write the whole report to this file as well.")
        parser.add_argument("--json", action="store_true", help="The report as JSON.")
        parser.add_argument("--user", default="recover", help="Whom the history names.")

    def handle(self, **options: Any) -> None:
        try:
            if options["accept"]:
                self.stderr.write(self.style.WARNING(WARNING))
                accept()
            elif options["sent"] or options["send"]:
                self._decide(options)
            else:
                self._recover(options)
        except (LanesBusy, NotHeld) as error:
            raise CommandError(str(error), returncode=PROBLEM) from error

    def _decide(self, options: dict[str, Any]) -> None:
        exports = [decisions.held(name) for name in options["sent"] or options["send"]]
        for export in exports:
            if options["sent"]:
                decisions.was_sent(export, actor=options["user"], why=f"{options['user']} says that it was sent.")
            else:
                decisions.was_not_sent(export, actor=options["user"], why=f"{options['user']} says that it was not.")
            self.stdout.write(f"{export.filename}: {'SENT' if options['sent'] else 'goes with the next delivery'}")

    def _recover(self, options: dict[str, Any]) -> None:
        report = Report(dry_run=options["dry_run"])
        recover(report, progress=self.stderr.write, distrust=options["distrust"])
        text = self._text(report, options, shown=20)
        self.stdout.write(text)
        if options["report"]:
            options["report"].write_text(self._text(report, options, shown=10**9) + "\n", encoding="utf-8")
        if report.needs_a_person:
            reason = "Some exports need a person: see above, and docs/how-to/back-up-and-restore.md."
            raise CommandError(reason, returncode=PERSON)

    def _text(self, report: Report, options: dict[str, Any], *, shown: int) -> str:
        if options["json"]:
            at = datetime.now(UTC).isoformat(timespec="seconds")
            return json.dumps({"at": at, **report.as_json()}, indent=2, ensure_ascii=False)
        return "\n".join(report.lines(shown=shown))
