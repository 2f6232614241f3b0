"""What a comparison found, as people and programs read it: written as it comes, so that nothing piles up."""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence

from exports.reconciliation.findings import Finding, Kind
from exports.reconciliation.run import Run

Write = Callable[[str], object]


class Report(ABC):
    """`begin`, then `add` for each batch, then `end`; `write` takes lines."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self.counts: Counter[Kind] = Counter()
        self.repaired = 0

    @abstractmethod
    def begin(self, run: Run) -> None: ...

    def add(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._finding(finding)
            self.counts[finding.kind] += 1
            self.repaired += finding.repaired

    @abstractmethod
    def end(self, error: str) -> None:
        """`error` says why the comparison broke off, or is empty."""

    @abstractmethod
    def _finding(self, finding: Finding) -> None: ...


class TextReport(Report):
    def begin(self, run: Run) -> None:
        self._write(f"{run.connection.name}, exports from {run.since:%Y-%m-%d %H:%M} to {run.until:%Y-%m-%d %H:%M %Z}")

    def end(self, error: str) -> None:
        if not error and not self.counts:
            self._write("Database, dropzone and copies agree.")

    def _finding(self, finding: Finding) -> None:
        export = f"export {finding.export_id}" if finding.export_id else ""
        where = ", ".join(filter(None, (finding.file, export)))
        self._write(f"{finding.kind}: {where}\n  {finding.kind.meaning}")
        repair = finding.kind.repair
        if finding.repaired or finding.problem:
            self._write(f"  Mended: {repair}." if finding.repaired else f"  Not mended: {finding.problem}")
        elif repair:
            self._write(f"  --repair {repair}: {repair.does}")


class JsonReport(Report):
    """One object: connection, since, until, repair, findings, counts, repaired, error. A finding is one line of it."""

    def begin(self, run: Run) -> None:
        head = {
            "organization": run.connection.organization.slug,
            "connection": run.connection.name,
            "since": run.since.isoformat(),
            "until": run.until.isoformat(),
            "repair": sorted(run.repairs),
        }
        self._write(json.dumps(head).removesuffix("}") + ', "findings": [')

    def end(self, error: str) -> None:
        tail = {"counts": dict(sorted(self.counts.items())), "repaired": self.repaired, "error": error or None}
        self._write("], " + json.dumps(tail).removeprefix("{"))

    def _finding(self, finding: Finding) -> None:
        repair = finding.kind.repair
        described = {
            "kind": finding.kind,
            "export": finding.export_id and str(finding.export_id),
            "file": finding.file,
            "meaning": finding.kind.meaning,
            "repair": repair,
            "repair_does": repair and repair.does,
            "repaired": finding.repaired,
            "problem": finding.problem or None,
        }
        self._write((", " if self.counts else "  ") + json.dumps(described))
