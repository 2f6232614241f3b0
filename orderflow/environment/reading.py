"""Settings from the environment: each is read as its kind or refused by its name, never with its value."""

import logging
import math
import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured

from orderflow.environment import env_file

Network = IPv4Network | IPv6Network
N = TypeVar("N", int, float)

BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1", "y", "t"), True),
    **dict.fromkeys(("false", "no", "off", "0", "n", "f"), False),
}
LOG_LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
_HOST = re.compile(r"\*|\.?[\w.-]+|\[[0-9A-Fa-f:.]+\]")
_WEB_ADDRESS = re.compile(r"https?://[^\s/]+(/\S*)?", re.IGNORECASE)
_RATE = re.compile(r"[1-9]\d*/(s|sec|second|m|min|minute|h|hour|d|day)", re.ASCII)


class UnusableSetting(ImproperlyConfigured):
    """A setting that cannot be used. The text has the setting's name and the next step, but not its value."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(f"{name} {fault}")


class Environment:
    """What the environment and `.env` set. An empty value counts as not set; blanks around a value are ignored.

    NAME_FILE names a file that contains the value of NAME. Every method raises `UnusableSetting` for a value that is
    not of its kind.
    """

    def __init__(self) -> None:
        self._file = env_file.location()
        env_file.load(self._file)

    def text(self, name: str, default: str = "") -> str:
        source = os.environ.get(f"{name}_FILE")
        value = _contents(f"{name}_FILE", Path(source)) if source else os.environ.get(name, "")
        return value.strip() or default

    def secret(self, name: str) -> str:
        """A setting that has no default."""
        value = self.text(name)
        if not value:
            where = f"{self._file}" if self._file.exists() else f"{self._file}, which does not exist"
            raise UnusableSetting(
                name,
                f"is not set, neither in the environment nor in {where}. `python -m orderflow.keys` writes a new file "
                f"with fresh keys; {name}_FILE may name a file that contains the value.",
            )
        return value

    def boolean(self, name: str, *, default: bool) -> bool:
        value = self.text(name).lower()
        if value and value not in BOOLEANS:
            raise UnusableSetting(name, "must be true or false.")
        return BOOLEANS.get(value, default)

    def integer(self, name: str, default: int, *, least: int = 1) -> int:
        return _number(name, int, self.text(name), default, least=least, what="a whole number")

    def seconds(self, name: str, default: float, *, least: float = 0.001) -> float:
        return _number(name, float, self.text(name), default, least=least, what="a number of seconds")

    def hours(self, name: str, default: float) -> float:
        return _number(name, float, self.text(name), default, least=0, what="a number of hours")

    def path(self, name: str, default: Path) -> Path:
        return Path(self.text(name) or default).absolute()

    def entries(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """The parts of a comma-separated list."""
        return [part.strip() for part in self.text(name).split(",") if part.strip()] or list(default)

    def hosts(self, name: str, default: tuple[str, ...]) -> list[str]:
        found = self.entries(name, default)
        if not all(_HOST.fullmatch(entry) for entry in found):
            raise UnusableSetting(name, "must be a comma-separated list of host names, without https:// and port.")
        return found

    def web_address(self, name: str, default: str = "") -> str:
        value = self.text(name, default).rstrip("/")
        if value and not _WEB_ADDRESS.fullmatch(value):
            raise UnusableSetting(name, "must begin with https:// or http://, followed by a host.")
        return value

    def networks(self, name: str) -> tuple[Network, ...]:
        try:
            return tuple(ip_network(entry) for entry in self.entries(name))
        except ValueError:
            raise UnusableSetting(
                name, "must be a comma-separated list of networks such as 10.0.0.0/8, each with its first address."
            ) from None

    def rate(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not _RATE.fullmatch(value):
            raise UnusableSetting(name, "must be a number per s, min, hour or day, such as 100/min.")
        return value

    def log_level(self, name: str) -> str:
        value = self.text(name, logging.getLevelName(logging.INFO)).upper()
        if value not in LOG_LEVELS:
            raise UnusableSetting(name, f"must be one of {', '.join(LOG_LEVELS)}.")
        return value

    def time_zone(self, name: str) -> str:
        value = self.text(name, "UTC")
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise UnusableSetting(name, "must be the name of a time zone, such as Europe/Vienna.") from None
        return value


def _number(name: str, kind: type[N], value: str, default: N, *, least: N, what: str) -> N:
    try:
        number = kind(value) if value else default
        if math.isfinite(number) and number >= least:
            return number
    except ValueError:
        pass
    smallest = f"at least {least}" if least != 0.001 else "more than 0"
    raise UnusableSetting(name, f"must be {what}, {smallest}, such as {default:g}.")


def _contents(name: str, path: Path) -> str:
    try:
        return env_file.decode(path.read_bytes(), f"The file that {name} names")
    except OSError as error:
        raise UnusableSetting(name, f"names a file that cannot be read: {env_file.reason(error)}.") from None
