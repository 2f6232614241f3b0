"""`order_by(ByBytes("number"))`: the order of an index with `varchar_pattern_ops`, which also finds how a text begins.

In people's order, PostgreSQL may go through all rows by another index for the few that begin so.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F
from django.db.models.expressions import OrderBy
from django.db.models.sql.compiler import SQLCompiler


class ByBytes(OrderBy):
    def __init__(self, column: str) -> None:
        super().__init__(F(column))

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        # Django looks for a direction in what it orders by; USING takes none.
        return self.as_sql(compiler, connection, template="%(expression)s USING ~<~ /* ASC */")
