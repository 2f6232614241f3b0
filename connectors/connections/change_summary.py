"""What an edit of a connection changed, in words for its history: values as they were and are, secrets by name only."""

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.connections.public_config import PublicConfig, public_config
from connectors.models import ERPConnection

OWN = ("name", "status", "is_default")
# Of a value; a host key is told apart by less.
SHOWN = 100


def changes_told(before: ERPConnection | None, after: ERPConnection, entered: Mapping[str, Any]) -> str:
    """`before` is the row as it was stored, or None for a new one; `entered` are the config's changes."""
    old, new = public_config(before) if before else PublicConfig(values={}), public_config(after)
    own = _differing(_own(before) if before else {}, _own(after))
    config = _differing(old.values or {}, new.values or {})
    return "; ".join([*own, *config, *_secrets(set(old.secrets_set), set(new.secrets_set), entered)])


def _own(connection: ERPConnection) -> dict[str, Any]:
    return {name: getattr(connection, name) for name in OWN}


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        was, is_ = _text(old.get(name)), _text(new.get(name))
        if was != is_:
            yield f"{name}: {_shown(was)} → {_shown(is_)}" if was else f"{name}: {_shown(is_)}"


def _secrets(old: set[str], new: set[str], entered: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(old | new):
        if name not in new:
            yield f"{name}: removed"
        elif entered.get(name):
            yield f"{name}: replaced" if name in old else f"{name}: entered"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
