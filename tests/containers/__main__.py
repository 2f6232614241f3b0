"""`python -m tests.containers [--engine docker|podman] [--bases registry|debian]`: build the image, start all that
docker-compose.yml names, take one order to ACKED, and remove everything. Ends with 0 only when all of it held."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.containers import bases, checks, order
from tests.containers.engine import Docker, Engine, TrialFailed
from tests.containers.files import ROOT
from tests.containers.podman import Podman
from tests.containers.site import Site, fresh_settings, write

ENGINES: dict[str, type[Engine]] = {"docker": Docker, "podman": Podman}
# All that the image and docker-compose.yml are made from.
SOURCE = ("Dockerfile", ".dockerignore", "docker-compose.yml", "requirements.txt", "manage.py")
PACKAGES = ("orderflow", "connectors", "exports")
PROGRAMS = {
    "podman": "podman buildah runc conmon netavark aardvark-dns iptables",
    "debian": "mmdebstrap debian-archive-keyring",
}
SERVICES = ("db", "redis", "sftp", "migrate", "web", "worker", "beat")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.containers", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, help="default: docker if its engine runs, else podman")
    parser.add_argument(
        "--bases",
        choices=("registry", "debian"),
        help="published base images, or ones that are made from Debian's packages; default: registry for docker, "
        "debian for podman",
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep the archives of Debian's packages there for the next trial"
    )
    options = parser.parse_args()
    name = options.engine or ("docker" if _docker_runs() else "podman")
    from_debian = (options.bases or {"docker": "registry", "podman": "debian"}[name]) == "debian"
    _require_programs(name, from_debian=from_debian)
    # Asked to end, it cleans up too.
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="orderflow-containers-", ignore_cleanup_errors=True) as folder:
        engine = ENGINES[name](work=Path(folder), source=Path(folder) / "source")
        try:
            _run(engine, from_debian=from_debian, kept=options.keep and options.keep.absolute())
        except TrialFailed as error:
            engine.say(f"FAILED: {error}")
            sys.exit(1)


def _run(engine: Engine, *, from_debian: bool, kept: Path | None) -> None:
    _copy_source(engine.source)
    settings = fresh_settings()
    write(settings, engine.source / ".env")
    # What the shell sets takes precedence over .env.
    for name in settings:
        os.environ.pop(name, None)
    engine.prepare()
    try:
        if from_debian:
            bases.build(engine, kept=kept)
        engine.build()
        engine.say("built the image")
        _try_out(Site(engine=engine, settings=settings))
    finally:
        engine.remove()
        engine.say("removed containers, volumes, networks and images of the trial")
    engine.say("all of it held")


def _try_out(site: Site) -> None:
    try:
        site.engine.up()
        site.engine.wait_healthy(*(name for name in SERVICES if name != "migrate"), within_s=180)
        site.seed()
        order.to_acked(site)
        order.to_a_folder(site)
        checks.check(site)
    except TrialFailed:
        for service in SERVICES:
            _show_log(site.engine, service)
        raise


def _show_log(engine: Engine, service: str) -> None:
    try:
        engine.say(f"log of {service}:\n{engine.logs(service)}")
    except TrialFailed as error:
        engine.say(str(error))


def _copy_source(target: Path) -> None:
    """What a clone has: .env and var/ of this one stay out."""
    target.mkdir()
    for name in SOURCE:
        shutil.copy(ROOT / name, target)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))


def _docker_runs() -> bool:
    return (
        bool(shutil.which("docker"))
        and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    )


def _require_programs(engine: str, *, from_debian: bool) -> None:
    wanted = {"podman": "podman"} if engine == "podman" else {}
    if from_debian:
        wanted["debian"] = "mmdebstrap"
    missing = [PROGRAMS[kind] for kind, program in wanted.items() if not shutil.which(program)]
    if missing:
        sys.exit(
            "No Docker engine runs here, and podman cannot stand in for it before these are installed, as root:\n"
            f"apt-get install --no-install-recommends {' '.join(missing)}"
        )
    if engine == "podman" and os.geteuid() != 0:
        sys.exit("With podman the trial runs as root only: sudo make containers")


if __name__ == "__main__":
    main()
