"""What every trial works with: its size, its seed, a folder, and a fresh installation's settings and database."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
from django.core.management import call_command

from orderflow.keys import fresh_keys
from tests.servers.postgres import PostgresServer, postgres_server
from tests.servers.redis import RedisServer, redis_server


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Which a trial may restart."""

    postgres: PostgresServer
    redis: RedisServer


@dataclass(frozen=True, kw_only=True)
class Torture:
    """`servers` are None on SQLite with the embedded broker."""

    quick: bool
    seed: int
    folder: Path
    servers: Servers | None = None

    @property
    def setup(self) -> str:
        """For people: which database and broker the trial uses."""
        return "PostgreSQL, Redis" if self.servers else "SQLite, the embedded broker"

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@contextmanager
def torture(*, quick: bool, seed: int, on_servers: bool) -> Iterator[Torture]:
    """Django set up in this process over an empty database, and in the environment for the processes that it starts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orderflow-torture-")))
        # Servers that run as another user have their folders below this one.
        folder.chmod(0o755)
        servers = None
        os.environ |= _environment(folder)
        if on_servers:
            postgres = stack.enter_context(postgres_server())
            servers = Servers(postgres=postgres, redis=stack.enter_context(redis_server()))
            os.environ |= {"DATABASE_URL": postgres.url, "REDIS_URL": servers.redis.url}
        django.setup()
        call_command("migrate", verbosity=0)
        (folder / "trial").mkdir()
        yield Torture(quick=quick, seed=seed, folder=folder / "trial", servers=servers)


def _environment(folder: Path) -> dict[str, str]:
    return {
        **fresh_keys(),
        "DJANGO_SETTINGS_MODULE": "orderflow.settings",
        "ENV_FILE": str(folder / "none.env"),
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "STORAGE_URL": "",
        "DROPZONE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
        "LOG_LEVEL": "WARNING",
    }
