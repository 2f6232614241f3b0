"""The contract that the product ships, under the name that the tests know."""

from connectors.testing import ConnectorContract, Notebook, attempt

__all__ = ["ConnectorContract", "Notebook", "attempt"]
