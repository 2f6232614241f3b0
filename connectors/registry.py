"""Which connector stands behind a connector type."""

import logging
from collections.abc import Iterator
from importlib.metadata import entry_points

from django.core.files.storage import Storage, storages

from connectors.base_connector import BaseConnector
from connectors.exceptions import ConfigError
from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from connectors.third_party.class_check import unfit
from connectors.third_party.errors import ConnectorFault, guarded

logger = logging.getLogger(__name__)

# As the database's column.
LONGEST_TYPE = 60
ENTRY_POINT_GROUP = "orderflow.connectors"


class ConnectorRegistry:
    """Connector classes by type. `broken` says which third-party ones could not be loaded, and why. A class that cannot
    be used is registered all the same, and named by `problems`: it is offered nowhere, and its connections say why."""

    def __init__(self) -> None:
        self._connectors: dict[str, type[BaseConnector]] = {}
        self.broken: dict[str, str] = {}

    def register(self, connector_type: str, connector: type[BaseConnector]) -> None:
        if len(connector_type) > LONGEST_TYPE:
            raise ValueError(f"Connector type {connector_type!r} is longer than {LONGEST_TYPE} characters.")
        known = self._connectors.setdefault(connector_type, connector)
        if known is not connector:
            raise ValueError(f"Connector type {connector_type!r} is {known!r} already.")

    def load_entry_points(self) -> None:
        """Third-party connectors; a broken one is noted and never stops the start."""
        for entry in entry_points(group=ENTRY_POINT_GROUP):
            try:
                self.register(entry.name, entry.load())
            except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
                logger.warning("Connector %s from %s cannot be loaded: %s", entry.name, entry.value, error)
                self.broken[entry.name] = f"{entry.value}: {error}"

    def types(self) -> Iterator[tuple[str, type[BaseConnector]]]:
        """Those that can be used."""
        yield from ((name, connector) for name, connector in sorted(self._connectors.items()) if not unfit(connector))

    def problems(self) -> Iterator[tuple[str, str]]:
        """Each type that cannot be used, or not be instantiated, and why."""
        for name in sorted(self._connectors):
            try:
                self.create(name)
            except ConfigError as error:
                yield name, str(error)

    def connector_class(self, connector_type: str) -> type[BaseConnector]:
        """Raises `ConfigError` for a type that is not registered, and for a class that cannot be used."""
        try:
            connector = self._connectors[connector_type]
        except KeyError:
            known = ", ".join(sorted(self._connectors))
            raise ConfigError(
                f"Connector type {connector_type!r} is unknown. Known types: {known}.", field="connector_type"
            ) from None
        reason = unfit(connector)
        if reason:
            text = f"Connector {connector_type} cannot be used. {reason} Fix or update its package."
            raise ConnectorFault(text, field="connector_type")
        return connector

    def create(self, connector_type: str, storage: Storage | None = None) -> BaseConnector:
        """Raises `ConfigError`, also in place of whatever the constructor raises."""
        connector = self.connector_class(connector_type)
        with guarded(connector_type):
            return connector(storage or storages["exports"])


registry = ConnectorRegistry()
registry.register("DROPZONE_JSON_V1", DropzoneJsonV1Connector)
registry.load_entry_points()
