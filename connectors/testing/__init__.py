"""The connector contract as tests, for packages with connectors of their own. Needs pytest."""

import pytest

# Before the import: or a failed assertion shows no values.
pytest.register_assert_rewrite("connectors.testing.ack_contract", "connectors.testing.contract")

from connectors.testing.contract import ConnectorContract  # noqa: E402
from connectors.testing.values import LINE, ORDER, Notebook, attempt, orders  # noqa: E402

__all__ = ["LINE", "ORDER", "ConnectorContract", "Notebook", "attempt", "orders"]
