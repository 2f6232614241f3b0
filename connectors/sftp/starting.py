"""From a login to SFTP on a channel, and why there is none."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from paramiko import Channel, ChannelException, SSHException

from connectors.exceptions import ConfigError, ConnectorError, TransientError
from connectors.sftp.auth.expiry import says_password_expired
from connectors.sftp.auth.login_errors import hung_up, password_expired
from connectors.sftp.channel import ConnectionLost, Wire
from connectors.sftp.protocol.packets import PROTOCOL_VERSION, PacketType, ProtocolError, encode_init
from connectors.sftp.protocol.server_capabilities import Manners, manners_of
from connectors.sftp.target import SFTPTarget
from connectors.sftp.transport import Link
from connectors.text.sanitize import said, tame

# Room for all the answers that a batch may have on their way, several times over.
CHANNEL_WINDOW = 16 * 1024 * 1024
NETWORK_ERRORS = (SSHException, OSError, EOFError)

_MOST_BYTES = 4096
_COMMAND_S = 3


def start_sftp(link: Link, target: SFTPTarget, greeting: str) -> tuple[Wire, Manners]:
    """`greeting` is what the server said as it accepted the login, where its policy may be as well: it decides nothing
    about a server that started SFTP before, or that opens no channel.

    Raises `LoginRefusedError` where the server says that the password has expired, else `ConfigError` or
    `TransientError`.
    """
    # What the server says in place of SFTP.
    heard: list[str] = []
    known = [] if target.reached else [greeting]
    try:
        return _started(link, target, heard)
    except (ConfigError, TransientError) as error:
        is_full = isinstance(error.__cause__, ChannelException)
        if expired := _expired(target, [] if is_full else [*known, *heard]):
            raise expired from error
        raise
    except (ConnectionLost, *NETWORK_ERRORS) as error:
        raise _no_sftp(link, target, known, heard) from error


def _started(link: Link, target: SFTPTarget, heard: list[str]) -> tuple[Wire, Manners]:
    channel = _open_channel(link, target)
    wire = Wire(channel, link)
    try:
        channel.invoke_subsystem("sftp")
        return _greeted(link, target, wire)
    except (ConfigError, ConnectionLost, *NETWORK_ERRORS):
        heard += [tame(wire.unread), _error_output(channel)]
        raise


def _open_channel(link: Link, target: SFTPTarget) -> Channel:
    try:
        return link.transport.open_session(window_size=CHANNEL_WINDOW)
    except ChannelException as error:
        raise TransientError(
            f"{target.peer} opens no further session for '{tame(target.username)}'. Trying again may help, or its "
            "operator has to allow more."
        ) from error


def _greeted(link: Link, target: SFTPTarget, wire: Wire) -> tuple[Wire, Manners]:
    wire.send(encode_init())
    try:
        version, answer = wire.receive()[0]
    except ProtocolError as error:
        raise ConfigError(
            f"{target.peer} sends text where SFTP should begin. A log-in script of '{tame(target.username)}' "
            "prints it; its output has to go.",
            field="username",
        ) from error
    if answer.kind != PacketType.VERSION or version < PROTOCOL_VERSION:
        raise ConfigError(
            f"{target.peer} does not speak SFTP version {PROTOCOL_VERSION}. Its operator has to bring it up to date.",
            field="host",
        )
    return wire, manners_of(link.transport.remote_version, answer)


def _error_output(channel: Channel) -> str:
    return tame(channel.recv_stderr(_MOST_BYTES)) if channel.recv_stderr_ready() else ""


def _no_sftp(link: Link, target: SFTPTarget, known: Sequence[str], heard: Sequence[str]) -> ConnectorError:
    if link.watchdog.barked:
        return TransientError(
            f"{target.peer} did not start SFTP within {link.patience}. Try again, then ask its operator."
        )
    is_up, farewell = link.transport.is_active(), link.transport.farewell
    words = [*heard, farewell.words if farewell else ""]
    if is_up and not _expired(target, [*known, *words]):
        words.append(_said_to_a_command(link))
    if error := _expired(target, [*known, *words]):
        return error
    reason = next(filter(None, reversed(words)), "")
    if not is_up:
        return hung_up(target, reason)
    # A server that started it before may be under maintenance, or short of something.
    kind = TransientError if target.reached else partial(ConfigError, field="username")
    return kind(
        f"{target.peer} lets '{tame(target.username)}' in but starts no SFTP{said(reason)}. Ask its operator whether "
        "SFTP is allowed, and whether the account or its password has expired."
    )


def _expired(target: SFTPTarget, words: Sequence[str]) -> ConnectorError | None:
    found = next(filter(says_password_expired, words), None)
    return None if found is None else password_expired(target, found)


def _said_to_a_command(link: Link) -> str:
    """What the account says to a command, on the same connection: OpenSSH discards what it says to a subsystem, such as
    that its password has expired. `exit` does nothing, in whatever shell; empty where nothing is said in time."""
    with suppress(*NETWORK_ERRORS):
        channel = link.transport.open_session(timeout=_COMMAND_S)
        channel.settimeout(_COMMAND_S)
        channel.set_combine_stderr(True)
        channel.exec_command("exit")
        channel.shutdown_write()
        words = b""
        while len(words) < _MOST_BYTES and (more := channel.recv(_MOST_BYTES)):
            words += more
        return tame(words)
    return ""
