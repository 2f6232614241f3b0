"""The sales order that the product ships for tests of connectors."""

from connectors.testing import LINE, ORDER

__all__ = ["LINE", "ORDER"]
