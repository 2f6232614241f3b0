"""podman without a registry, a service manager or settings of the machine: everything lies below the trial's folder."""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from tests.containers.engine import PROJECT, Engine, TrialFailed, eventually

# `podman wait` knows healthy containers from 4.6 on; before, podman-compose leaves the conditions out.
STAGES = (("db", "redis", "sftp"), ("migrate",), ("web", "worker", "beat"))
# In podman's own image format an image has no health check. Nothing is asked of a registry.
BUILD = ("--format", "docker", "--isolation", "chroot", "--network", "host", "--pull=never")
# podman 4.3 does not start a container whose requirement's requirement is not in the same command.
WRAPPER = """\
#!/bin/bash
arguments=()
for argument in "$@"; do
    case $argument in --requires=*) ;; *) arguments+=("$argument") ;; esac
done
exec {command} "${{arguments[@]}}"
"""
CONF = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
[network]
network_config_dir = "{work}/networks"
"""


class Podman(Engine):
    def prepare(self) -> None:
        wrapper, conf = self.work / "podman", self.work / "containers.conf"
        storage = f"--root {self.work}/storage --runroot {self.work}/run --storage-driver overlay"
        wrapper.write_text(WRAPPER.format(command=f"podman {storage}"))
        wrapper.chmod(0o755)
        files, processes = (resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
        (self.work / "networks").mkdir(exist_ok=True)
        conf.write_text(CONF.format(files=_limit(files, 65_536), processes=_limit(processes, 4_096), work=self.work))
        self.command = (str(wrapper),)
        self.composer = (_podman_compose(), "--podman-path", str(wrapper))
        self.environment = {"CONTAINERS_CONF": str(conf), "DISABLE_HC_SYSTEMD": "true"}

    def build_base(self, image: str, context: Path) -> None:
        self.call("build", *BUILD, "--tag", image, str(context))

    def build(self) -> None:
        self.shell([*self.composer, "-p", PROJECT, f"--podman-build-args={' '.join(BUILD)}", "build", "web"])

    def up(self) -> None:
        for services in STAGES:
            self.compose("up", "--detach", "--no-build", "--no-deps", *services)
            if services == ("migrate",):
                self._wait_ended("migrate")
            elif "db" in services:
                self.wait_healthy(*services, within_s=120)

    def _wait_ended(self, service: str) -> None:
        code = self.call("wait", self.container(service)).strip()
        if code != "0":
            raise TrialFailed(f"{service} ended with {code}:\n{self.logs(service)}")
        self.say(f"{service} ended with 0")

    def is_healthy(self, service: str) -> bool:
        """Runs the service's health check: nothing else does where no service manager runs."""
        command = [*self.command, "healthcheck", "run", self.container(service)]
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, timeout=90, check=False)
        return done.returncode == 0

    def remove(self) -> None:
        with contextlib.suppress(TrialFailed):
            self.call("rm", "--all", "--force", "--volumes", "--time", "5")
        with contextlib.suppress(TrialFailed):
            self.call("network", "prune", "--force")
        eventually(lambda: not self._unmount(), within_s=30, what="the storage is unmounted")
        shutil.rmtree(self.work / "storage", ignore_errors=True)

    def _unmount(self) -> bool:
        """Whether anything was mounted below the trial's folder."""
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        mine = [mount for mount in mounts if Path(mount).is_relative_to(self.work)]
        for mount in sorted(mine, reverse=True):
            subprocess.run(["umount", mount], capture_output=True, check=False)
        return bool(mine)


def _podman_compose() -> str:
    found = shutil.which("podman-compose", path=str(Path(sys.executable).parent)) or shutil.which("podman-compose")
    if not found:
        raise TrialFailed("podman-compose is not installed. `make setup` installs it.")
    return found


def _limit(hard: int, wanted: int) -> int:
    """Nothing above the trial's own limit, which only some users may raise."""
    return wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
