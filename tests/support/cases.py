"""A matrix as one test: what costs, the tenants and the transaction, is set up once for all of its cases."""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction

Test = Callable[..., None]

# On a machine that does much else. Pytest's own limit is meant for a single case.
TIMEOUT_S = 900


def each_case(names: str | Sequence[str], values: Iterable[Any]) -> Callable[[Test], Test]:
    """Calls the test for each of `values`, which are given as to `pytest.mark.parametrize`.

    Each case begins with the rows that the fixtures made, and an error names its case. Calls can be stacked. For tests
    with the fixture `db` whose cases leave nothing outside the database.
    """
    fields = [names] if isinstance(names, str) else [*names]
    cases = [dict(zip(fields, [value] if isinstance(names, str) else value, strict=True)) for value in values]
    assert cases, f"no values of {names}"

    def loop_over(test: Test) -> Test:
        @functools.wraps(test)
        def loop(**arguments: Any) -> None:
            for case in cases:
                with _rolled_back(case):
                    test(**arguments, **case)

        signature = inspect.signature(test)
        fixtures = [parameter for name, parameter in signature.parameters.items() if name not in fields]
        # pytest reads from here which fixtures the test requests.
        vars(loop)["__signature__"] = signature.replace(parameters=fixtures)
        marked: Test = pytest.mark.timeout(TIMEOUT_S)(loop)
        return marked

    return loop_over


@contextmanager
def _rolled_back(case: Mapping[str, Any]) -> Iterator[None]:
    # It knows rows that are gone, and counts requests.
    cache.clear()
    try:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
    except BaseException as error:
        error.add_note(f"case: {case!r}")
        raise
