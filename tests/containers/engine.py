"""Docker and podman by their commands."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

PROJECT = "orderflow-trial"
TAG = "trial"
DEBIAN = "localhost/orderflow-debian"
LONGEST_COMMAND_S = 600
SHOWN_LINES = 40


class TrialFailed(Exception):
    """What did not hold, with the command's output where there was one."""


@dataclass(kw_only=True)
class Engine:
    """`source` has the Dockerfile, docker-compose.yml and .env; `work` may hold the engine's own files."""

    work: Path
    source: Path
    started: float = field(default_factory=time.monotonic)
    command: Sequence[str] = ()
    composer: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Once, before any other call."""

    def say(self, text: str) -> None:
        sys.stdout.write(f"[{time.monotonic() - self.started:4.0f} s] {text}\n")
        sys.stdout.flush()

    def call(self, *arguments: str, text: str | None = None) -> str:
        """The engine's own command. `text` is its standard input."""
        return self.shell([*self.command, *arguments], text=text)

    def compose(self, *arguments: str) -> str:
        return self.shell([*self.composer, "-p", PROJECT, *arguments])

    def shell(self, command: Sequence[str], *, text: str | None = None) -> str:
        """Returns standard output; raises TrialFailed, with the end of both outputs, unless the command ends with 0."""
        done = subprocess.run(
            command,
            cwd=self.source,
            env=os.environ | self.environment,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=LONGEST_COMMAND_S,
            check=False,
        )
        if done.returncode != 0:
            lines = [*done.stdout.splitlines(), *done.stderr.splitlines()][-SHOWN_LINES:]
            raise TrialFailed("\n".join([f"{' '.join(command[:12])} ended with {done.returncode}:", *lines]))
        return done.stdout

    def build_base(self, image: str, context: Path) -> None:
        raise NotImplementedError

    def build(self) -> None:
        """The image of the Dockerfile, as docker-compose.yml names it."""
        raise NotImplementedError

    def up(self) -> None:
        """Starts every service in the order that docker-compose.yml asks for."""
        raise NotImplementedError

    def is_healthy(self, service: str) -> bool:
        raise NotImplementedError

    def remove(self) -> None:
        """Containers, volumes, networks and the images that the trial made."""
        raise NotImplementedError

    def container(self, service: str) -> str:
        labels = [f"label=com.docker.compose.{name}" for name in (f"project={PROJECT}", f"service={service}")]
        found = self.call("ps", "--all", "--quiet", "--filter", labels[0], "--filter", labels[1]).split()
        if len(found) != 1:
            raise TrialFailed(f"Service {service} has {len(found)} containers, and not one.")
        return found[0]

    def execute(self, service: str, *command: str, text: str | None = None) -> str:
        """Within the service's container, as its user."""
        return self.call("exec", "--interactive", self.container(service), *command, text=text)

    def logs(self, service: str) -> str:
        return self.shell(
            ["sh", "-c", '"$@" 2>&1', "sh", *self.command, "logs", "--tail", "30", self.container(service)]
        )

    def wait_healthy(self, *services: str, within_s: float) -> None:
        for service in services:
            eventually(partial(self.is_healthy, service), within_s=within_s, what=f"{service} is healthy")
            self.say(f"{service} is healthy")


class Docker(Engine):
    def prepare(self) -> None:
        self.command = ("docker",)
        self.composer = ("docker", "compose")
        self._bases: list[str] = []
        self.compose("version")

    def build_base(self, image: str, context: Path) -> None:
        self.call("build", "--network", "host", "--tag", image, str(context))
        self._bases.append(image)

    def build(self) -> None:
        self.compose("build", "web")

    def up(self) -> None:
        self.compose("up", "--detach", "--no-build", "--pull", "missing")

    def is_healthy(self, service: str) -> bool:
        return (
            self.call("inspect", "--format", "{{.State.Health.Status}}", self.container(service)).strip() == "healthy"
        )

    def remove(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "5")
        made = [f"orderflow:{TAG}"]
        if self._bases:
            made += [*self._bases, *(f"{DEBIAN}:{suite}" for suite in ("trixie", "bookworm"))]
        self.call("rmi", "--force", *made)


def eventually(look: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Raises TrialFailed when `look` was never true within that time."""
    end = time.monotonic() + within_s
    while not look():
        if time.monotonic() > end:
            raise TrialFailed(f"Not seen within {within_s:.0f} s: {what}.")
        time.sleep(1)
