"""Inboxes that behave as a test says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.exceptions import ConfigError, ConnectorError
from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from connectors.ports import AccountingInbox, AckEntry, AckInbox
from connectors.registry import registry


class Denying:
    """The connector's own inbox, which may list a file and not read it."""

    def __init__(self, inbox: AccountingInbox, denied: str) -> None:
        self._inbox, self._denied = inbox, denied

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inbox, name)

    def read(self, entries: Sequence[AckEntry]) -> list[bytes | ConnectorError | None]:
        refusal = ConfigError(f"Cannot read {self._denied}: permission denied. Give the user the right to it.")
        found = self._inbox.read(entries)
        return [refusal if e.name == self._denied else raw for e, raw in zip(entries, found, strict=True)]


@contextmanager
def connector_with(monkeypatch: pytest.MonkeyPatch, wrapped: Callable[[Any], AckInbox]) -> Iterator[None]:
    class Connector(DropzoneJsonV1Connector):
        @contextmanager
        def open_inbox(self, config: Mapping[str, Any]) -> Iterator[AckInbox]:
            with super().open_inbox(config) as inbox:
                yield wrapped(inbox)

    with monkeypatch.context() as patch:
        patch.setitem(registry._connectors, "DROPZONE_JSON_V1", Connector)
        yield
