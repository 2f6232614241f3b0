from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database

from tests.support.threads import beside


@pytest.mark.django_db
def test_the_migrations_are_those_of_the_models() -> None:
    call_command("makemigrations", "--check", "--dry-run")


@contextmanager
def table_in_use(table: str) -> Iterator[None]:
    """By a transaction of another connection, as of a long query."""

    def use() -> None:
        with database.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")

    with beside(use, 60):
        yield


def waits_s() -> str:
    with database.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        return str(cursor.fetchone()[0])


@pytest.mark.skipif(database.vendor != "postgresql", reason="SQLite has no lock_timeout")
@pytest.mark.django_db(transaction=True)
def test_a_migration_gives_up_on_a_table_that_stays_in_use(settings: Any) -> None:
    """Everybody else waits behind it for as long as it waits."""
    settings.MIGRATION_LOCK_TIMEOUT_S = 0.2
    before = waits_s()
    try:
        with table_in_use("exports_erpexport"), pytest.raises(CommandError, match="MIGRATION_LOCK_TIMEOUT_S"):
            call_command("migrate", "exports", "0016", verbosity=0)
        assert waits_s() == before
        with database.cursor() as cursor:
            columns = database.introspection.get_table_description(cursor, "exports_erpexport")
        assert "unwitnessed_since" in {column.name for column in columns}
    finally:
        call_command("migrate", verbosity=0)


@pytest.mark.django_db
def test_the_migrations_of_a_database_in_rest_are_applied_as_before() -> None:
    call_command("migrate", verbosity=0)
    call_command("migrate", "--check", verbosity=0)
