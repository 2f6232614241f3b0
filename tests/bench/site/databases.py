"""Databases beside each other in one PostgreSQL, each as empty as a new installation's."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection as database


@contextmanager
def fresh_database(name: str) -> Iterator[None]:
    """What the ORM works with in the block."""
    _execute(f'CREATE DATABASE "{name}"')
    try:
        with working_in(name):
            call_command("migrate", verbosity=0)
            yield
    finally:
        _execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def working_in(name: str) -> Iterator[None]:
    """One that is there."""
    before = _switch(name)
    try:
        yield
    finally:
        _switch(before)


def size_mb() -> float:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return float(cursor.fetchone()[0]) / 1e6


def _switch(name: str) -> str:
    database.close()
    before = str(database.settings_dict["NAME"])
    database.settings_dict["NAME"] = name
    # What was remembered is the other database's.
    ContentType.objects.clear_cache()
    cache.clear()
    return before


def _execute(statement: str) -> None:
    with database.cursor() as cursor:
        cursor.execute(statement)
