"""A standstill is reported by what still runs: by beat when the workers have stopped, by the web when beat has too."""

from pathlib import Path

import pytest

from tests.servers.smtp import Mailbox, smtp_server
from tests.support.installation import eventually, installed
from tests.system.acceptance.conftest import Site
from tests.system.acceptance.people import RECIPIENT
from tests.system.acceptance.probes import ready, stopped

OVERDUE_S = 10


def told(mailbox: Mailbox, subject: str) -> None:
    shown = f"[OrderFlow] Acme, {subject}"
    eventually(lambda: shown in mailbox.subjects, within_s=120, what=f"{subject!r} among {mailbox.subjects}")


@pytest.mark.timeout(600)
def test_workers_and_beat_that_stopped_are_told(tmp_path: Path) -> None:
    for name in ("in", "acks"):
        (tmp_path / "dropzones" / "acme" / name).mkdir(parents=True)
    config = {"mode": "filesystem", "export_path": "in", "ack_path": "acks"}
    settings = {"DROPZONE_ROOT": str(tmp_path / "dropzones"), "SWEEP_OVERDUE_S": str(OVERDUE_S)}
    with (
        smtp_server() as mailbox,
        installed(tmp_path / "site", settings | {"EMAIL_URL": mailbox.url}) as installation,
    ):
        installation.manage("shell", text=RECIPIENT)
        Site(installation=installation, dropzone=tmp_path, config=config).connect()
        eventually(lambda: ready(installation), within_s=120, what="A start")
        installation.kill("worker")
        told(mailbox, "worker: component stopped")
        installation.start("worker")
        told(mailbox, "worker: resolved: component stopped")

        installation.kill("beat")
        installation.kill("worker")
        eventually(lambda: "beat" in stopped(installation), within_s=60, what="A standstill of beat")
        told(mailbox, "beat: component stopped")
        assert len(mailbox.subjects) <= 4
