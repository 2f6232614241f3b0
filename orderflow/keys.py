"""Fresh keys for an installation: `python -m orderflow.keys` writes them into a new `.env`."""

import os
import secrets
import sys
from pathlib import Path

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
        sys.stderr.write(
            f"{path} exists, and was not changed: without its keys, stored passwords could not be read. If it has no "
            "keys yet, add those that `python -m orderflow.keys --print` prints.\n"
        )
        return 1
    except OSError as error:
        sys.stderr.write(f"{path} cannot be written: {env_file.reason(error)}.\n")
        return 1
    sys.stderr.write(f"Wrote fresh keys to {path}. Keep a copy: without them, stored passwords cannot be read.\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
