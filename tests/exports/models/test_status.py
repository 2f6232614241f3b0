"""The states of exports, as a table of their own: whoever changes the product's has to change this one too."""

import pytest

from connectors.models import ERPConnection
from exports.models import ERPExport
from exports.models.status import ALLOWED, LIVE, ExportStatus
from orderflow.db.state_machine import IllegalTransition
from tests.exports.conftest import Push

WAYS = {
    "PENDING": {"SENT", "ACKED", "FAILED"},
    "SENT": {"ACKED", "FAILED"},
    "ACKED": {"FAILED"},
    "FAILED": {"ACKED"},
}


def test_the_ways_between_the_states_are_these() -> None:
    assert {source.value: {target.value for target in targets} for source, targets in ALLOWED.items()} == WAYS
    assert set(LIVE) == {state for state, targets in WAYS.items() if {"ACKED", "FAILED"} <= targets}


@pytest.mark.parametrize("source", ExportStatus)
@pytest.mark.parametrize("target", ExportStatus)
def test_no_other_way_is_gone(source: str, target: str, push: Push, connection: ERPConnection) -> None:
    export, other = push(), push()
    ERPExport.objects.filter(pk=export.pk).update(status=source)
    before = {"PENDING", "SENT", "ACKED", "FAILED"} - {source}
    rows = ERPExport.objects.filter(pk=export.pk)
    if target not in WAYS[source]:
        for move in (rows.move, lambda a, b: rows.move_each([export.pk], a, b, own={"tries": [1]})):
            with pytest.raises(IllegalTransition, match=f"{source} -> {target}"):
                move(source, target)
    else:
        for elsewhere in before:
            if target in WAYS[elsewhere]:
                assert rows.move(elsewhere, target) == 0
        assert rows.move(source, target) == 1
    other.refresh_from_db()
    assert other.status == "PENDING"
    assert rows.get().status == (target if target in WAYS[source] else source)
