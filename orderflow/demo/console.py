"""What a person sees of the demo."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.progress_bar import ProgressBar
from rich.table import Table

from exports.models.status import ExportStatus

STEPS = ("Imported", "Approved", "Pushed")
COLORS = {
    ExportStatus.PENDING: "blue",
    ExportStatus.SENT: "yellow",
    ExportStatus.ACKED: "green",
    ExportStatus.FAILED: "red",
}


class ColoredBar(ProgressColumn):
    def render(self, task: Task) -> ProgressBar:
        color = task.fields["color"]
        return ProgressBar(
            total=task.total, completed=task.completed, width=40, complete_style=color, finished_style=color
        )


class Bars:
    """How far the orders are: what was done with them, and how many exports are in each state."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {
            name: progress.add_task(name, total=total, color=color)
            for name, color in [*((step, "white") for step in STEPS), *COLORS.items()]
        }

    def show(self, name: str, count: int) -> None:
        self._progress.update(self._tasks[name], completed=count)

    def show_states(self, counts: Mapping[str, int]) -> None:
        for state in COLORS:
            self.show(state, counts.get(state, 0))


class Screen:
    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def title(self, text: str) -> None:
        self._console.print(f"\n[bold]{text}[/bold]\n")

    def done(self, what: str, detail: str) -> None:
        self._console.print(f"[green]✓[/green] {what:<12}", end="")
        self._console.print(detail, style="dim", markup=False)

    @contextmanager
    def bars(self, total: int) -> Iterator[Bars]:
        columns = (TextColumn("  {task.description:<12}"), ColoredBar(), MofNCompleteColumn())
        self._console.print()
        with Progress(*columns, console=self._console) as progress:
            yield Bars(progress, total)

    def result(self, counts: Mapping[str, int], refusals: Mapping[str, int], seconds: float) -> None:
        table = Table(box=SIMPLE_HEAD)
        table.add_column("State")
        table.add_column("Orders", justify="right")
        table.add_column("What the ERP says")
        for state, color in COLORS.items():
            table.add_row(f"[{color}]{state}[/{color}]", str(counts.get(state, 0)))
        for reason, count in refusals.items():
            table.add_row("", str(count), reason, style="dim")
        self._console.print(table)
        self._console.print(f"  {sum(counts.values())} orders answered in {seconds:.1f} s", style="bold")

    def addresses(self, values: Mapping[str, str]) -> None:
        self._console.print()
        for name, value in values.items():
            self._console.print(f"  {name:<12}", end="")
            self._console.print(value, style="bold", markup=False)
        self._console.print()

    def say(self, text: str) -> None:
        self._console.print(text, markup=False)


def short(path: Path) -> str:
    """As one would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
