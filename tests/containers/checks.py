"""What docker-compose.yml asks for, looked at from within the running containers."""

from tests.containers.engine import TrialFailed
from tests.containers.files import services
from tests.containers.site import SECRETS, Site

RUNNING = ("web", "worker", "beat")
HARDENED = (*RUNNING, "db", "redis")
PROBE = "cat /proc/1/status /proc/mounts && touch /tmp/probe && echo 'tmp writable'"
LIMITS = """\
for file in memory.max memory/memory.limit_in_bytes pids.max pids/pids.max; do
    [ ! -e /sys/fs/cgroup/$file ] || echo "$file $(cat /sys/fs/cgroup/$file)"
done
"""
FREEZE = """\
import os, pathlib, signal
for child in pathlib.Path("/proc/1/task/1/children").read_text().split():
    os.kill(int(child), signal.{signal})
"""
UNLIMITED = 2**50


def check(site: Site) -> None:
    _settings_arrive(site)
    _cookies_are_secure(site)
    _confined(site)
    _volumes_are_usable(site)
    _limited(site)
    _no_secret_in_arguments(site)
    _a_frozen_worker_is_noticed(site)


def _settings_arrive(site: Site) -> None:
    expected = {name: value for name, value in site.settings.items() if value}
    for service in RUNNING:
        lines = site.engine.execute(service, "env").splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        if missing := sorted(name for name, value in expected.items() if found.get(name) != value):
            raise TrialFailed(f"Settings of .env do not arrive in {service}: {', '.join(missing)}")
    site.engine.say(f"{len(expected)} settings of .env arrive in {', '.join(RUNNING)}")


def _cookies_are_secure(site: Site) -> None:
    cookie = site.request("GET", "/admin/login/")[0].get("Set-Cookie", "")
    _require("Secure" in cookie, f"REQUIRE_TLS has no effect on {cookie!r}")
    site.engine.say("REQUIRE_TLS in .env makes the cookies secure")


def _confined(site: Site) -> None:
    for service in HARDENED:
        lines = site.engine.execute(service, "sh", "-c", PROBE).splitlines()
        status = {line.split()[0]: line.split()[1] for line in lines if len(line.split()) > 1}
        users = {"10001"} if service in RUNNING else {status["Uid:"]} - {"0"}
        _require(status["Uid:"] in users, f"{service} runs as user {status['Uid:']}.")
        _require(int(status["CapEff:"], 16) == 0, f"{service} has the capabilities {status['CapEff:']}.")
        _require(status["NoNewPrivs:"] == "1", f"{service} may get new privileges.")
        roots = [line.split()[3].split(",") for line in lines if line.count(" ") == 5 and line.split()[1] == "/"]
        _require([options[0] for options in roots] == ["ro"], f"{service}: its root is mounted {roots}.")
        _require("tmp writable" in lines, f"{service} may not write to /tmp.")
    site.engine.say(f"{', '.join(HARDENED)}: no root user, read-only root, no capabilities, no new privileges")


def _volumes_are_usable(site: Site) -> None:
    for service in RUNNING:
        site.engine.execute(
            service, "sh", "-c", "touch /data/probe /dropzones/probe && rm /data/probe /dropzones/probe"
        )
    site.engine.say(f"{', '.join(RUNNING)} may write to /data and /dropzones")


def _limited(site: Site) -> None:
    for service in (*HARDENED, "sftp"):
        lines = site.engine.execute(service, "sh", "-c", LIMITS).splitlines()
        found = {line.split()[0].split("/")[-1]: line.split()[1] for line in lines}
        memory = found.get("memory.max", found.get("memory.limit_in_bytes", ""))
        _require(memory.isdigit() and int(memory) < UNLIMITED, f"{service}: memory is not limited: {lines}")
        pids = str(services()[service].get("pids_limit"))
        _require(found.get("pids.max") == pids, f"{service}: {pids} processes are allowed, but {lines}")
    site.engine.say("the limits of memory and processes hold for every service")


def _no_secret_in_arguments(site: Site) -> None:
    command = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    for service in (*HARDENED, "sftp"):
        arguments = site.engine.execute(service, "sh", "-c", command)
        shown = [name for name in SECRETS if site.settings[name] in arguments]
        _require(not shown, f"The processes of {service} show {', '.join(shown)} in their arguments.")
    site.engine.say("no process shows a secret in its arguments")


def _a_frozen_worker_is_noticed(site: Site) -> None:
    check = ["python", "manage.py", "check_worker", "--timeout", "5"]
    site.engine.execute("worker", *check)
    site.engine.execute("worker", "python", "-", text=FREEZE.format(signal="SIGSTOP"))
    try:
        site.engine.execute("worker", *check)
    except TrialFailed as error:
        _require("did not run a task" in str(error), str(error))
    else:
        raise TrialFailed("The worker's health check passes while none of its processes runs.")
    finally:
        site.engine.execute("worker", "python", "-", text=FREEZE.format(signal="SIGCONT"))
    site.engine.wait_healthy("worker", within_s=120)
    site.engine.say("the worker's health check fails while its processes are stopped")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise TrialFailed(message)
