"""F35: connectors of an installed package misbehave in ten ways; each order is sent once, and each fault shows."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from connectors.registry import registry
from exports import push_service, tasks
from exports.delivery import drain
from exports.models import ERPExport
from exports.push_service import PushRequest
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.support.connector_packages import MISBEHAVING, installed_package
from tests.support.tenants import log_in

# A worker that dies with the connector is a test of its own.
NOT_IN_THIS_PROCESS = "BAD_DIES"


@pytest.fixture
def types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.syspath_prepend(str(installed_package(MISBEHAVING, tmp_path / "package")))
    monkeypatch.setattr(registry, "_connectors", dict(registry._connectors))
    registry.load_entry_points()
    return [name for name, _ in registry.types() if name.startswith("BAD_") and name != NOT_IN_THIS_PROCESS]


@pytest.mark.usefixtures("queue")
def test_each_order_is_sent_once_and_each_fault_is_shown(
    types: list[str],
    organization: Organization,
    make_order: MakeOrder,
    tmp_path: Path,
    settings: Any,
) -> None:
    settings.JOB_LIMIT_S = 0.5
    ledger = tmp_path / "ledger"
    ledger.touch()
    exports = {}
    for name in types:
        row = ERPConnection(organization=organization, connector_type=name)
        changes = ConnectionChanges(name=name, config={"ledger": str(ledger)})
        connection = connection_service.save(row, changes, actor="test")
        exports[name] = push_service.push(PushRequest(order=make_order(), actor="ops", connection=connection))
    assert len(exports) == 10
    for _ in range(4):
        for export in exports.values():
            drain.drain(export.connection_id)
            health.release(export.connection_id, actor="ops", cause="The test succeeded.", tested=True)
        tasks.sweep()
    assert Counter(ledger.read_text().split()) == Counter(str(export.pk) for export in exports.values())
    states = dict(ERPExport.objects.values_list("connection__connector_type", "undecided_since"))
    assert [name for name, since in states.items() if since is None] == []
    page = log_in(organization, Role.OPS).get(reverse("admin:index")).content.decode()
    assert "10 exports need your decision" in page
