"""A folder of answers in which most of what lies there is none."""

import os
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from exports import ack_poller
from exports.delivery import drain
from exports.models import AckFile, ERPExport
from exports.models.status import ExportStatus
from tests.bench.results import Result, Table, at_least, at_most, number
from tests.servers.sftp.openssh import openssh_server
from tests.support.processes import resident_mb
from tests.trials.hostile import GOOD, fill
from tests.trials.pushes import connected, push
from tests.trials.runner import Torture

POLLS = 2
GROWS_AT_MOST_MB = 100


def run(torture: Torture) -> Result:
    good, many = torture.size(500, 40), torture.size(10_000, 400)
    with openssh_server(torture.folder / "sshd") as server:
        connection = connected(server, timeout_s=30)
        push(connection, 2 * good)
        drain.drain(connection.pk)
        awaited, answered = _halves(connection, good)
        made = fill(server.root / "acks", awaited, answered, many)
        for name in answered:
            (server.root / "acks" / f"ack_{name}").write_bytes(GOOD)
        # A damaged file is judged at the second look, without waiting for an interval.
        settings.ACK_POLL_INTERVAL_S = 0
        before, took = resident_mb(os.getpid()), []
        _forget_the_highest()
        for _ in range(POLLS):
            started = time.perf_counter()
            with suppress(ConnectorError):
                ack_poller.poll(connection.pk)
            took.append(time.perf_counter() - started)
        grown = _highest_mb() - before
    rows = ERPExport.objects.filter(connection=connection)
    states = dict(rows.values_list("filename", "status"))
    verdicts = Counter(AckFile.objects.values_list("verdict", flat=True))
    return Result(
        told=(
            f"{many:,} hostile entries and {good} good answers in one folder behind OpenSSH, polled twice in a fresh "
            f"process, in {' and '.join(map(number, took))} s."
        ),
        tables=[
            Table(title="Hostile entries", columns=("kind", "number"), rows=[(k, str(n)) for k, n in made.items()]),
            Table(
                title="What the ledger has",
                columns=("verdict", "files"),
                rows=[(verdict, str(files)) for verdict, files in sorted(verdicts.items())],
            ),
        ],
        bars=[
            at_least(
                "hostile answers: good ones applied within 2 polls",
                good,
                sum(states[name] == ExportStatus.ACKED for name in answered),
                "answers",
            ),
            at_most(
                "hostile answers: hostile ones applied",
                0,
                sum(states[name] != ExportStatus.SENT for name in awaited),
                "exports",
            ),
            at_most("hostile answers: memory grows", GROWS_AT_MOST_MB, grown, "MB"),
        ],
    )


def _halves(connection: ERPConnection, good: int) -> tuple[list[str], list[str]]:
    names = ERPExport.objects.filter(connection=connection, status=ExportStatus.SENT).order_by("pk")
    filenames = list(names.values_list("filename", flat=True))
    return filenames[good:], filenames[:good]


def _forget_the_highest() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _highest_mb() -> float:
    """Resident memory at its highest since it was forgotten."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
