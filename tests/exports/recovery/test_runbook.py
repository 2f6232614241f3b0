"""docs/how-to/back-up-and-restore.md, run as it is written."""

import os
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection as database
from django.db import connections

from tests.exports.recovery.runbook import COMMANDS
from tests.exports.recovery.scene import Scene, status_of
from tests.servers.missing import program
from tests.support.installation import ROOT
from tests.support.shared_database import database_url


class Terminal:
    """Where somebody types what the page says, in an installation whose DATA_DIR is the test's folder."""

    def __init__(self, data: Path) -> None:
        self.folder = data / "terminal"
        self.folder.mkdir()
        for name in (".venv", "manage.py"):
            (self.folder / name).symlink_to(ROOT / name)
        if database.vendor == "sqlite":
            (data / "orderflow.sqlite3").symlink_to(str(database.settings_dict["NAME"]))
        self._environment = {
            **os.environ,
            "ENV_FILE": str(data / "none.env"),
            "DJANGO_SETTINGS_MODULE": "orderflow.settings",
            "SECRET_KEY": settings.SECRET_KEY,
            "ENCRYPTION_MASTER_KEY": settings.ENCRYPTION_MASTER_KEY,
            "DATABASE_URL": database_url(),
            "DATA_DIR": str(data),
            "DROPZONE_ROOT": str(settings.DROPZONE_ROOT),
            "BACKUP": str(self.folder / "backup"),
        }

    def run(self, name: str) -> tuple[int, str]:
        connections.close_all()
        done = subprocess.run(
            ["bash", "-ec", COMMANDS[name]],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_page_brings_an_installation_back(scene: Scene, terminal: Terminal) -> None:
    """F34."""
    kind = "sqlite" if database.vendor == "sqlite" else "postgresql"
    program("sqlite3", package="sqlite3") if kind == "sqlite" else program("pg_restore", package="postgresql-client")
    scene.erp.is_fast = True
    orders = [scene.make_order() for _ in range(3)]
    scene.push()
    scene.work()
    assert terminal.run(f"backup {kind}") == (0, "")
    exports = [scene.push(order) for order in orders]
    scene.work()
    scene.erp.acknowledge(exports[0].filename)
    scene.work()
    sent = scene.names
    assert (len(sent), scene.erp.seen.total()) == (4, 4)

    code, text = terminal.run(f"restore {kind}")
    assert code == 0, text
    assert {status_of(order)[0] for order in orders} == {"APPROVED"}
    code, text = terminal.run("look")
    assert code == 0, text
    assert "Exports that the database had lost: 3" in text
    assert {status_of(order)[0] for order in orders} == {"APPROVED"}
    code, text = terminal.run("recover")
    assert code == 0, text
    report = (terminal.folder / "recovered.txt").read_text(encoding="utf-8")
    assert [export.filename for export in exports if export.filename not in report] == []
    scene.work()
    assert (scene.names, scene.erp.seen.total()) == (sent, 4)
    assert [status_of(order)[1] for order in orders] == [["ACKED"], ["SENT"], ["SENT"]]


@pytest.mark.full
@pytest.mark.timeout(300)
def test_the_page_has_the_way_without_a_recovery(scene: Scene, terminal: Terminal) -> None:
    code, text = terminal.run("accept")
    assert code == 0, text
    assert "AGAIN" in text
    assert not scene.is_held()
