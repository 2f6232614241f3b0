"""A database that goes back in time, and what `recover` makes of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from connectors.models import ERPConnection
from exports import push_service
from exports.models import ERPExport, Installation
from exports.push_service import PushRequest
from orderflow.orders.models import DraftOrder
from tests.conftest import MakeOrder
from tests.exports.conftest import Push
from tests.exports.recovery.backups import Backup
from tests.exports.recovery.conftest import Work
from tests.exports.recovery.erp import ERP


def recover(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """The report; `code` is the command's exit code."""
    file, code = tmp_path / "report.json", 0
    try:
        call_command("recover", "--json", "--report", str(file), *arguments)
    except CommandError as error:
        code = error.returncode
    report: dict[str, Any] = json.loads(file.read_text())
    return {**report, "code": code}


def status_of(order: DraftOrder) -> tuple[str, list[str]]:
    order.refresh_from_db()
    return order.status, sorted(order.exports.values_list("status", flat=True))


@pytest.mark.parametrize("loss", ["an older backup", "the last second of commits"])
@pytest.mark.parametrize("is_fast", [True, False], ids=["fast ERP", "slow ERP"])
@pytest.mark.parametrize("archive", ["folder", "s3", "missing folder", "missing s3"])
def test_nothing_is_sent_before_recover_and_everything_once_after_it(
    loss: str, is_fast: bool, archive: str, request: pytest.FixtureRequest,
    push: Push, make_order: MakeOrder, connection: ERPConnection, folder: Path, backup: Backup, work: Work,
    tmp_path: Path, settings: Any,
) -> None:  # fmt: skip
    """F34."""
    server = request.getfixturevalue("s3") if "s3" in archive else None
    erp = ERP(place=folder, is_fast=is_fast)
    before = push(make_order())
    work(erp)
    waiting, approved = make_order(), make_order()
    waiting_export = push(waiting)
    if loss == "an older backup":
        backup.save()
    acked, refused, later = make_order(), make_order(), make_order()
    exports = {order.pk: push(order, idempotency_key="k1") for order in (approved, acked, refused, later)}
    if loss != "an older backup":
        backup.save()
    work(erp)
    erp.take()
    erp.acknowledge(before.filename)
    erp.acknowledge(exports[acked.pk].filename)
    erp.refuse(exports[refused.pk].filename)
    work(erp)
    sent = set(erp.seen)
    assert (len(sent), erp.seen.total()) == (6, 6)

    backup.restore()
    if archive == "missing folder":
        shutil.rmtree(tmp_path / "storage")
    if archive == "missing s3" and server:
        server.stop()
    work(erp)
    assert Installation.objects.get().held_since
    again = push_service.push(PushRequest(order=approved, actor="ops", connection=connection, idempotency_key="k1"))
    work(erp)
    assert set(erp.seen) == sent

    report = recover(tmp_path)
    assert not Installation.objects.get().held_since
    work(erp)
    work(erp)
    assert set(erp.seen) == sent, "Something was sent again."
    assert {name: count for name, count in erp.seen.items() if count > 1} == {}
    assert status_of(waiting) == ("PUSHED", ["SENT"])
    assert status_of(approved) == ("PUSHED", ["SENT"])
    again.refresh_from_db()
    assert (again.filename, again.idempotency_key) == (exports[approved.pk].filename, "k1")
    lost = {order.pk for order in (acked, refused, later) if not DraftOrder.objects.filter(pk=order.pk).exists()}
    named = {each["name"] for each in report["unknown"]}
    assert named == {exports[pk].filename for pk in lost}
    if loss != "an older backup" or "missing" not in archive:
        assert not lost
        assert status_of(acked) == ("PUSHED", ["ACKED"])
        assert status_of(refused) == ("ERROR", ["FAILED"])
        assert status_of(later) == ("PUSHED", ["SENT"])
        assert ERPExport.objects.get(draft_order=later).pk == exports[later.pk].pk
    assert ERPExport.objects.get(pk=before.pk).status == "ACKED"
    assert ERPExport.objects.get(draft_order=waiting).pk == waiting_export.pk
