"""The version of a row that a page shows: pages carry it, and what they send is compared with it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.timezone import localtime

from orderflow.tenancy.models import VALUES, AuditEntry

# Hidden fields of a page: the version of its row, and each field's value as it was rendered.
SEEN = "_seen"
SEEN_VALUES = "_seen_values"

# Of the changes since a page was loaded, the newest.
CHANGES_TOLD = 5


def row_field(key: Any) -> str:
    """The hidden field of a list that carries the version of the row with this key."""
    return f"{SEEN}-{key}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a page showed, as a digest, and when. Two with the same digest show the same."""

    digest: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.digest}.{int(self.at.timestamp() * 1000)}"


def parse(text: str) -> Seen | None:
    """None for anything but the text of a `Seen`."""
    digest, _, milliseconds = text.partition(".")
    if not (digest and milliseconds.isascii() and milliseconds.isdecimal() and len(milliseconds) < 15):
        return None
    return Seen(digest=digest, at=datetime.fromtimestamp(int(milliseconds) / 1000, UTC))


def digest_of(values: Any) -> str:
    """Keyed, because `values` may include secrets and the digest is public."""
    text = json.dumps(values, default=_text, sort_keys=True)
    return salted_hmac("orderflow.tenancy.seen", text, algorithm="sha256").hexdigest()[:32]


def column_values(row: models.Model, *, without: frozenset[str]) -> dict[str, Any]:
    return {f.attname: f.value_from_object(row) for f in row._meta.concrete_fields if f.name not in without}


def _text(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return str(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Who changed a row after a page was loaded, as far as the audit has it."""

    entries: list[AuditEntry]
    viewer: str

    def of_others(self) -> "Changes":
        return replace(self, entries=[entry for entry in self.entries if entry.actor != self.viewer])

    @property
    def are_own(self) -> bool:
        return bool(self.entries) and all(entry.actor == self.viewer for entry in self.entries)

    def __str__(self) -> str:
        if not self.entries:
            return "The audit names no person who changed it since then."
        return " ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        for entry in self.entries:
            who = "you" if entry.actor == self.viewer else entry.actor
            told = "; ".join(value for name, value in entry.detail.items() if value and name != VALUES)
            at = f"{localtime(entry.at):%Y-%m-%d %H:%M:%S}"
            yield f"{entry.action.capitalize()} by {who} at {at}{f' ({told.rstrip(chr(46))})' if told else ''}."


def changes_since(rows: list[models.Model], at: datetime | None, viewer: str) -> Changes:
    """To any of `rows`, the newest last; without `at`, the newest that there is."""
    found = AuditEntry.objects.none()
    for row in rows:
        found |= AuditEntry.objects.filter(subject_type=row._meta.model_name, subject_id=str(row.pk))
    newest = found.order_by("-id")
    entries = newest.filter(at__gte=at)[:CHANGES_TOLD] if at else newest[:1]
    return Changes(entries=list(entries)[::-1], viewer=viewer)
