"""Acks at a server with faults."""

from pathlib import Path

from exports.models import ERPExport
from tests.exports.conftest import Push
from tests.exports.faults.zone import Zone
from tests.trials.hostile import GOOD


def sent(push: Push, zone: Zone, count: int = 1) -> list[ERPExport]:
    exports = [push() for _ in range(count)]
    zone.drain()
    return exports


def answer(zone: Zone, export: ERPExport, content: bytes = GOOD) -> Path:
    path = zone.acks / f"ack_{export.filename}"
    path.write_bytes(content)
    return path


def states() -> dict[str, str]:
    return dict(ERPExport.objects.values_list("filename", "status"))
