"""OrderFlow as people run it: web, worker and beat as processes, set up by commands, used over HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from orderflow.keys import fresh_keys
from tests.servers.ports import free_port
from tests.servers.redis import wait_until_listening

ROOT = Path(__file__).parents[2]
CELERY = ["celery", "-A", "orderflow"]
PASSWORD = "correct horse battery"
T = TypeVar("T")

SEED = """
import os
from django.contrib.auth import get_user_model
from orderflow.tenancy.models import Membership, Organization
organization = Organization.objects.create(name="Acme", slug="acme")
user = get_user_model().objects.create_user("ops", password=os.environ["SEED_PASSWORD"], is_staff=True)
Membership.objects.create(user=user, organization=organization, role="ADMIN")
"""


@dataclass(kw_only=True)
class Installation:
    folder: Path
    settings: Mapping[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    pools: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    token: str = ""

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "DJANGO_SETTINGS_MODULE": "orderflow.settings",
            "ENV_FILE": str(self.folder / "none.env"),
            "DATA_DIR": str(self.folder / "data"),
            "DROPZONE_ALLOWED_NETWORKS": "127.0.0.0/8",
            "LEASE_S": "3",
            "DELIVERY_BATCH_SIZE": "10",
            "SWEEP_INTERVAL_S": "1",
            "ACK_POLL_INTERVAL_S": "1",
            "SEED_PASSWORD": PASSWORD,
            "PYTHONPATH": str(ROOT),
        }
        return {**os.environ, **own, **self.settings}

    def manage(self, *arguments: str, text: str | None = None) -> str:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=self.folder,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, name: str) -> None:
        """Web, worker or beat; further workers have a number behind, such as "worker-2"."""
        worker = ["worker", "--hostname", f"{name}@%h", "--concurrency", "2", "--without-gossip", "--without-mingle"]
        if name in self.pools:
            worker += ["--pool", self.pools[name]]
        commands = {
            "web": ["gunicorn", "orderflow.wsgi", "--bind", f"127.0.0.1:{self.port}", "--threads", "4"],
            "worker": [*CELERY, *worker],
            "beat": [*CELERY, "beat"],
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *commands[name.partition("-")[0]]],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """SIGKILL for the process and all its children: nobody can tidy up."""
        process = self.processes.pop(name)
        # It may have ended by itself.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def children(self, name: str) -> list[int]:
        pid = self.processes[name].pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def log_of(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Status and parsed body of an API call; an error's body as well."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"} | headers,
        )
        if not self.token:
            request.remove_header("Authorization")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def get(self, path: str) -> Any:
        status, body = self.call("GET", path)
        assert status == 200, body
        return body

    def post(self, path: str, body: object = None, **headers: str) -> Any:
        status, answer = self.call("POST", path, body, **headers)
        assert status < 300, (status, answer)
        return answer


@contextmanager
def installed(folder: Path, settings: Mapping[str, str]) -> Iterator[Installation]:
    """Migrated, with an organization and a user, web and worker and beat running, logged in."""
    folder.mkdir(parents=True, exist_ok=True)
    installation = Installation(folder=folder, settings={**fresh_keys(), **settings})
    try:
        installation.manage("migrate", "--noinput")
        installation.manage("shell", text=SEED)
        for name in ("web", "worker", "beat"):
            installation.start(name)
        wait_until_listening(installation.port, 30)
        answer = installation.post("token/", {"username": "ops", "password": PASSWORD})
        installation.token = answer["token"]
        yield installation
    finally:
        installation.stop()


def eventually(look: Callable[[], T | None], *, within_s: float, what: str) -> T:
    """The first true answer of `look`."""
    end = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {within_s} s")
        time.sleep(0.05)
