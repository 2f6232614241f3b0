"""Disks that are full, take half or think better of it at the end, at any place of any file."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from exports.documents import archive
from exports.models import ERPExport
from exports.models.status import ExportStatus
from tests.bench.results import Result, Table, at_least, at_most
from tests.exports.faults.zone import Zone
from tests.servers.faulty.faults import DiskFull, Fails, QuotaAtClose, ShortWrites
from tests.servers.faulty.server import Fault
from tests.trials.pushes import BATCH, faulty_zone, push
from tests.trials.runner import Torture

# Of the calls of each kind that go wrong. A document of the longest takes ten writes.
SHARE = {"write": 0.12, "close": 0.2, "flush": 0.2}
LINES = (1, 40, 300, 1500)
QUICK_LINES = (1, 40, 300, 600)


def run(torture: Torture) -> Result:
    wanted, lines = torture.size(1000, 60), QUICK_LINES if torture.quick else LINES
    settings.DELIVERY_BATCH_SIZE = BATCH
    seed = torture.seed
    faults: dict[str, Fault] = {
        "disk full at a write": DiskFull(share=SHARE["write"], seed=seed),
        "half of a write kept": ShortWrites(share=SHARE["write"], seed=seed + 1),
        "disk full at the flush": Fails(operations=frozenset({"fsync"}), share=SHARE["flush"], seed=seed + 2),
        "quota used up at the close": QuotaAtClose(share=SHARE["close"], seed=seed + 3),
    }
    found: Counter[str] = Counter()
    pushes = 0
    with faulty_zone(torture.folder, list(faults.values())) as zone:
        while sum(fault.struck for fault in faults.values()) < wanted or _pending():
            if not _pending():
                push(zone.connection, BATCH, lines=lines, first=pushes)
                pushes += BATCH
            zone.drain_later()
            found["truncated"] += sum(1 for _ in _truncated(zone))
        found["false SENT"] = sum(1 for _ in _falsely_sent(zone))
        found["left over"] = sum(name.endswith(".tmp") for name in zone.names)
    states = Counter(ERPExport.objects.values_list("status", flat=True))
    return Result(
        told=(
            f"{pushes} pushes of {lines[0]} to {lines[-1]:,} lines in batches of {BATCH}, each tried again until it is "
            "sent or its eight tries are used up; what the schedule waits for in between is left out. After every "
            "drain each file under a final name is compared with the SHA-256 of its export, at the end each SENT with "
            "its file and its copy."
        ),
        tables=[
            Table(
                title="What happened",
                columns=("", "times"),
                rows=[
                    *((name, str(fault.struck)) for name, fault in faults.items()),
                    *((f"exports {status}", str(number)) for status, number in sorted(states.items())),
                    ("temporary files left over", str(found["left over"])),
                ],
            )
        ],
        bars=[
            at_least("failing disks: faults", wanted, sum(fault.struck for fault in faults.values()), "faults"),
            at_most("failing disks: truncated under a final name", 0, found["truncated"], "files"),
            at_most("failing disks: SENT and not there whole", 0, found["false SENT"], "exports"),
            at_most("failing disks: FAILED and there", 0, _falsely_failed(zone), "exports"),
        ],
    )


def _pending() -> bool:
    return ERPExport.objects.filter(status=ExportStatus.PENDING).exists()


def _truncated(zone: Zone) -> Iterator[Path]:
    known = dict(ERPExport.objects.values_list("filename", "document_sha256"))
    for path in zone.folder.glob("*.json"):
        if _sha256(path.read_bytes()) != known.get(path.name):
            yield path


def _falsely_sent(zone: Zone) -> Iterator[ERPExport]:
    for export in ERPExport.objects.filter(status=ExportStatus.SENT):
        path = zone.folder / export.filename
        content = path.read_bytes() if path.exists() else b""
        copy = _copy(export) if export.storage_key else content
        if content != copy or _sha256(content) != export.document_sha256:
            yield export


def _copy(export: ERPExport) -> bytes:
    with archive.read(export) as file:
        return bytes(file.read())


def _falsely_failed(zone: Zone) -> int:
    failed = ERPExport.objects.filter(status=ExportStatus.FAILED).values_list("filename", flat=True)
    return sum((zone.folder / name).exists() for name in failed)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
