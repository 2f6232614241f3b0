"""Renames that nobody hears the truth about: no order may arrive twice, and none be lost."""

from collections import Counter
from dataclasses import replace

import pytest

from exports.models import ERPExport
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import DeletesNewName, Fails, LinksOnly, LosesAnswers, TakesFiles
from tests.support.temporary_names import unmarked


@pytest.mark.parametrize("lost", [LosesAnswers(), LosesAnswers(hangs_up_after_s=0)], ids=["silent", "hangs up"])
@pytest.mark.parametrize("share_taken", [0, 0.5, 1])
def test_a_lost_answer_to_the_rename_never_sends_an_order_twice(
    push: Push, zone: Zone, lost: LosesAnswers, share_taken: float
) -> None:
    """F2, F8."""
    exports = [push() for _ in range(10)]
    erp = TakesFiles(share=share_taken)
    zone.faults.extend([erp, replace(lost, at_most=3)])
    zone.drain()
    in_doubt = ERPExport.objects.filter(status="PENDING").exclude(staged_path="")
    assert in_doubt.exists()
    for _ in range(4):
        zone.drain_later()
    assert erp.taken + zone.arrived() == Counter(export.filename for export in exports)
    assert set(ERPExport.objects.values_list("status", flat=True)) == {"SENT"}


def test_a_server_that_dies_between_the_two_halves_of_a_rename_leaves_one_file(push: Push, zone: Zone) -> None:
    """F3: both names were there."""
    export = push()
    zone.faults.append(LinksOnly(at_most=1))
    zone.drain()
    assert set(unmarked(zone.names)) == {export.filename, f"{export.filename}.tmp"}
    zone.drain_later()
    export.refresh_from_db()
    assert export.status == "SENT"
    assert zone.names == [export.filename]


@pytest.mark.parametrize("erp_is_quick", [True, False])
def test_a_rename_that_happened_and_was_denied_counts_as_sent(push: Push, zone: Zone, erp_is_quick: bool) -> None:
    """F4, F7: a bare failure, without words or number, after the rename."""
    export = push()
    erp = TakesFiles(share=int(erp_is_quick))
    zone.faults.extend([erp, Fails(operations=frozenset({"rename"}), carried_out=True)])
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries) == ("SENT", 1)
    assert erp.taken + zone.arrived() == Counter([export.filename])


def test_a_rename_that_failed_without_a_cause_is_tried_again(push: Push, zone: Zone) -> None:
    """F4, F7: the new name was there for a moment, and is gone; the old one stayed."""
    export = push()
    zone.faults.append(DeletesNewName(at_most=1))
    zone.drain()
    export.refresh_from_db()
    assert (export.status, export.tries) == ("PENDING", 1)
    assert "without a cause" in export.error_message
    zone.drain_later()
    export.refresh_from_db()
    assert export.status == "SENT"
    assert zone.arrived() == Counter([export.filename])


def test_a_file_that_is_taken_at_once_is_sent(push: Push, zone: Zone) -> None:
    """F8: nobody asks for it under its final name."""
    exports = [push() for _ in range(5)]
    erp = TakesFiles()
    zone.faults.append(erp)
    zone.drain()
    assert set(ERPExport.objects.values_list("status", "tries")) == {("SENT", 1)}
    assert erp.taken == Counter(export.filename for export in exports)
