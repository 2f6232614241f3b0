"""Many values as one parameter. Psycopg makes an array of them a value at a time, in ten times as long."""

from collections.abc import Iterable


def array_of(values: Iterable[object]) -> str:
    """PostgreSQL's own text for an array of one dimension. No value may be None, or an array itself."""
    return "{" + ",".join([f'"{_escaped(str(value))}"' for value in values]) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
