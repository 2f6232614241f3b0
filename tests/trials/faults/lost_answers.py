"""Every rename is carried out and none is answered; half of the files are gone by the time that anybody looks."""

import json
import random
from collections import Counter

from django.conf import settings

from exports import ack_poller
from exports.models import ERPExport
from exports.models.status import ExportStatus
from tests.bench.results import Result, Table, at_least, at_most
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import LosesAnswers, TakesFiles
from tests.trials.pushes import BATCH, faulty_zone, push
from tests.trials.runner import Torture

# One rename in so many is the last thing that its connection does.
RENAMES_A_HANG_UP = 20
MOST_ROUNDS = 200


def run(torture: Torture) -> Result:
    count = torture.size(500, 100)
    settings.DELIVERY_BATCH_SIZE = BATCH
    erp = TakesFiles(share=0.5, seed=torture.seed)
    lost = LosesAnswers()
    hang_ups = LosesAnswers(hangs_up_after_s=0, share=1 / RENAMES_A_HANG_UP, seed=torture.seed)
    chance = random.Random(torture.seed)
    with faulty_zone(torture.folder, [erp, lost, hang_ups]) as zone:
        push(zone.connection, count)
        arrived, rounds = _deliver(zone, erp, chance)
        _answer(zone, arrived, chance)
    states = Counter(ERPExport.objects.values_list("status", flat=True))
    names = set(ERPExport.objects.values_list("filename", flat=True))
    return Result(
        told=(
            f"{count} pushes in batches of {BATCH}. The server renames and says nothing, or hangs up in the middle of "
            f"the batch; the ERP takes every second file in the moment of its rename, and others later. {rounds} "
            "drains; what the schedule waits for in between is left out. In the end the ERP answers half of them."
        ),
        tables=[
            Table(
                title="What happened",
                columns=("", "times"),
                rows=[
                    ("a rename was not answered", str(lost.struck)),
                    ("the server hung up", str(hang_ups.struck)),
                    ("a file was taken at once", str(sum(erp.taken.values()))),
                    *((f"exports {status}", str(number)) for status, number in sorted(states.items())),
                ],
            )
        ],
        bars=[
            at_most("lost answers: second deliveries", 0, sum(arrived.values()) - len(arrived), "files"),
            at_most("lost answers: never delivered", 0, len(names - arrived.keys()), "files"),
            at_most("lost answers: of nobody's pushing", 0, len(arrived.keys() - names), "files"),
            at_least("lost answers: ended SENT or ACKED", count, states["SENT"] + states["ACKED"], "exports"),
            at_least("lost answers: renames whose answer was dropped", count, lost.struck, "renames"),
        ],
    )


def _deliver(zone: Zone, erp: TakesFiles, chance: random.Random) -> tuple[Counter[str], int]:
    """What the ERP got, each time counted, and how often the lane was drained."""
    arrived: Counter[str] = Counter()
    rounds = 0
    while ERPExport.objects.filter(status=ExportStatus.PENDING).exists() and rounds < MOST_ROUNDS:
        zone.drain_later()
        rounds += 1
        arrived += _taken(zone, chance, share=0.3)
    return arrived + _taken(zone, chance, share=1) + erp.taken, rounds


def _taken(zone: Zone, chance: random.Random, *, share: float) -> Counter[str]:
    taken: Counter[str] = Counter()
    for path in sorted(zone.folder.glob("*.json")):
        if chance.random() < share:
            path.unlink()
            taken[path.name] += 1
    return taken


def _answer(zone: Zone, arrived: Counter[str], chance: random.Random) -> None:
    for name in sorted(arrived):
        if chance.random() < 0.5:
            (zone.acks / f"ack_{name}").write_text(json.dumps({"status": "ACKED", "erp_order_id": "SO-1"}))
    zone.faults.clear()
    ack_poller.poll(zone.connection.pk)
