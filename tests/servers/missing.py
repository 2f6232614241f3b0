"""What happens to tests whose server is not installed: skipped at home, failed in continuous integration."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def not_installed(what: str, how: str) -> NoReturn:
    message = f"{what} is not installed ({how})."
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def program(name: str, *, package: str, folders: str = "") -> Path:
    """The program's path, looked for in `folders` (a glob) as well as on the PATH."""
    found = shutil.which(name)
    candidates = [Path(found)] if found else sorted(Path("/").glob(f"{folders.lstrip('/')}/{name}")) if folders else []
    if not candidates:
        not_installed(name, f"Debian's package {package}")
    return candidates[-1]
