"""The tables of allowed transitions, held by the database itself: no statement of any worker gets past them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection, models

from exports.models import ERPExport
from exports.models.status import ALLOWED as EXPORTS
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import ALLOWED as ORDERS

TABLES: tuple[tuple[type[models.Model], Mapping[Any, frozenset[Any]]], ...] = (
    (ERPExport, EXPORTS),
    (DraftOrder, ORDERS),
)
_SQLITE = """
CREATE TRIGGER only_allowed_{table} BEFORE UPDATE OF status ON {table}
WHEN {illegal} BEGIN SELECT RAISE(ABORT, 'no such transition'); END
"""
_FUNCTION = """
CREATE FUNCTION no_such_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%: % -> %', TG_TABLE_NAME, OLD.status, NEW.status; END $$
"""
_POSTGRES = """
CREATE TRIGGER only_allowed_{table} BEFORE UPDATE OF status ON {table}
FOR EACH ROW WHEN ({illegal}) EXECUTE FUNCTION no_such_transition()
"""


@contextmanager
def held_to() -> Iterator[None]:
    is_postgres = connection.vendor == "postgresql"
    statements = [_FUNCTION] if is_postgres else []
    statements += [(_POSTGRES if is_postgres else _SQLITE).format(**_names(*table)) for table in TABLES]
    _execute(statements)
    try:
        yield
    finally:
        on = " ON {table}" if is_postgres else ""
        statements = [f"DROP TRIGGER only_allowed_{{table}}{on}".format(**_names(*table)) for table in TABLES]
        _execute([*statements, *(["DROP FUNCTION no_such_transition()"] if is_postgres else [])])


def _names(model: type[models.Model], allowed: Mapping[Any, frozenset[Any]]) -> dict[str, str]:
    ways = [f"'{source}>{target}'" for source, targets in allowed.items() for target in targets]
    moved = "OLD.status <> NEW.status AND OLD.status || '>' || NEW.status"
    return {"table": model._meta.db_table, "illegal": f"{moved} NOT IN ({', '.join(ways)})"}


def _execute(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
