"""What every connector has to keep, as tests: subclass `ConnectorContract` and give it a connector and a config."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from connectors.base_connector import BaseConnector
from connectors.exceptions import ConfigError, ConnectorError
from connectors.ports import ExportAttempt, ExportDocument, ExportResult, SalesOrder, TestResult, TestStep
from connectors.testing.ack_contract import AckContract
from connectors.testing.values import LINE, ORDER, Notebook, attempt, orders
from connectors.third_party.class_check import unfit

LONGEST_NAME = 120


class ConnectorContract(AckContract):
    """The subclass has the fixtures `connector` and `config`, and `arrived(config)`: content by file name.

    `unsendable` is an order that the format rejects, or None where it takes every order. `unusable(config)` is a config
    that the form accepts and that leads nowhere, or None where there is no such config.
    """

    unsendable: SalesOrder | None = replace(ORDER, lines=(replace(LINE, qty=-LINE.qty),))

    def arrived(self, config: dict[str, Any]) -> dict[str, bytes]:
        raise NotImplementedError

    def unusable(self, config: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ARG002 - for the subclass
        return None

    def test_it_has_what_the_product_needs_of_its_class(self, connector: BaseConnector) -> None:
        assert unfit(type(connector)) == ""

    def test_its_config_form_accepts_its_config(self, connector: BaseConnector, config: dict[str, Any]) -> None:
        connector.validate_config(config)
        json.dumps(connector.clean_config(config), allow_nan=False)

    def test_its_secret_fields_are_fields_of_its_form(self, connector: BaseConnector) -> None:
        assert connector.secret_fields <= set(connector.config_form.base_fields)

    def test_an_empty_config_is_refused_by_the_name_of_a_field(self, connector: BaseConnector) -> None:
        with pytest.raises(ConfigError) as caught:
            connector.validate_config({})
        assert caught.value.field in connector.config_form.base_fields

    def test_one_order_arrives(self, connector: BaseConnector, config: dict[str, Any]) -> None:
        one = attempt()
        result = connector.export(ORDER, config, attempt=one)
        checked_results([result], [(ORDER, one)])
        assert result.success, result.error_message
        document = connector.render(ORDER, one)
        assert result.document in (None, document)
        assert self.arrived(config) == {document.filename: document.content}

    def test_the_same_order_gives_the_same_document(self, connector: BaseConnector) -> None:
        one = attempt()
        document = connector.render(ORDER, one)
        assert document == connector.render(ORDER, one)
        assert document.filename == connector.document_name(ORDER.draft_order_id, one)
        assert document.sha256 == hashlib.sha256(document.content).hexdigest()

    def test_a_name_is_one_that_a_file_can_have(self, connector: BaseConnector) -> None:
        name = connector.document_name(ORDER.draft_order_id, attempt())
        assert 0 < len(name) <= LONGEST_NAME
        assert name.isprintable()
        assert not set(name) & set("/\\")

    def test_two_exports_of_one_order_have_two_names(self, connector: BaseConnector) -> None:
        names = {connector.document_name(ORDER.draft_order_id, attempt()) for _ in range(20)}
        assert len(names) == 20

    def test_many_orders_arrive_and_each_has_its_result(self, connector: BaseConnector, config: dict[str, Any]) -> None:
        batch = orders(20)
        results = checked_results(connector.export_many(batch, config, journal=Notebook()), batch)
        assert [result.error_message for result in results.values() if not result.success] == []
        assert len(self.arrived(config)) == 20

    def test_one_order_that_cannot_go_does_not_keep_the_others(
        self, connector: BaseConnector, config: dict[str, Any]
    ) -> None:
        if self.unsendable is None:
            pytest.skip("The format takes every order.")
        batch = [(self.unsendable, attempt()), *orders(1)]
        results = checked_results(connector.export_many(batch, config, journal=Notebook()), batch)
        rejected, sent = (results[one.export_id] for _, one in batch)
        assert (rejected.success, rejected.retryable, rejected.in_doubt, sent.success) == (False, False, False, True)
        assert len(self.arrived(config)) == 1

    def test_a_place_that_cannot_be_used_is_a_failure_without_a_doubt(
        self, connector: BaseConnector, config: dict[str, Any]
    ) -> None:
        wrong, batch = self.unusable(config), orders(2)
        if wrong is None:
            pytest.skip("unusable() names no config.")
        try:
            results = checked_results(connector.export_many(batch, wrong, journal=Notebook()), batch)
        except ConnectorError as error:
            assert str(error)
        else:
            assert {(result.success, result.in_doubt) for result in results.values()} == {(False, False)}
        assert self.arrived(config) == {}

    def test_nothing_is_published_that_the_journal_did_not_take(
        self, connector: BaseConnector, config: dict[str, Any]
    ) -> None:
        require_journal(connector)
        journal = Notebook(refusal=ConfigError("The connection was disabled."))
        with pytest.raises(ConfigError, match="disabled"):
            list(connector.export_many([(ORDER, attempt())], config, journal=journal))
        assert self.arrived(config) == {}

    def test_a_repeated_try_finds_what_the_first_one_sent(
        self, connector: BaseConnector, config: dict[str, Any]
    ) -> None:
        require_journal(connector)
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
        heard: list[TestStep] = []
        result = connector.test_connection(config, on_step=heard.append)
        assert isinstance(result, TestResult)
        assert result.success, result.error_message
        assert list(result.steps) == heard
        assert self.arrived(config) == {}

    def test_a_test_never_raises(self, connector: BaseConnector) -> None:
        result = connector.test_connection({})
        assert isinstance(result, TestResult)
        assert not result.success
        assert result.error_message


def require_journal(connector: BaseConnector) -> None:
    if not connector.journals:
        pytest.skip("The connector keeps no journal: what it may have sent is never attempted again by itself.")


def checked_results(
    given: Iterable[Any], batch: Sequence[tuple[SalesOrder, ExportAttempt]]
) -> dict[UUID, ExportResult]:
    """By export id. What fails here leaves exports in doubt for a person, or is dropped from what is recorded."""
    results: dict[UUID, ExportResult] = {}
    expected = [one.export_id for _, one in batch]
    for result in given:
        assert isinstance(result, ExportResult), f"A result is {type(result).__name__}."
        assert result.export_id in expected, "A result is of an export that is not in the batch."
        assert result.export_id not in results, "An export has two results."
        _check_fields(result)
        results[result.export_id] = result
    assert set(results) == set(expected), "An export has no result."
    return results


def _check_fields(result: ExportResult) -> None:
    for flag in (result.success, result.retryable, result.in_doubt):
        assert isinstance(flag, bool), "A flag of a result is no bool."
    if result.success:
        assert not (result.retryable or result.in_doubt), "A success is neither retryable nor in doubt."
    else:
        assert result.error_message, "A failure has no reason."
        assert not (result.retryable and result.cause == "REJECTED"), "A rejected order is not retryable."
    document = result.document
    assert document is None or (isinstance(document, ExportDocument) and isinstance(document.content, bytes))
    for text in (result.dropzone_path, result.cause, result.error_message or "", result.storage_key or ""):
        assert isinstance(text, str), "A text of a result is no text."
        assert len(text) <= 1024, "A text of a result is too long to be stored."
