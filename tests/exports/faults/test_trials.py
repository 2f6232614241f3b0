"""The connection test does what a delivery does, and leaves nothing that an ERP could take."""

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from connectors import connection_service
from connectors.models import ERPConnection
from connectors.ports import TestResult
from exports import delivery
from exports.models import ERPExport
from orderflow.tenancy.models import Organization
from tests.exports.conftest import Push, connect_to, names
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import BARE_FAILURE, DENIED, DeniedStat, Fails, LosesAnswers
from tests.servers.faulty.server import Call, Fault
from tests.servers.proftpd import proftpd_server

RENAME, REMOVE, WRITE, CLOSE = (frozenset({name}) for name in ("rename", "remove", "write", "close"))
ALL = ("write", "rename", "delete", "list answers")


def run(zone: Zone) -> TestResult:
    return connection_service.test(zone.connection, actor="test")


def details(result: TestResult) -> dict[str, str]:
    return {step.name: step.detail for step in result.steps}


def collectable(zone: Zone) -> list[str]:
    """What an ERP takes that looks for orders by their names."""
    return [name for name in zone.names if fnmatch(name, "*.json")]


@pytest.mark.parametrize("temp_name", ["{name}.tmp", "tmp_{name}", ".{name}.part"])
def test_the_names_are_those_of_a_delivery(temp_name: str, push: Push, zone: Zone) -> None:
    zone.edit(temp_name=temp_name)
    result = run(zone)
    assert result.success, result.error_message
    temporary, final = (Path(details(result)[step]).name for step in ("write", "rename"))
    export = push()
    before, _, behind = temp_name.partition("{name}")
    assert temporary.startswith(before)
    assert temporary.endswith(behind)
    shape = "sales_order_00000000-0000-0000-0000-000000000000_" + "?" * 16 + "_" + "?" * 8 + ".json"
    assert fnmatch(final, shape)
    assert len(final) == len(export.filename)
    assert zone.names == []


@pytest.mark.parametrize(
    ("rule", "temp_name"), [(r"\.json$", "tmp_{name}"), (r"/sales_order_[^/]*\.(json|tmp)$", "{name}.tmp")]
)
def test_a_server_that_permits_only_the_names_of_deliveries_passes(
    rule: str, temp_name: str, organization: Organization, dropzone_root: Path, tmp_path: Path
) -> None:
    with proftpd_server(tmp_path / "proftpd", extra=f'PathAllowFilter "{rule}"') as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        connection = connect_to(server, organization, temp_name=temp_name, atomic_write=True)
        result = connection_service.test(connection, actor="test")
        assert result.success, result.error_message
        assert names(server.root / "in") == []


def test_a_server_that_refuses_the_names_of_deliveries_fails_the_test_as_it_fails_them(
    organization: Organization, dropzone_root: Path, tmp_path: Path
) -> None:
    with proftpd_server(tmp_path / "proftpd", extra=r'PathAllowFilter "\.tmp$"') as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        result = connection_service.test(connect_to(server, organization), actor="test")
        assert not result.success
        assert "Cannot rename" in (result.error_message or "")
        assert names(server.root / "in") == []


def test_a_user_who_may_not_delete_passes_and_leaves_only_what_no_erp_takes(push: Push, zone: Zone) -> None:
    zone.faults.append(Fails(operations=REMOVE, error=DENIED))
    result = run(zone)
    assert result.success, result.error_message
    assert "may not delete, which a delivery does not need" in details(result)["delete"]
    assert [name.endswith(".json.tmp") for name in zone.names] == [True]
    export = push()
    zone.drain()
    export.refresh_from_db()
    assert export.status == "SENT"


def test_a_user_who_may_only_write_passes_without_temporary_names(push: Push, zone: Zone) -> None:
    zone.edit(atomic_write=False, ack_path="")
    zone.faults.append(Fails(operations=REMOVE | RENAME, error=DENIED))
    zone.faults.append(DeniedStat(operations=frozenset({"lstat"})))
    result = run(zone)
    assert result.success, result.error_message
    assert collectable(zone) == []
    export = push()
    zone.drain()
    export.refresh_from_db()
    assert export.status == "SENT"


@pytest.mark.parametrize("error", [DENIED, asyncssh.SFTPOpUnsupported("no"), BARE_FAILURE], ids=lambda e: str(e.code))
def test_a_rename_that_is_refused_fails_the_test_and_names_the_option(error: Exception, zone: Zone) -> None:
    zone.faults.append(Fails(operations=RENAME, error=error))
    result = run(zone)
    assert not result.success
    assert 'turn "Write, then rename" off' in (result.error_message or "")
    assert zone.names == []


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(
    "fault",
    [
        lambda: Fails(operations=WRITE, at_most=1),
        lambda: Fails(operations=CLOSE, carried_out=True, at_most=1),
        lambda: LosesAnswers(operations=WRITE, hangs_up_after_s=0, at_most=1),
        lambda: LosesAnswers(operations=CLOSE, hangs_up_after_s=0, at_most=1),
        lambda: LosesAnswers(operations=RENAME, hangs_up_after_s=0, at_most=1),
        lambda: LosesAnswers(operations=REMOVE, hangs_up_after_s=0, at_most=1),
        lambda: Fails(operations=REMOVE, at_most=1),
    ],
    ids=["write", "close", "lost in write", "lost in close", "lost in rename", "lost in delete", "delete"],
)
def test_a_test_that_fails_in_the_middle_leaves_nothing(fault: Callable[[], Any], atomic: bool, zone: Zone) -> None:
    zone.edit(atomic_write=atomic)
    zone.faults.append(struck := fault())
    result = run(zone)
    assert result.success == (not struck.struck)
    assert zone.names == []


class HangsUp(Fault):
    async def strike(self, call: Call) -> Any:
        call.server.hang_up()
        raise BARE_FAILURE


def test_what_could_not_be_removed_is_named(zone: Zone) -> None:
    """The server allows no removal at all once the file bears its final name."""
    zone.faults.append(HangsUp(operations=REMOVE))
    result = run(zone)
    assert not result.success
    (left,) = collectable(zone)
    assert f"/in/{left} may lie there: remove it before the ERP takes it." in (result.error_message or "")


def test_a_test_that_passes_frees_what_a_block_held(push: Push, zone: Zone) -> None:
    export = push()
    zone.faults.append(fault := Fails(operations=RENAME, error=DENIED))
    delivery.drain(zone.connection.pk)
    assert ERPConnection.objects.get().blocked_at
    zone.faults.remove(fault)
    assert run(zone).success
    zone.drain()
    assert ERPExport.objects.get().status == "SENT"
    assert zone.names == [export.filename]
