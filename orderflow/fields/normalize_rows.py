"""For data migrations: bring rows of earlier releases under the rule of `orderflow.fields.identifiers`."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import IntegrityError, models, transaction

from orderflow.fields.identifiers import cleaned

CHUNK = 2_000


def normalise_rows(rows: "models.QuerySet[Any]", names: Sequence[str]) -> int:
    """Normalise the fields `names` of `rows`; returns how many rows changed.

    A row whose normalised value another row already has stays as it is and is reported on standard error: only a
    person can tell which of the two is right.
    """
    changed = 0
    for row in _each(rows.order_by("pk").values("pk", *names)):
        values = {name: cleaned(row[name]) for name in names}
        different = {name: value for name, value in values.items() if value != row[name]}
        if different:
            changed += _write(rows.model, row, different)
    return changed


def _each(rows: "models.QuerySet[Any, dict[str, Any]]") -> Iterator[dict[str, Any]]:
    """In pages of their own queries, because rows are written between them."""
    page = list(rows[:CHUNK])
    while page:
        yield from page
        page = list(rows.filter(pk__gt=page[-1]["pk"])[:CHUNK])


def _write(model: type[models.Model], row: dict[str, Any], different: dict[str, str]) -> int:
    try:
        with transaction.atomic():
            return model._default_manager.filter(pk=row["pk"]).update(**different)
    except IntegrityError:
        for name, value in different.items():
            sys.stderr.write(
                f"{model._meta.verbose_name} {row['pk']}: {name} {row[name]!r} would become {value!r}, which another "
                "has. It was left as it is. Correct one of the two in the admin.\n"
            )
        return 0
