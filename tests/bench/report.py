"""What people read: tables in the terminal, and between two markers in a page of docs/."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as TerminalTable

from tests.bench import machine
from tests.bench.results import Bar, Result, Table

Kept = Mapping[str, Any]
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
BARS = ("figure", "bar", "measured", "met")

_console = Console()


@dataclass(frozen=True, kw_only=True)
class Report:
    """`kept` keeps the newest result of each of `names`, so that measuring one leaves the others' in the page."""

    page: Path
    kept: Path
    names: Sequence[str]

    def keep(self, name: str, result: Result, *, again: str = "") -> Kept:
        """`again` is the command that makes these very figures again. All that is kept now."""
        earlier = json.loads(self.kept.read_text()) if self.kept.exists() else {}
        mine = asdict(result) | {"measured": machine.described()} | ({"again": again} if again else {})
        found = earlier | {name: mine}
        kept = {name: found[name] for name in self.names if name in found}
        self.kept.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        write_between_markers(self.page, _page(kept))
        return kept


def show(name: str, result: Result, took_s: float) -> None:
    _console.rule(f"{name} ({took_s:.0f} s)")
    _console.print(result.told)
    for table in result.tables:
        _console.print(_in_terminal(table))


def show_bars(results: Mapping[str, Result]) -> None:
    rows = [row for result in results.values() for row in _bar_rows(result)]
    _console.print(_in_terminal(Table(title="Bars", columns=BARS, rows=rows)))


def restored(kept: Kept) -> Result:
    return Result(
        told=kept["told"],
        tables=[Table(**table) for table in kept["tables"]],
        bars=[Bar(**bar) for bar in kept["bars"]],
        costs=kept["costs"],
    )


def write_between_markers(page: Path, parts: Iterable[str]) -> None:
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    text = "\n".join(parts)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def _page(kept: Kept) -> Iterator[str]:
    yield "## Bars\n"
    rows = [row for result in kept.values() for row in _bar_rows(restored(result))]
    yield _in_markdown(Table(title="", columns=BARS, rows=rows))
    for name, found in kept.items():
        result = restored(found)
        yield f"## {name.replace('_', ' ').capitalize()}\n"
        yield f"{result.told}\n"
        if "again" in found:
            yield f"Again: `{found['again']}`.\n"
        yield from map(titled, result.tables)
    yield "## Where and when\n"
    for described, names in _places(kept).items():
        yield f"{', '.join(names)}: {described}.\n"


def _places(kept: Kept) -> dict[str, list[str]]:
    """What ran, by where and when: mostly one line."""
    places: dict[str, list[str]] = {}
    for name, found in kept.items():
        places.setdefault("; ".join(found["measured"].values()), []).append(f"`{name}`")
    return places


def _bar_rows(result: Result) -> list[tuple[str, str, str, str]]:
    return [(bar.figure, bar.bar, bar.value, "yes" if bar.met else "NO") for bar in result.bars]


def _in_terminal(table: Table) -> TerminalTable:
    shown = TerminalTable(*table.columns, title=table.title)
    for row in table.rows:
        shown.add_row(*row)
    return shown


def titled(table: Table) -> str:
    return f"{table.title}:\n\n{_in_markdown(table)}"


def _in_markdown(table: Table) -> str:
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
