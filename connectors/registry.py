"""Which connector stands behind a connector type."""

import logging
from collections.abc import Iterator
from importlib.metadata import entry_points

from django.core.files.storage import Storage, storages

from connectors.base_connector import BaseConnector
from connectors.exceptions import ConfigError
from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector

logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "orderflow.connectors"


class ConnectorRegistry:
    """Connector classes by type. `broken` tells of the third-party ones that could not be loaded, and why."""

    def __init__(self) -> None:
        self._connectors: dict[str, type[BaseConnector]] = {}
        self.broken: dict[str, str] = {}

    def register(self, connector_type: str, connector: type[BaseConnector]) -> None:
        known = self._connectors.setdefault(connector_type, connector)
        if known is not connector:
            raise ValueError(f"Connector type {connector_type!r} is {known.__qualname__} already.")

    def load_entry_points(self) -> None:
        """Third-party connectors; a broken one is noted and never stops the start."""
        for entry in entry_points(group=ENTRY_POINT_GROUP):
            try:
                self.register(entry.name, entry.load())
            except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
                logger.warning("Connector %s from %s cannot be loaded: %s", entry.name, entry.value, error)
                self.broken[entry.name] = f"{entry.value}: {error}"

    def types(self) -> Iterator[tuple[str, type[BaseConnector]]]:
        yield from sorted(self._connectors.items())

    def connector_class(self, connector_type: str) -> type[BaseConnector]:
        """Raises `ConfigError` for a type that nobody registered."""
        try:
            return self._connectors[connector_type]
        except KeyError:
            known = ", ".join(sorted(self._connectors))
            raise ConfigError(
                f"Connector type {connector_type!r} is unknown. Known types: {known}.", field="connector_type"
            ) from None

    def create(self, connector_type: str, storage: Storage | None = None) -> BaseConnector:
        return self.connector_class(connector_type)(storage or storages["exports"])


registry = ConnectorRegistry()
registry.register("DROPZONE_JSON_V1", DropzoneJsonV1Connector)
registry.load_entry_points()
