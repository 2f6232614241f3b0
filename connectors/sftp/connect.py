"""From a target to an open SFTP channel, within one deadline."""

import math
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from time import monotonic

from paramiko import PKey
from paramiko.ssh_exception import IncompatiblePeer

from connectors.exceptions import ConfigError, ConnectorError, TransientError
from connectors.network.addresses import Address, find_addresses, is_allowed
from connectors.network.dial import dial
from connectors.sftp.auth.login import log_in
from connectors.sftp.channel import Wire
from connectors.sftp.keys import host_keys
from connectors.sftp.keys.private_keys import load_private_key, weakness
from connectors.sftp.protocol.server_capabilities import Manners
from connectors.sftp.starting import NETWORK_ERRORS, start_sftp
from connectors.sftp.target import SFTPTarget
from connectors.sftp.transport import Link
from connectors.text.sanitize import tame
from connectors.types.test_results import Steps


def connect(target: SFTPTarget, steps: Steps, ends_at: float = math.inf) -> tuple[Link, Wire, Manners]:
    """Until `ends_at` at the latest. Raises `ConfigError`, `TransientError`; whatever was opened by then is closed
    again."""
    deadline = min(monotonic() + target.timeout_s, ends_at)
    key = _key(target)
    host_keys.pinned_keys(target.host_key)
    with steps.step("resolve"):
        addresses = _find_addresses(target, min(target.timeout_s, max(0, ends_at - monotonic())))
        # Before it is dialled: a server that is down now does not make its host an unknown one.
        if target.on_resolved:
            target.on_resolved()
    with ExitStack() as on_failure:
        with steps.step("connect") as step:
            link = _open_link(target, addresses, deadline)
            on_failure.callback(link.close)
            link.watchdog.allow_until(deadline)
            _negotiate(link)
            step.detail = tame(link.transport.remote_version)
        with steps.step("host key") as step:
            step.detail = _check_host_key(link, target)
        with steps.step("log in") as step:
            greeting = log_in(link, target, key)
            step.detail = weakness(key)
        with steps.step("start SFTP"):
            wire, manners = start_sftp(link, target, greeting)
        link.watchdog.rest()
        if target.on_reached:
            target.on_reached()
        on_failure.pop_all()
    return link, wire, manners


def _key(target: SFTPTarget) -> PKey | None:
    if target.private_key:
        return load_private_key(target.private_key, target.passphrase)
    if target.password:
        return None
    raise ConfigError("Set a password or a private key to log in with.", field="password")


def _find_addresses(target: SFTPTarget, timeout_s: float) -> list[Address]:
    def allowed(address: str) -> bool:
        return is_allowed(address, target.allowed_networks)

    known = target.resolved or target.reached
    return find_addresses(target.host, target.port, timeout_s, allowed=allowed, resolved=known)


def _open_link(target: SFTPTarget, addresses: Sequence[Address], deadline: float) -> Link:
    return Link(
        _open_socket(target, addresses, deadline),
        peer=target.peer,
        timeout_s=target.timeout_s,
        host_key_types=host_keys.negotiable_types(target.host_key),
    )


def _open_socket(target: SFTPTarget, addresses: Sequence[Address], deadline: float) -> socket.socket:
    try:
        return dial(addresses, deadline)
    except OSError as error:
        raise _unreachable(target, error) from error


def _unreachable(target: SFTPTarget, error: Exception) -> TransientError:
    if isinstance(error, TimeoutError):
        return TransientError(f"{target.peer} did not answer within {target.timeout_s:g} s. Check host and port.")
    if isinstance(error, ConnectionRefusedError):
        return TransientError(f"{target.peer} refused the connection: nothing listens there. Check host and port.")
    return TransientError(f"{target.peer} cannot be reached. Check host and port, and the network between.")


def _negotiate(link: Link) -> None:
    try:
        link.transport.start_client()
    except NETWORK_ERRORS as error:
        raise _negotiation_error(link, error) from error


def _negotiation_error(link: Link, error: Exception) -> ConnectorError:
    if link.watchdog.barked:
        return TransientError(
            f"{link.peer} did not finish the key exchange within {link.patience}. "
            "Check host and port: it may be no SSH server, or an overloaded one."
        )
    if isinstance(error, IncompatiblePeer):
        return ConfigError(
            f"{link.peer} offers only weak or unknown encryption, which is off here (SHA-1, CBC, 3DES, MD5, DSA). "
            "Its operator has to bring it up to date.",
            field="host",
        )
    return TransientError(
        f"{link.peer} did not complete the key exchange: {tame(str(error)) or 'it hung up'}. "
        "Check host and port: it may be no SSH server."
    )


def _check_host_key(link: Link, target: SFTPTarget) -> str:
    shown = link.transport.get_remote_server_key()
    return host_keys.check(target, shown.get_name(), shown.asbytes())
