"""Case-insensitive lookups for every letter on SQLite, whose LIKE knows the case of ASCII letters only.

PostgreSQL compares as before, by its own indexes. SQLite reads as many rows as before.
"""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import lookups
from django.db.models.sql.compiler import SQLCompiler

FUNCTION = "ORDERFLOW_FOLDED"


class _Folded:
    """In front of one of Django's lookups."""

    def as_sqlite(self: Any, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        compared = self.get_rhs_op(connection, f"{FUNCTION}({right})")
        return f"{FUNCTION}({left}) {compared}", [*left_params, *right_params]


class FoldedExact(_Folded, lookups.IExact):
    pass


class FoldedContains(_Folded, lookups.IContains):
    pass


class FoldedStartsWith(_Folded, lookups.IStartsWith):
    pass


class FoldedEndsWith(_Folded, lookups.IEndsWith):
    pass


def folded(text: Any) -> str | None:
    """Without upper and lower case, which `lower` leaves in some letters."""
    return None if text is None else str(text).casefold()


def register() -> None:
    for field in (models.CharField, models.TextField):
        for lookup in (FoldedExact, FoldedContains, FoldedStartsWith, FoldedEndsWith):
            field.register_lookup(lookup)
    connection_created.connect(_add_function, dispatch_uid=FUNCTION)


def _add_function(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_function(FUNCTION, 1, folded, deterministic=True)
