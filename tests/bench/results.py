"""What a benchmark came to: tables of figures, the bars that they are held to, and what a unit of work costs."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Ways = Mapping[str, Callable[[], float]]
Series = Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """`bar` is what is demanded, `value` what was measured, both for people."""

    figure: str
    bar: str
    value: str
    met: bool


@dataclass(frozen=True, kw_only=True)
class Result:
    """`told` is what has to be known to read the tables. `costs` are measured constants by their name, in ms of CPU
    unless the name says otherwise: what docs/measurements/scaling.md reckons with."""

    told: str
    tables: Sequence[Table]
    bars: Sequence[Bar] = ()
    costs: Mapping[str, float] = field(default_factory=dict)


def in_turn(rounds: int, ways: Ways) -> dict[str, list[float]]:
    """One figure per way and round; the rounds are interleaved, so that what disturbs the machine disturbs all."""
    figures: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, measure in ways.items():
            figures[way].append(measure())
    return figures


def times(series: Series, peer: Series) -> float:
    """How many times the peer's figure, round by round; the median."""
    return statistics.median(mine / theirs for mine, theirs in zip(series, peer, strict=True))


def percentile(series: Series, percent: int) -> float:
    return sorted(series)[min(len(series) - 1, round(len(series) * percent / 100))]


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(series: Series) -> tuple[str, str, str]:
    return number(statistics.median(series)), number(min(series)), number(max(series))


def compared(title: str, unit: str, figures: Mapping[str, Series], *, peer: str) -> Table:
    rows = [(way, *spread(series), number(times(series, figures[peer]))) for way, series in figures.items()]
    return Table(title=title, columns=("way", f"median {unit}", "min", "max", f"x {peer}"), rows=rows)


def at_least(figure: str, bar: float, value: float, unit: str = "x") -> Bar:
    return Bar(figure=figure, bar=f"at least {bar:g} {unit}", value=f"{number(value)} {unit}", met=value >= bar)


def at_most(figure: str, bar: float, value: float, unit: str = "x") -> Bar:
    return Bar(figure=figure, bar=f"at most {bar:g} {unit}", value=f"{number(value)} {unit}", met=value <= bar)


def exactly(figure: str, bar: int, value: int, unit: str) -> Bar:
    return Bar(figure=figure, bar=f"{bar:,} {unit}", value=f"{value:,} {unit}", met=value == bar)
