"""Django's `migrate`, which on PostgreSQL waits for locks no longer than MIGRATION_LOCK_TIMEOUT_S."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        with _lock_timeout(connection):
            super().handle(*args, **options)


@contextmanager
def _lock_timeout(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """A change of a table waits for the transactions that use it, and later transactions wait behind the change: one
    long query would stop the installation. Raises `CommandError`."""
    if connection.vendor != "postgresql":
        yield
        return
    seconds = float(settings.MIGRATION_LOCK_TIMEOUT_S)
    _execute(connection, "SET lock_timeout = %s", [round(seconds * 1000)])
    try:
        yield
    except OperationalError as error:
        if not _is_lock_timeout(error):
            raise
        raise CommandError(
            f"A table was locked by another transaction for more than {seconds:g} s (MIGRATION_LOCK_TIMEOUT_S). The "
            "migration that waited for it changed nothing; those before it are applied. Stop web, worker and beat, and "
            "end long queries and backups, then run it again."
        ) from error
    finally:
        _execute(connection, "RESET lock_timeout")


def _is_lock_timeout(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == "55P03"


def _execute(connection: BaseDatabaseWrapper, sql: str, values: list[Any] | None = None) -> None:
    # A migration that failed outside of a transaction may have lost the connection: the next one has no limit then.
    if connection.connection is None or connection.is_usable():
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
