"""The images that the Dockerfile and docker-compose.yml begin with, made from Debian's packages: no registry is needed.

They have the same programs, users, folders and environment variables as far as the two files use them. A run with them
shows what the two files do, and nothing about the published images."""

import os
import shutil
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.containers.engine import DEBIAN, Engine
from tests.containers.files import FOLDER, base_of_the_image, services

PACKAGES = {
    "trixie": ("ca-certificates", "python3", "python3-venv", "postgresql-17"),
    "bookworm": ("ca-certificates", "redis-server", "openssh-server"),
}
DEFAULT_MIRROR = "http://deb.debian.org/debian"
LEFT_OUT = ("man", "doc", "locale", "info")


def build(engine: Engine, *, kept: Path | None) -> None:
    """`kept`: where the archives of Debian's packages are taken from, and left for the next trial."""
    for suite, packages in PACKAGES.items():
        archive = (kept or engine.work) / f"{suite}.tar"
        if not archive.exists():
            _install(engine, suite, packages, archive)
        engine.call("import", str(archive), f"{DEBIAN}:{suite}")
        if not kept:
            archive.unlink()
    for kind, image in _images().items():
        context = engine.work / "bases" / kind
        shutil.copytree(FOLDER / "bases" / kind, context)
        if kind == "python":
            shutil.copy(_trusted(), context / "ca-certificates.crt")
        engine.build_base(image, context)
        engine.say(f"built {image} from Debian's packages")


def _images() -> Mapping[str, str]:
    names = {"postgres": "db", "redis": "redis", "sftp": "sftp"}
    return {"python": base_of_the_image()} | {kind: services()[name]["image"] for kind, name in names.items()}


def _install(engine: Engine, suite: str, packages: tuple[str, ...], archive: Path) -> None:
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    # Nothing is kept that a power cut could damage.
    options += ["--dpkgopt=force-unsafe-io", "--variant=minbase", f"--include={','.join(packages)}"]
    part = archive.with_suffix(".part.tar")
    engine.shell(["mmdebstrap", "--quiet", *options, suite, str(part), _mirror()])
    part.rename(archive)
    engine.say(f"installed Debian {suite} with {', '.join(packages)}")


def _mirror() -> str:
    """DEBIAN_MIRROR, or what this machine takes its own packages from, if it is a Debian."""
    if named := os.environ.get("DEBIAN_MIRROR"):
        return named
    if not shutil.which("apt-get"):
        return DEFAULT_MIRROR
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return found[0] if found else DEFAULT_MIRROR


def _trusted() -> Path:
    paths = ssl.get_default_verify_paths()
    return Path(paths.cafile or "/etc/ssl/certs/ca-certificates.crt")
