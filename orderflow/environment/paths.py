"""Files and folders of this machine that the settings name."""

import ssl
from pathlib import Path

from orderflow.environment.env_file import reason
from orderflow.environment.reading import UnusableSetting


def private_folder(name: str, path: Path) -> None:
    """Makes the folder for this user alone, unless it exists. Raises `UnusableSetting`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableSetting(name, f"names a folder that cannot be made: {reason(error)}.") from None


def certificates(name: str, path: str) -> str:
    """The path of a file of trusted certificates. Raises `UnusableSetting` for one without any."""
    try:
        if path:
            ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        raise UnusableSetting(name, f"must name a file with certificates in PEM form: {why(error)}.") from None
    return path


def why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "it has none that can be read"
    return (getattr(error, "strerror", None) or "it cannot be read").lower()
