"""A backup restored below running web, worker and beat processes, and a recovery that is killed on its way."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tests.exports.recovery.runbook import COMMANDS
from tests.support.installation import ROOT, Installation, eventually
from tests.system.acceptance.conftest import Site
from tests.system.acceptance.orders import greedy_erp, pushed, state
from tests.system.acceptance.probes import probe, reachable, stopped

# Where the recovery is killed: it reports each of these on stderr before it begins with it.
STEPS = ["Reading the journal", "Journal lines read", "Judging", "Reading acknowledgements"]
ROLES = ("web", "worker", "beat")


def run(site: Site, name: str) -> None:
    """A command of docs/how-to/back-up-and-restore.md, in the installation's environment."""
    database = "postgresql" if "DATABASE_URL" in site.installation.settings else "sqlite"
    command = COMMANDS.get(name) or COMMANDS[f"{name} {database}"]
    folder = site.installation.folder
    for tool in (".venv", "manage.py"):
        if not (folder / tool).exists():
            (folder / tool).symlink_to(ROOT / tool)
    environment = {**site.installation.environment, "BACKUP": str(folder / "backup")}
    done = subprocess.run(
        ["bash", "-ec", command], env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def kill_recovery_at(step: str, installation: Installation) -> bool:
    """Whether the command was killed when it reported `step`; False if it ended before."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "recover"],
        env=installation.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr
        for line in command.stderr:
            if line.startswith(step):
                os.kill(command.pid, signal.SIGKILL)
                break
    return command.returncode == -signal.SIGKILL


def states(installation: Installation, exports: Sequence[str]) -> Counter[str]:
    rows = installation.get("exports/?page_size=200")["results"]
    return Counter(row["status"] for row in rows if row["id"] in exports)


def push(installation: Installation, prefix: str, count: int) -> list[str]:
    return [pushed(installation, f"{prefix}-{number}")["erp_export_id"] for number in range(count)]


def acknowledge(site: Site, export: dict[str, Any], status: str) -> None:
    kind, body = ("ack", {"erp_order_id": "SO-1"}) if status == "ACKED" else ("error", {"error_code": "CREDIT"})
    path = site.dropzone / "acks" / f"{kind}_{export['filename']}"
    path.write_text(json.dumps({"status": status, **body}))


@pytest.mark.timeout(600)
def test_a_backup_restored_into_a_running_installation_sends_nothing_twice(site: Site) -> None:
    """F34: nothing leaves before the recovery, and each order once after it, wherever the recovery was killed."""
    installation = site.installation
    assert shutil.which("sqlite3")
    assert shutil.which("pg_restore")
    site.connect()
    with greedy_erp(site.dropzone) as taken:
        before = push(installation, "BEFORE", 10)
        eventually(lambda: states(installation, before) == {"SENT": 10}, within_s=60, what="SENT")
        run(site, "backup")
        lost = push(installation, "LOST", 30)
        eventually(lambda: states(installation, lost) == {"SENT": 30}, within_s=60, what="SENT")
        for number, export in enumerate(lost[:15]):
            acknowledge(site, installation.get(f"exports/{export}/"), "ACKED" if number < 10 else "FAILED")
        judged = {"ACKED": 10, "FAILED": 5, "SENT": 15}
        eventually(lambda: states(installation, lost) == judged, within_s=60, what="acknowledgements")
        for name in ROLES:
            installation.kill(name)

        run(site, "restore")
        for name in ROLES:
            installation.start(name)
        eventually(lambda: reachable(installation), within_s=60, what="The web")
        eventually(lambda: "deliveries" in stopped(installation), within_s=60, what="The notice of the restore")
        (waiting,) = push(installation, "WAITING", 1)
        reason = eventually(
            lambda: installation.get(f"exports/{waiting}/")["held_because"], within_s=30, what="The reason"
        )
        assert "recover" in reason
        assert taken.total() == 40

        for name in ("worker", "beat"):
            installation.kill(name)
        assert [step for step in STEPS if not kill_recovery_at(step, installation)] == []
        assert "deliveries" in stopped(installation)
        run(site, "recover")
        for name in ("worker", "beat"):
            installation.start(name)
        eventually(lambda: state(installation, waiting) == "SENT", within_s=60, what="The order that waited")
        eventually(lambda: probe(installation, "/readyz")[0] == 200, within_s=60, what="Readiness")
        # A file that was not moved before the kill is read by the next poll.
        eventually(
            lambda: states(installation, lost) == judged, within_s=60, what="acknowledgements after the recovery"
        )
        assert states(installation, before) == {"SENT": 10}
    assert set(taken.values()) == {1}
    assert len(taken) == 41
