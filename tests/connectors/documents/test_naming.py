from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.documents.naming import is_sales_order_name, sales_order_name
from connectors.ports import ExportAttempt

moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it
NAME = sales_order_name(
    UUID(int=1), ExportAttempt(export_id=UUID(int=2), created_at=datetime(2026, 11, 23, tzinfo=UTC))
)


@given(order=st.uuids(), export=st.uuids(), moment=moments)
def test_every_name_that_is_given_is_known_again(order: UUID, export: UUID, moment: datetime) -> None:
    name = sales_order_name(order, ExportAttempt(export_id=export, created_at=moment))
    assert is_sales_order_name(name)


@pytest.mark.parametrize("name", [f"{NAME}.tmp", f"ack_{NAME}", NAME.upper(), f"{NAME}\n", "sales_order_1.json", ""])
def test_another_form_is_not(name: str) -> None:
    assert not is_sales_order_name(name)
