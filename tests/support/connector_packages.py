"""Packages with connectors, built and installed as their authors do."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "tests/connectors/third_party"
EXAMPLE = PACKAGES / "example_package"
MISBEHAVING = PACKAGES / "misbehaving_package"


def installed_package(source: Path, folder: Path) -> Path:
    """A wheel of `source`, installed into `folder`, which then belongs on PYTHONPATH. Needs no network."""
    wheels, target = folder / "dist", folder / "site"
    _run("uv", "build", "--offline", "--quiet", "--wheel", "--out-dir", str(wheels), str(source))
    (wheel,) = wheels.glob("*.whl")
    _run("pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(target), str(wheel))
    return target


def _run(module: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
