"""State machines on rows: a move is one conditional UPDATE, and its count says who won."""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class IllegalTransition(Exception):
    """The code asked for a way that the table of transitions does not have."""


class StateQuerySet(models.QuerySet[M]):
    """Rows with a `status`; a subclass names the one table of allowed transitions."""

    transitions: ClassVar[Mapping[Any, frozenset[Any]]]

    def move(self, source: str, target: str, **fields: Any) -> int:
        """Move those of the rows that are in `source`; tells how many were."""
        if target not in self.transitions[source]:
            raise IllegalTransition(f"{self.model._meta.verbose_name}: {source} -> {target}")
        return self.filter(status=source).update(status=target, **fields)
