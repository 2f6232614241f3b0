"""Bring everything that is encrypted under the current key. Each row is its own step, so a rotation that was stopped
goes on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import BinaryField, Q, QuerySet
from django.db.models.functions import Substr

from connectors.encrypted_model import Sealed, key_ring, sealed_models
from connectors.encryption import KEY_ID_SIZE, VERSION, envelopes_begin
from connectors.exceptions import ConfigError

PAGE = 500
# Somebody who keeps editing one row at that pace is left to the next run.
TRIES = 5

S = TypeVar("S", bound=Sealed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotated:
    """`problem` is empty when the row is under the current key by now, or would be in a dry run."""

    row: Sealed
    problem: str = ""


def outdated(model: type[S]) -> QuerySet[S]:
    """Rows that are not under the current key; an unreadable envelope counts as one."""
    rows: QuerySet[Any] = model._default_manager.annotate(
        sealed_by=Substr(model.sealed_column, 1, len(VERSION) + KEY_ID_SIZE, output_field=BinaryField())
    )
    # SQLite makes nothing at all of the beginning of nothing.
    return rows.filter(Q(sealed_by=None) | ~Q(sealed_by=envelopes_begin(key_ring().current_id)))


def left() -> int:
    """How many rows of all kinds are outdated."""
    return sum(outdated(model).count() for model in sealed_models())


def rotate(*, dry_run: bool) -> Iterator[Rotated]:
    """One row at a time, each with its own commit: neither a push nor an edit ever waits for more than one."""
    attempt = _opens if dry_run else _is_sealed_anew
    for model in sealed_models():
        for row in _pages(outdated(model)):
            yield Rotated(row=row, problem=_problem(row, attempt))


def _problem(found: Sealed, attempt: Callable[[Sealed], bool]) -> str:
    row: Sealed | None = found
    for _ in range(TRIES):
        try:
            if row is None or attempt(row):
                return ""
        except ConfigError as error:
            return str(error)
        # An edit won: by a process that seals with the current key, or by one that does not know it yet.
        row = outdated(type(found)).filter(pk=found.pk).first()
    return f"The {found.sealed_as} {found.name!r} was edited each time that it was encrypted anew. Run this again."


def _opens(row: Sealed) -> bool:
    row.unseal()
    return True


def _is_sealed_anew(row: Sealed) -> bool:
    """Unless the stored envelope is another one by now. Raises `ConfigError`."""
    plaintext, old = row.unseal(), row.envelope
    row.seal(plaintext)
    rows = type(row)._default_manager.filter(pk=row.pk, **{row.sealed_column: old})
    return rows.update(**{row.sealed_column: row.envelope}) == 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A row, by what is encrypted, organization and name, that does not open. `missing_key` as in `ConfigError`."""

    name: str
    reason: str
    missing_key: str


def unreadable(model: type[Sealed]) -> Iterator[Unreadable]:
    """Every row is tried: an envelope that was changed or swapped names a key that is set."""
    # The start looks before it migrates: a column that is new must not be asked for.
    rows = model._default_manager.select_related("organization").only("name", model.sealed_column, "organization__slug")
    for row in _pages(rows):
        try:
            row.unseal()
        except ConfigError as error:
            name = f"{row.sealed_as} {row.organization.slug}/{row.name}"
            yield Unreadable(name=name, reason=str(error), missing_key=error.missing_key)


def _pages(rows: QuerySet[S]) -> Iterator[S]:
    """All of them, in memory a page at a time; what is added or changed behind the reader is not seen."""
    page = list(rows.order_by("pk")[:PAGE])
    while page:
        yield from page
        page = list(rows.filter(pk__gt=page[-1].pk).order_by("pk")[:PAGE])
