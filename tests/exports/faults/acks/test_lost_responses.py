"""Folders of answers in which anything may lie, on servers that may tell anything of them."""

import json
import os
from collections.abc import Iterator

import pytest

from connectors.exceptions import ConfigError, ConnectorError
from exports import ack_poller, push_service
from exports.models import AckFile, ERPExport, Lane
from exports.push_service import PushRequest
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import Push, connect_to, names
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import DENIED, HOSTILE_NAMES, Fails, ListsAlso, Meanwhile
from tests.support.exports.acks import answer, sent, states
from tests.support.processes import resident_mb
from tests.trials.hostile import BLURRED, CONTENTS, GOOD

pytestmark = pytest.mark.usefixtures("judged_at_once")


def test_damaged_answers_are_quarantined_and_keep_no_other_from_being_applied(push: Push, zone: Zone) -> None:
    """A2, A8, A9: and nothing reaches the database that it refuses."""
    good, *others = sent(push, zone, 1 + len(CONTENTS))
    damaged = {export.filename: kind for export, kind in zip(others, CONTENTS, strict=True)}
    for export, content in zip(others, CONTENTS.values(), strict=True):
        answer(zone, export, content)
    answer(zone, good)
    ack_poller.poll(zone.connection.pk)
    assert [name for name, status in states().items() if status == "ACKED"] == [good.filename]
    ack_poller.poll(zone.connection.pk)
    verdicts = {
        damaged.get(name.removeprefix("ack_"), "good"): verdict
        for name, verdict in AckFile.objects.values_list("name", "verdict")
    }
    assert verdicts == {**dict.fromkeys(CONTENTS, "MALFORMED"), "good": "MATCHED"}
    assert [name for name, status in states().items() if status == "ACKED"] == [good.filename]
    assert len(names(zone.acks / "error")) == len(CONTENTS)
    assert names(zone.acks) == ["error", "processed"]


def test_answers_whose_status_is_clear_are_applied_whatever_else_they_say(push: Push, zone: Zone) -> None:
    """A18: and nothing reaches the database that it refuses."""
    for export, content in zip(sent(push, zone, len(BLURRED)), BLURRED.values(), strict=True):
        answer(zone, export, content)
    assert ack_poller.poll(zone.connection.pk) == len(BLURRED)
    assert set(states().values()) == {"ACKED"}
    rows = list(AckFile.objects.values_list("verdict", "reason"))
    assert [verdict for verdict, _ in rows] == ["MATCHED"] * len(BLURRED)
    assert all(reason for _, reason in rows)
    assert max(map(len, ERPExport.objects.values_list("erp_order_id", flat=True))) == 120


def test_an_answer_with_a_bom_is_an_answer(push: Push, zone: Zone) -> None:
    """A9."""
    (export,) = sent(push, zone)
    answer(zone, export, b"\xef\xbb\xbf" + GOOD)
    assert ack_poller.poll(zone.connection.pk) == 1
    assert states() == {export.filename: "ACKED"}


def test_names_that_no_file_can_have_do_not_stop_the_poll(push: Push, zone: Zone) -> None:
    """A7, A5: neither those, nor one name twice, nor sizes beyond all numbers."""
    (export,) = sent(push, zone)
    answer(zone, export)
    foreign = [b"ack_sales_order_of_somebody_else.json"] * 2
    twice = [f"ack_{export.filename}".encode()] * 2
    zone.faults.append(ListsAlso(names=lambda: [*HOSTILE_NAMES, *foreign, *twice], size=2**64 - 1))
    for _ in range(2):
        ack_poller.poll(zone.connection.pk)
    zone.faults.clear()
    ack_poller.poll(zone.connection.pk)
    assert states() == {export.filename: "ACKED"}
    assert AckFile.objects.filter(verdict="ORPHAN", name=foreign[0].decode()).count() == 1


def test_an_answer_that_vanishes_between_list_and_read_is_none(push: Push, zone: Zone) -> None:
    """A12."""
    gone, there = sent(push, zone, 2)
    path = answer(zone, gone)
    answer(zone, there)
    zone.faults.append(Meanwhile(operations=frozenset({"lstat", "open"}), act=path.unlink))
    assert ack_poller.poll(zone.connection.pk) == 1
    assert states() == {gone.filename: "SENT", there.filename: "ACKED"}
    assert AckFile.objects.count() == 1


def test_an_answer_that_cannot_be_moved_away_is_applied_once(push: Push, zone: Zone) -> None:
    """A13: a server that says only "failure", and one on which the folder cannot be made."""
    (export,) = sent(push, zone)
    path = answer(zone, export)
    for fault in (
        Fails(operations=frozenset({"mkdir"}), error=DENIED),
        Fails(operations=frozenset({"rename"})),
    ):
        zone.faults.append(fault)
        with pytest.raises(ConnectorError):
            ack_poller.poll(zone.connection.pk)
        zone.faults.clear()
        assert path.exists()
    assert ack_poller.poll(zone.connection.pk) == 1
    assert list(AckFile.objects.values_list("verdict", flat=True)) == ["MATCHED"]
    assert [event.kind for event in export.events.all()].count("ACKED") == 1
    assert names(zone.acks / "processed") == [path.name]


def test_a_hundred_thousand_files_of_others_are_passed_by_in_little_memory(push: Push, zone: Zone) -> None:
    """A14."""

    def many() -> Iterator[bytes]:
        return (b"invoice_%d.pdf" % n for n in range(100_000))

    (export,) = sent(push, zone)
    answer(zone, export)
    zone.connection.refresh_from_db()
    zone.edit(timeout_s=60)
    listing = ListsAlso(names=many)
    zone.faults.append(listing)
    before = resident_mb(os.getpid())
    assert ack_poller.poll(zone.connection.pk) == 1
    grown = resident_mb(os.getpid()) - before
    assert (listing.struck, states()) == (1, {export.filename: "ACKED"})
    # The server is in this process too; all of the entries at once would take about twice that.

    assert grown < 10


def test_a_folder_that_cannot_be_listed_is_an_error_that_people_see(push: Push, zone: Zone) -> None:
    """A15."""
    (export,) = sent(push, zone)
    answer(zone, export)
    zone.faults.append(Fails(operations=frozenset({"scandir"}), error=DENIED))
    with pytest.raises(ConfigError, match="list /acks"):
        ack_poller.poll(zone.connection.pk)
    assert "list /acks" in Lane.objects.get(kind="ACKS").last_error
    zone.faults.clear()
    assert ack_poller.poll(zone.connection.pk) == 1
    assert Lane.objects.get(kind="ACKS").last_error == ""


def test_two_tenants_with_one_folder_of_answers_take_each_their_own(
    push: Push, zone: Zone, make_order: MakeOrder
) -> None:
    """A5."""
    (ours,) = sent(push, zone)
    other = Organization.objects.create(name="Globex", slug="globex")
    theirs = connect_to(zone.server, other, export_path="/in", ack_path="/acks")
    export = push_service.push(PushRequest(order=make_order(tenant=other), actor="ops", connection=theirs))
    for each in (ours, export):
        answer(zone, each, json.dumps({"status": "ACKED", "erp_order_id": str(each.pk)}).encode())
    assert ack_poller.poll(zone.connection.pk) == 1
    assert names(zone.acks) == [f"ack_{export.filename}", "processed"]
    assert ack_poller.poll(theirs.pk) == 1
    for each in (ours, export):
        each.refresh_from_db()
        assert (each.status, each.erp_order_id) == ("ACKED", str(each.pk))
