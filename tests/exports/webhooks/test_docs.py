"""What docs/reference/webhooks.md tells receivers is what they get."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.models import ERPConnection
from exports import ack_poller
from exports.delivery import drain
from exports.webhooks import endpoint_service, sender
from exports.webhooks import retry_policy as webhook_retry_policy
from exports.webhooks.models import WebhookEndpoint, WebhookMessage
from tests.exports.conftest import Push
from tests.servers.webhooks import Scripted

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "webhooks.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


EXAMPLES = {example["type"]: example for example in map(json.loads, blocks("json"))}


@pytest.fixture
def messages(
    endpoint: WebhookEndpoint, push: Push, connection: ERPConnection, folder: Path, shop: Scripted
) -> dict[str, Any]:
    """One of each type, by its type, as it was heard."""
    taken, refused = push(), push()
    drain.drain(connection.pk)
    ack = {"status": "ACKED", "erp_order_id": "SO-2025-000123"}
    error = {"status": "FAILED", "error_code": "ERP_VALIDATION", "message": "Unknown customer 4711"}
    (folder / "acks" / f"ack_{taken.filename}").write_text(json.dumps(ack))
    (folder / "acks" / f"error_{refused.filename}").write_text(json.dumps(error))
    ack_poller.poll(connection.pk)
    sender.send(endpoint.pk)
    endpoint_service.test(endpoint, actor="ina")
    assert not WebhookMessage.objects.exclude(status="DELIVERED").exists()
    return {body["type"]: body for body in (json.loads(heard.body) for heard in shop.heard)}


def form(value: Any) -> Any:
    """The keys in their order, and the kinds of the values; of an id or a time, how it is written."""
    if isinstance(value, dict):
        return [(key, form(inner)) for key, inner in value.items()]
    stamped = isinstance(value, str) and re.search(r"[0-9a-f]{4}-[0-9a-f]{4}-|\dT\d", value)
    return re.sub(r"[0-9a-f]", "0", value) if stamped else type(value)


def test_the_examples_are_what_is_sent(messages: dict[str, Any]) -> None:
    assert set(EXAMPLES) == set(messages)
    for kind, example in EXAMPLES.items():
        assert form(messages[kind]) == form(example), kind
        if kind != "webhook.test":
            for key in ("status", "erp_order_id", "error_code", "error_message"):
                assert messages[kind]["data"][key] == example["data"][key]


def test_the_way_to_check_works(messages: dict[str, Any], shop: Scripted, endpoint: WebhookEndpoint) -> None:
    (code,) = blocks("python")
    receiver: dict[str, Any] = {}
    exec(code, receiver)  # noqa: S102 - our own page
    first = shop.heard[0]
    for _ in range(2):
        assert receiver["receive"](endpoint.secret(), first.headers, first.body) == 204
    assert receiver["seen"] == {first.headers["webhook-id"]}
    assert receiver["receive"](endpoint.secret(), first.headers, first.body + b" ") == 401
    assert receiver["receive"]("whsec_" + "A" * 44, first.headers, first.body) == 401


@pytest.mark.parametrize(
    ("row", "times"), [("waits", webhook_retry_policy.WAITS), ("pauses", webhook_retry_policy.PAUSES)]
)
def test_the_times_are_those_of_the_schedule(row: str, times: tuple[timedelta, ...]) -> None:
    units = {"s": 1, "min": 60, "h": 3600}
    (cells,) = re.findall(rf"^\| {row} for, within 10 % \| (.*) \|$", PAGE, re.MULTILINE)
    told = [int(number) * units[unit] for number, unit in (cell.split() for cell in cells.split(" | "))]
    assert told == [time.total_seconds() for time in times]


def test_the_page_says_how_long_an_old_secret_signs(settings: Any) -> None:
    assert f"For {settings.WEBHOOK_SECRET_OVERLAP_H:g} hours" in PAGE
