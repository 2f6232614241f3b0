"""The median and the 95th percentile of durations: in SQL where the database can, else of the values themselves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connections
from django.db.models import Aggregate, DurationField, QuerySet


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    median: timedelta
    p95: timedelta


class _PercentileCont(Aggregate):
    template = "percentile_cont(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DurationField()

    def __init__(self, expression: str, fraction: float) -> None:
        super().__init__(expression, fraction=fraction)


def spread(rows: QuerySet[Any], duration: str) -> Spread | None:
    """Of the annotation `duration` of `rows`, which are few enough to be read; None where there are none."""
    if connections[rows.db].vendor == "postgresql":
        found = rows.aggregate(median=_PercentileCont(duration, 0.5), p95=_PercentileCont(duration, 0.95))
        return None if found["median"] is None else Spread(**found)
    values = sorted(rows.values_list(duration, flat=True))
    return Spread(median=_percentile(values, 0.5), p95=_percentile(values, 0.95)) if values else None


def _percentile(values: Sequence[timedelta], fraction: float) -> timedelta:
    """As percentile_cont: between the two neighbours in proportion."""
    place = fraction * (len(values) - 1)
    low, high = values[math.floor(place)], values[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))
