"""What every connector has to keep, as tests: subclass `ConnectorContract` and give it a connector and a config."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from connectors.base_connector import BaseConnector
from connectors.exceptions import ConfigError, ConnectorError
from connectors.ports import ExportAttempt, Staged
from tests.connectors.sales_orders import LINE, ORDER

MOMENT = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


class Notebook:
    """A journal that remembers, and can say no."""

    def __init__(self, refusal: ConnectorError | None = None) -> None:
        self.files: dict[UUID, Staged] = {}
        self.refusal = refusal

    def staged(self, files: Mapping[UUID, Staged]) -> None:
        if self.refusal:
            raise self.refusal
        self.files |= files

    def discarded(self, export_ids: Sequence[UUID]) -> None:
        for export_id in export_ids:
            self.files.pop(export_id, None)


def attempt() -> ExportAttempt:
    return ExportAttempt(export_id=uuid4(), created_at=MOMENT)


class ConnectorContract:
    """The subclass has the fixtures `connector` and `config`, and `arrived(config)`: content by file name."""

    def arrived(self, config: dict[str, Any]) -> dict[str, bytes]:
        raise NotImplementedError

    def test_its_config_form_accepts_its_config(self, connector: BaseConnector, config: dict[str, Any]) -> None:
        connector.validate_config(config)
        json.dumps(connector.clean_config(config))

    def test_its_secret_fields_are_fields_of_its_form(self, connector: BaseConnector) -> None:
        assert connector.secret_fields <= set(connector.config_form.base_fields)

    def test_an_empty_config_is_refused_by_the_name_of_a_field(self, connector: BaseConnector) -> None:
        with pytest.raises(ConfigError) as caught:
            connector.validate_config({})
        assert caught.value.field in connector.config_form.base_fields

    def test_one_order_arrives(self, connector: BaseConnector, config: dict[str, Any]) -> None:
        result = connector.export(ORDER, config)
        assert result.success, result.error_message
        assert result.document is not None
        assert self.arrived(config) == {result.document.filename: connector.render(ORDER, attempt()).content}

    def test_the_same_order_gives_the_same_document(self, connector: BaseConnector) -> None:
        one = attempt()
        assert connector.render(ORDER, one) == connector.render(ORDER, one)
        assert connector.render(ORDER, one).filename == connector.document_name(ORDER.draft_order_id, one)

    def test_two_exports_of_one_order_have_two_names(self, connector: BaseConnector) -> None:
        names = {connector.document_name(ORDER.draft_order_id, attempt()) for _ in range(20)}
        assert len(names) == 20

    def test_many_orders_arrive_and_each_has_its_result(self, connector: BaseConnector, config: dict[str, Any]) -> None:
        orders = [(replace(ORDER, draft_order_id=uuid4()), attempt()) for _ in range(20)]
        journal = Notebook()
        results = list(connector.export_many(orders, config, journal=journal))
        assert {result.export_id for result in results if result.success} == {a.export_id for _, a in orders}
        assert len(self.arrived(config)) == 20

    def test_one_order_that_cannot_go_does_not_keep_the_others(
        self, connector: BaseConnector, config: dict[str, Any]
    ) -> None:
        wrong = replace(ORDER, lines=(replace(LINE, qty=-LINE.qty),))
        orders = [(wrong, attempt()), (replace(ORDER, draft_order_id=uuid4()), attempt())]
        results = {r.export_id: r for r in connector.export_many(orders, config, journal=Notebook())}
        refused, sent = results[orders[0][1].export_id], results[orders[1][1].export_id]
        assert (refused.success, refused.retryable, sent.success) == (False, False, True)
        assert refused.error_message
        assert len(self.arrived(config)) == 1

    def test_nothing_is_published_that_the_journal_did_not_take(
        self, connector: BaseConnector, config: dict[str, Any]
    ) -> None:
        journal = Notebook(refusal=ConfigError("The connection was disabled."))
        with pytest.raises(ConfigError, match="disabled"):
            list(connector.export_many([(ORDER, attempt())], config, journal=journal))
        assert self.arrived(config) == {}

    def test_a_repeated_try_finds_what_the_first_one_sent(
        self, connector: BaseConnector, config: dict[str, Any]
    ) -> None:
        first, journal = attempt(), Notebook()
        list(connector.export_many([(ORDER, first)], config, journal=journal))
        before = self.arrived(config)
        again = replace(first, staged=journal.files[first.export_id])
        (result,) = connector.export_many([(ORDER, again)], config, journal=Notebook())
        assert result.success, result.error_message
        assert self.arrived(config) == before

    def test_a_good_connection_passes_its_test_and_leaves_nothing_behind(
        self, connector: BaseConnector, config: dict[str, Any]
    ) -> None:
        heard: list[str] = []
        result = connector.test_connection(config, on_step=lambda step: heard.append(step.name))
        assert result.success, result.error_message
        assert [step.name for step in result.steps] == heard
        assert heard
        assert self.arrived(config) == {}

    def test_a_test_never_raises(self, connector: BaseConnector) -> None:
        result = connector.test_connection({})
        assert not result.success
        assert result.error_message
