"""Stages for cases of crashes and pauses: every server, a folder, and both databases."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from typing import Any

import environ
from django.db import connection as database

from tests.bench.bench import ROOT
from tests.servers.postgres import postgres
from tests.servers.sftp import every
from tests.servers.sftp.sftp_server import SFTPServer
from tests.system.crashes.scene import LOCAL
from tests.system.crashes.stage import Stage
from tests.trials.runner import Torture

SERVERS = (LOCAL, *every.NAMES)
SQLITE = "SQLite"


@contextmanager
def stages_of(torture: Torture) -> Iterator[dict[str, Stage]]:
    """One on each database, by its name."""
    with ExitStack() as running:
        servers = {name: running.enter_context(every.start(name, torture.folder / name)) for name in every.NAMES}
        url = running.enter_context(postgres())
        stage = Stage(
            folder=torture.folder / "sqlite",
            database=database.settings_dict,
            servers={LOCAL: None} | {name: _told(server) for name, server in servers.items()},
        )
        yield {
            SQLITE: stage,
            "PostgreSQL": replace(stage, folder=torture.folder / "postgresql", database=_migrated(url)),
        }


def _told(server: SFTPServer) -> SFTPServer:
    """What there is to know of it in another process than the one that runs it."""
    return SFTPServer(**{field.name: getattr(server, field.name) for field in fields(SFTPServer)})


def _migrated(url: str) -> Mapping[str, Any]:
    environment = {**os.environ, "DATABASE_URL": url}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120)
    return {**database.settings_dict, "OPTIONS": {}, **environ.Env.db_url_config(url)}
