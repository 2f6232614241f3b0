"""The connection test does what a delivery does, and leaves nothing that an ERP could take."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncssh
import pytest

from connectors.connections import service as connection_service
from connectors.models import ERPConnection
from connectors.ports import TestResult
from exports import ack_poller
from exports.delivery import drain
from exports.incidents.models import Incident
from exports.incidents.tasks import watch
from exports.models import AckFile, ERPExport, Lane
from orderflow.tenancy.models import Organization
from tests.exports.conftest import Push, connect_to, names
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import BARE_FAILURE, DENIED, DeniedStat, Fails, LosesAnswers, TakesFiles
from tests.servers.faulty.server import Call, Fault
from tests.servers.sftp.proftpd import proftpd_server
from tests.support.tenants import log_in, page_url

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


@dataclass(kw_only=True)
class TakesWritten(TakesFiles):
    """The ERP takes a file with a final name in the moment that it is closed."""

    operations: frozenset[str] = CLOSE

    async def strike(self, call: Call) -> Any:
        path = Path(os.fsdecode(call.arguments[0].name))
        result = await call.carry_out()
        if path.suffix == ".json":
            path.unlink()
            self.taken[path.name] += 1
        return result


class TakesRefused(Fault):
    """The user may not delete, and the ERP takes the file while the server refuses it."""

    async def strike(self, call: Call) -> Any:
        Path(os.fsdecode(call.server.map_path(call.arguments[0]))).unlink()
        raise DENIED


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
    drain.drain(zone.connection.pk)
    assert ERPConnection.objects.get().blocked_at
    zone.faults.remove(fault)
    assert run(zone).success
    zone.drain()
    assert ERPExport.objects.get().status == "SENT"
    assert zone.names == [export.filename]


def collected(result: TestResult) -> bool:
    return details(result)["delete"].startswith("The ERP collected the test file.")


@pytest.mark.parametrize("atomic", [True, False])
def test_an_erp_that_collects_at_once_is_in_the_report_and_fails_nothing(atomic: bool, zone: Zone) -> None:
    """B20: it takes whatever bears a final name, as it does with orders."""
    zone.edit(atomic_write=atomic)
    # Without temporary names the first file that the test writes bears one, and the second the final one.
    zone.faults.append(erp := TakesFiles() if atomic else TakesWritten())
    result = run(zone)
    assert result.success, result.error_message
    assert collected(result)
    assert [name.startswith(f"sales_order_{UUID(int=0)}_") for name in erp.taken] == [True]
    assert zone.names == []


@pytest.mark.parametrize("atomic", [True, False])
def test_a_server_that_says_of_every_file_that_it_is_not_there_keeps_none(atomic: bool, zone: Zone) -> None:
    """A folder that may only be written into: the file looks collected, and is removed all the same."""
    zone.edit(atomic_write=atomic, ack_path="")
    zone.faults.append(Fails(operations=frozenset({"lstat"}), error=asyncssh.SFTPNoSuchFile("")))
    result = run(zone)
    assert result.success, result.error_message
    assert zone.names == []


def test_an_erp_that_collects_a_file_that_the_user_may_not_delete_is_no_failure(zone: Zone) -> None:
    """It takes the file between the refusal and the rename back."""
    zone.faults.append(TakesRefused(operations=REMOVE))
    result = run(zone)
    assert result.success, result.error_message
    assert collected(result)
    assert zone.names == []


@pytest.mark.parametrize("prefix", ["error_", "ack_", "ERROR_"])
def test_the_acknowledgement_of_a_test_is_counted_and_archived_and_no_incident(
    prefix: str, push: Push, zone: Zone
) -> None:
    """B20: the ERP reports a broken order, which no person need look at; those of orders are read beside it."""
    export = push()
    zone.drain()
    zone.faults.append(erp := TakesFiles())
    assert run(zone).success
    zone.faults.remove(erp)
    (name,) = erp.taken
    (zone.acks / f"{prefix}{name}").write_text(json.dumps({"status": "FAILED", "message": "It is no JSON."}))
    (zone.acks / f"ack_{export.filename}").write_text(json.dumps({"status": "ACKED", "erp_order_id": "SO-1"}))
    assert ack_poller.poll(zone.connection.pk) == 2
    assert sorted(path.name for path in (zone.acks / "processed").iterdir()) == sorted(
        [f"{prefix}{name}", f"ack_{export.filename}"]
    )
    assert list(AckFile.objects.values_list("name", "verdict")) == [(f"ack_{export.filename}", "MATCHED")]
    watch()
    assert not Incident.objects.exists()
    page = log_in(zone.connection.organization).get(page_url(zone.connection)).content.decode()
    assert "1 about the file of a connection test" in page
    ack_poller.poll(zone.connection.pk)
    page = log_in(zone.connection.organization).get(page_url(zone.connection)).content.decode()
    assert "about the file of a connection test" not in page


def test_a_file_about_a_test_under_another_name_is_counted_with_them(zone: Zone) -> None:
    zone.faults.append(erp := TakesFiles())
    assert run(zone).success
    (name,) = erp.taken
    (zone.acks / f"2026-12-01_ack_{name}").write_text("{}")
    (zone.acks / f"ack_{name.removesuffix('.json')}.txt").write_text("{}")
    assert ack_poller.poll(zone.connection.pk) == 0
    folder = Lane.objects.get(kind=Lane.Kind.ACKS).folder
    assert folder
    assert folder["counts"] == {"tests": 2}
    assert not AckFile.objects.exists()


def test_an_acknowledgement_of_an_order_that_nobody_knows_is_still_an_orphan(zone: Zone) -> None:
    name = f"ack_sales_order_{UUID(int=1)}_20261201T100000Z_01234567.json"
    (zone.acks / name).write_text("{}")
    ack_poller.poll(zone.connection.pk)
    assert list(AckFile.objects.values_list("name", "verdict")) == [(name, "ORPHAN")]
    assert names(zone.acks) == [name]
