"""What people read: tables in the terminal, and between two markers in docs/performance.md and docs/scaling.md.

docs/performance.json keeps the newest result of each benchmark, so that running one leaves the others' in the pages.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as TerminalTable

from tests.bench import machine, scaling
from tests.bench.bench import ROOT
from tests.bench.benchmarks import NAMES
from tests.bench.results import Bar, Result, Table

KEPT = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
SCALING = ROOT / "docs" / "scaling.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
BARS = ("figure", "bar", "measured", "met")

_console = Console()


def show(name: str, result: Result, took_s: float) -> None:
    _console.rule(f"{name} ({took_s:.0f} s)")
    _console.print(result.told)
    for table in result.tables:
        _console.print(_in_terminal(table))


def show_bars(results: Mapping[str, Result]) -> None:
    rows = [row for result in results.values() for row in _bar_rows(result)]
    _console.print(_in_terminal(Table(title="Bars", columns=BARS, rows=rows)))


def keep(name: str, result: Result) -> None:
    earlier = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    found = earlier | {name: asdict(result) | {"measured": machine.described()}}
    kept = {name: found[name] for name in NAMES if name in found}
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    _write_between(PAGE, _page(kept))
    if set(scaling.NEEDED) <= kept.keys():
        _write_between(SCALING, (_titled(table) for table in scaling.tables(kept)))


def _write_between(page: Path, parts: Iterable[str]) -> None:
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    text = "\n".join(parts)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def _page(kept: Mapping[str, Any]) -> Iterator[str]:
    yield "## Bars\n"
    rows = [row for result in kept.values() for row in _bar_rows(_restored(result))]
    yield _in_markdown(Table(title="", columns=BARS, rows=rows))
    for name, found in kept.items():
        result = _restored(found)
        yield f"## {name.replace('_', ' ').capitalize()}\n"
        yield f"{result.told}\n"
        yield from map(_titled, result.tables)
    yield "## Where and when\n"
    for described, names in _places(kept).items():
        yield f"{', '.join(names)}: {described}.\n"


def _places(kept: Mapping[str, Any]) -> dict[str, list[str]]:
    """The benchmarks by where and when they ran: mostly one line."""
    places: dict[str, list[str]] = {}
    for name, found in kept.items():
        places.setdefault("; ".join(found["measured"].values()), []).append(f"`{name}`")
    return places


def _restored(kept: Mapping[str, Any]) -> Result:
    return Result(
        told=kept["told"],
        tables=[Table(**table) for table in kept["tables"]],
        bars=[Bar(**bar) for bar in kept["bars"]],
        costs=kept["costs"],
    )


def _bar_rows(result: Result) -> list[tuple[str, str, str, str]]:
    return [(bar.figure, bar.bar, bar.value, "yes" if bar.met else "NO") for bar in result.bars]


def _in_terminal(table: Table) -> TerminalTable:
    shown = TerminalTable(*table.columns, title=table.title)
    for row in table.rows:
        shown.add_row(*row)
    return shown


def _titled(table: Table) -> str:
    return f"{table.title}:\n\n{_in_markdown(table)}"


def _in_markdown(table: Table) -> str:
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
