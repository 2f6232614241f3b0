"""What a database has forgotten to have sent is not withdrawn."""

import pytest

from exports.decisions import withdraw
from exports.models import ERPExport
from exports.models.status import PushRefused
from tests.exports.recovery.scene import Scene


def test_an_export_whose_delivery_was_forgotten_is_not_withdrawn(scene: Scene) -> None:
    """No worker has noticed it yet, and the row looks as if nothing had been sent."""
    export = scene.push()
    scene.backup.save()
    scene.work()
    scene.restore()
    forgotten = ERPExport.objects.get(pk=export.pk)
    assert withdraw.may_be_withdrawn(forgotten)
    withdraw.look_first()
    with pytest.raises(PushRefused, match="went back in time"):
        withdraw.withdraw(forgotten, actor="Eva", reason="the ERP was replaced")
    assert scene.is_held()
    scene.recover()
    scene.work()
    forgotten.refresh_from_db()
    assert (forgotten.status, scene.erp.seen.total()) == ("SENT", 1)
