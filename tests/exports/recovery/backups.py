"""A copy of the test's database, and the way back to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection as database
from django.db import connections

from tests.support.shared_database import database_url


class Backup:
    """SQLite's backup interface copies the file as another process would; PostgreSQL copies a template database."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "backup.sqlite3"

    def save(self) -> None:
        connections.close_all()
        if database.vendor == "sqlite":
            _copy_sqlite(_name(), str(self._file))
        else:
            _copy_postgres(_name(), f"{_name()}_backup")

    def restore(self) -> None:
        connections.close_all()
        if database.vendor == "sqlite":
            _copy_sqlite(str(self._file), _name())
        else:
            _copy_postgres(f"{_name()}_backup", _name())

    def drop(self) -> None:
        if database.vendor == "postgresql":
            with _maintenance() as server:
                server.execute(f'DROP DATABASE IF EXISTS "{_name()}_backup"')


def _name() -> str:
    return str(database.settings_dict["NAME"])


def _copy_sqlite(source: str, target: str) -> None:
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


@contextmanager
def _maintenance() -> Iterator[psycopg.Connection[Any]]:
    url = database_url().rpartition("/")[0]
    with psycopg.connect(f"{url}/postgres", autocommit=True) as server:
        yield server


def _copy_postgres(source: str, target: str) -> None:
    with _maintenance() as server:
        for name in (source, target):
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        server.execute(f'DROP DATABASE IF EXISTS "{target}"')
        server.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')
