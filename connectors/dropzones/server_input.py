"""What people enter about a dropzone, into the values that are stored: as far as it can be checked locally."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from connectors.exceptions import ConfigError, WrongFieldError
from connectors.network.addresses import is_allowed, not_allowed
from connectors.network.host_input import HostInput, ip_address_in, read_host
from connectors.sftp.keys.host_key_input import read_host_keys
from connectors.sftp.keys.private_keys import read_private_key
from connectors.text.pasted import trimmed
from connectors.text.sanitize import tame
from connectors.types.config_form import Reading

DEFAULT_PORT = 22
_FOLDERS = {"export_path", "ack_path"}
# A drive or a share: with slashes, it would be another name on the server.
_WINDOWS = re.compile(r"[A-Za-z]:\\|\\\\")


def read_dropzone(config: Mapping[str, Any], entered: Collection[str]) -> Reading:
    """`config` holds raw values; only those that `entered` names are checked and changed, and port and username where
    the host has them."""
    values, errors = dict(config), list[ConfigError]()
    for name in _FOLDERS & set(entered):
        with _added_to(errors):
            _read_folder(values, name)
    if values.get("mode") == "sftp":
        _read_server(values, entered, errors)
    return Reading(values=values, errors=errors)


@contextmanager
def _added_to(errors: list[ConfigError]) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        errors.extend(error.each)


def _read_server(values: dict[str, Any], entered: Collection[str], errors: list[ConfigError]) -> None:
    with _added_to(errors):
        if "username" in entered:
            _read_username(values)
    with _added_to(errors):
        if "host" in entered and _text(values, "host"):
            _read_host(values, errors)
    with _added_to(errors):
        if {"private_key", "passphrase"} & set(entered) and _text(values, "private_key"):
            _read_private_key(values, is_new="private_key" in entered)
    with _added_to(errors):
        if "host_key" in entered and _text(values, "host_key"):
            _read_host_keys(values)


def _text(values: Mapping[str, Any], name: str) -> str:
    return str(values.get(name) or "").strip()


def _read_host(values: dict[str, Any], errors: list[ConfigError]) -> None:
    found = read_host(_text(values, "host"))
    values["host"] = found.host
    errors += _contradictions(values, found)
    if ip_address_in(found.host) and not is_allowed(found.host, settings.DROPZONE_ALLOWED_NETWORKS):
        raise not_allowed(found.host)


def _contradictions(values: dict[str, Any], found: HostInput) -> list[ConfigError]:
    """Fills port and username, where the host has them and their own fields have not."""
    errors: list[ConfigError] = []
    port, username = _text(values, "port"), _text(values, "username")
    if found.port and port in {"", str(DEFAULT_PORT), str(found.port)}:
        values["port"] = found.port
    elif found.port:
        errors.append(_contradiction("port", found.port, port))
    if found.username and username in {"", found.username}:
        values["username"] = found.username
    elif found.username:
        errors.append(_contradiction("username", found.username, username))
    folder, orders = found.path.strip("/"), _text(values, "export_path")
    if folder and folder != orders.strip("/"):
        known = f", and the folder for orders is '{tame(orders)}'" if orders else ""
        problem = f"It ends with the folder '/{tame(folder)}'{known}."
        remedy = "Enter the folder under 'Folder for orders' (export_path) and only the host here."
        errors.append(WrongFieldError(f"{problem} {remedy}", field="host"))
    return errors


def _contradiction(field: str, in_host: object, in_field: str) -> ConfigError:
    text = f"The host names the {field} {tame(str(in_host))}, and this field {tame(in_field)}. Correct one of them."
    return WrongFieldError(text, field=field)


def _read_username(values: dict[str, Any]) -> None:
    values["username"] = trimmed(_text(values, "username"))
    if any(unicodedata.category(character) == "Cc" for character in values["username"]):
        raise WrongFieldError("A username has no line breaks or control characters.", field="username")


def _read_folder(values: dict[str, Any], name: str) -> None:
    values[name] = path = trimmed(_text(values, name))
    if "://" in path:
        raise WrongFieldError("It is a URL. Enter only the folder in it, such as '/orders/in'.", field=name)
    if _WINDOWS.match(path):
        remedy = "Enter the folder with slashes and without a drive, such as '/orders/in'."
        raise WrongFieldError(f"It is a Windows path. {remedy}", field=name)


def _read_private_key(values: dict[str, Any], *, is_new: bool) -> None:
    passphrase = str(values.get("passphrase") or "")
    values["private_key"] = read_private_key(str(values["private_key"]), passphrase or None, is_new=is_new)


def _read_host_keys(values: dict[str, Any]) -> None:
    port = _text(values, "port")
    number = int(port) if re.fullmatch("[0-9]{1,5}", port) else None
    values["host_key"] = read_host_keys(str(values["host_key"]), host=_text(values, "host"), port=number)
