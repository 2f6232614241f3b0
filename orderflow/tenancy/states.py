"""State machines on rows: a move is one conditional UPDATE, and its count says who won."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django.db import models

from orderflow.tenancy.each_row import update_each

M = TypeVar("M", bound=models.Model)


class IllegalTransition(Exception):
    """The code asked for a way that the table of transitions does not have."""


class MoveLost(Exception):
    """Rows that were read and locked in one state were found in another."""


class StateQuerySet(models.QuerySet[M]):
    """Rows with a `status`; a subclass names the one table of allowed transitions."""

    transitions: ClassVar[Mapping[Any, frozenset[Any]]]

    def move(self, source: str, target: str, **fields: Any) -> int:
        """Move those of the rows that are in `source`; tells how many were."""
        self._require_allowed(source, target)
        return self.filter(status=source).update(status=target, **fields)

    def move_each(self, rows: Sequence[M], source: str, target: str, *, own: Iterable[str], **fields: Any) -> int:
        """As `move`, for exactly `rows`, which also get what each of them has in its fields `own`."""
        self._require_allowed(source, target)
        return update_each(self.db, rows, own, same={"status": target, **fields}, where={"status": source})

    def move_locked(self, rows: Sequence[M], source: str, target: str, *, own: Iterable[str], **fields: Any) -> None:
        """As `move_each`, for rows that the caller read and locked in `source`: all of them, or `MoveLost`."""
        moved = self.move_each(rows, source, target, own=own, **fields)
        if moved != len(rows):
            raise MoveLost(f"{self.model._meta.verbose_name}: {moved} of {len(rows)} went {source} -> {target}")

    def set_each(self, rows: Sequence[M], *, own: Iterable[str], within: str | None = None) -> int:
        """Write the fields `own` of each of `rows` that is in the state `within`, or in any; tells how many were."""
        return update_each(self.db, rows, own, same={}, where={"status": within} if within else {})

    def _require_allowed(self, source: str, target: str) -> None:
        if target not in self.transitions[source]:
            raise IllegalTransition(f"{self.model._meta.verbose_name}: {source} -> {target}")
