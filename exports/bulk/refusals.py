"""Why orders were refused: counted by the kind of reason, one told in words."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from connectors.exceptions import ConnectorError
from exports.models.status import PushRefused


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusals:
    """`example` is the first of them."""

    count: int
    example: str


Grouped = dict[str, Refusals]


def grouped(refusals: Iterable[Exception]) -> Grouped:
    groups: Grouped = {}
    for refusal in refusals:
        code = getattr(refusal, "code", type(refusal).__name__)
        groups = added(groups, {code: Refusals(count=1, example=_told(refusal))})
    return groups


def added(groups: Grouped, more: Grouped) -> Grouped:
    """The examples of `groups` stay."""
    sums = {
        code: Refusals(count=groups[code].count + group.count, example=groups[code].example)
        for code, group in more.items()
        if code in groups
    }
    return {**groups, **more, **sums}


def stored(groups: Grouped) -> dict[str, Any]:
    return {code: asdict(group) for code, group in groups.items()}


def from_stored(groups: Mapping[str, Any]) -> Grouped:
    return {code: Refusals(**group) for code, group in groups.items()}


def _told(refusal: Exception) -> str:
    # What was not foreseen may say anything.
    readable = isinstance(refusal, PushRefused | ConnectorError)
    return str(refusal)[:500] if readable else "Something went wrong; OrderFlow's log says what."
