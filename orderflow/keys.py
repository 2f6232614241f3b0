"""Fresh keys for an installation: `python -m orderflow.keys` writes them into a new `.env`."""

import os
import secrets
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from orderflow.environment import env_file


def fresh_keys() -> dict[str, str]:
    """SECRET_KEY for Django, ENCRYPTION_MASTER_KEY as 32 random bytes in URL-safe base64."""
    return {"SECRET_KEY": secrets.token_urlsafe(48), "ENCRYPTION_MASTER_KEY": secrets.token_urlsafe(32)}


def write(path: Path) -> None:
    """Write fresh keys into a new file that only its owner can read. An empty file counts as new: a shell makes one.

    Raises `FileExistsError` for a file with content, which is not changed: without the old key, no connection's config
    could be read.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        if os.fstat(fd).st_size:
            raise FileExistsError(path)
        os.fchmod(fd, 0o600)
        file.write(_lines().encode())


def _lines() -> str:
    return "".join(f"{name}={value}\n" for name, value in fresh_keys().items())


def _has_keys(path: Path) -> bool:
    try:
        settings = env_file.parse(path.read_bytes(), str(path))
    except ImproperlyConfigured:
        return False
    return all(settings.get(name) for name in fresh_keys())


def _main(arguments: list[str]) -> int:
    if arguments == ["--print"]:
        sys.stdout.write(_lines())
        return 0
    path = env_file.location()
    if arguments:
        sys.stderr.write(f"Usage: python -m orderflow.keys writes {path}; with --print it prints the keys instead.\n")
        return 2
    try:
        write(path)
    except FileExistsError:
        if _has_keys(path):
            sys.stderr.write(f"{path} has its keys already, and was not changed.\n")
            return 0
        sys.stderr.write(
            f"{path} exists without a key, and was not changed: nothing stored could be read with another one. If the "
            "installation is new, add the keys that `python -m orderflow.keys --print` prints.\n"
        )
        return 1
    except OSError as error:
        sys.stderr.write(f"{path} cannot be written: {env_file.reason(error)}.\n")
        return 1
    sys.stderr.write(f"Wrote fresh keys to {path}. Keep a copy: without them, stored passwords cannot be read.\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
