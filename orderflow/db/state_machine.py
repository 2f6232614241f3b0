"""State machines on rows: a move is one conditional UPDATE, and its count says who won."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, TypeVar

from django.db import models

from orderflow.db.bulk import Columns, update_each

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

    def move_each(self, keys: Collection[Any], source: str, target: str, *, own: Columns, **fields: Any) -> int:
        """As `move`, for exactly the rows with these `keys`, each of which also gets its value of every column of
        `own`."""
        self._require_allowed(source, target)
        same = {"status": target, **fields}
        return update_each(self.db, self.model, keys, own, same=same, where={"status": source})

    def move_locked(self, keys: Collection[Any], source: str, target: str, *, own: Columns, **fields: Any) -> None:
        """As `move_each`, for rows that the caller read and locked in `source`: all of them, or `MoveLost`."""
        moved = self.move_each(keys, source, target, own=own, **fields)
        if moved != len(keys):
            raise MoveLost(f"{self.model._meta.verbose_name}: {moved} of {len(keys)} went {source} -> {target}")

    def set_each(self, keys: Collection[Any], own: Columns, *, within: str | None = None, **fields: Any) -> int:
        """Write each row's value of every column of `own`, and `fields`, to those of the rows that are in the state
        `within`, or in any; tells how many were."""
        return update_each(self.db, self.model, keys, own, same=fields, where={"status": within} if within else {})

    def _require_allowed(self, source: str, target: str) -> None:
        if target not in self.transitions[source]:
            raise IllegalTransition(f"{self.model._meta.verbose_name}: {source} -> {target}")
