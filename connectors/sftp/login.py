"""Logging in: with what was configured and nothing else. Neither an agent nor the operator's own keys are asked."""

from paramiko import AuthenticationException, BadAuthenticationType, PKey, SSHException

from connectors.exceptions import ConfigError, ConnectorError, TransientError
from connectors.hostile_text import tame
from connectors.sftp.link import Link
from connectors.sftp.target import SFTPTarget


def log_in(link: Link, target: SFTPTarget, key: PKey | None) -> None:
    """One try only, for servers lock accounts. Raises `ConfigError` when refused, `TransientError` when cut short."""
    try:
        further = _offer(link, target, key)
    except BadAuthenticationType as error:
        raise _not_accepted(target, key, error.allowed_types) from error
    except (AuthenticationException, SSHException, OSError, EOFError) as error:
        raise _failed(link, target, key, error) from error
    if further:
        raise _not_accepted(target, key, further)


def _offer(link: Link, target: SFTPTarget, key: PKey | None) -> list[str]:
    """The kinds of log-in that the server asks for after this one."""
    transport = link.transport
    if key is None:
        return transport.auth_password(target.username, target.password or "")
    further = transport.auth_publickey(target.username, key)
    if further and target.password:
        return transport.auth_password(target.username, target.password)
    return further


def _failed(link: Link, target: SFTPTarget, key: PKey | None, error: Exception) -> ConnectorError:
    who = f"user '{tame(target.username)}'"
    if link.watchdog.barked:
        return TransientError(
            f"{target.peer} did not answer the log-in of {who} within {link.patience}. "
            "It may be overloaded: try again, then ask its operator."
        )
    if not isinstance(error, AuthenticationException):
        return TransientError(
            f"{target.peer} closed the connection during the log-in of {who}. Try again, then ask its operator why."
        )
    if _was_let_in(link):
        return hung_up(target)
    # Some servers close the connection instead of saying no: that counts as a refusal too.
    if key is None:
        return ConfigError(
            f"{target.peer} refused the password of {who}. Check username and password, then test the connection.",
            field="password",
        )
    return ConfigError(
        f"{target.peer} refused the private key of {who}. Check the username, and that the server knows the public "
        "key that belongs to it, then test the connection.",
        field="private_key",
    )


def _was_let_in(link: Link) -> bool:
    """Paramiko tells of a server that hangs up at once as if it had refused."""
    handler = link.transport.auth_handler
    return handler is not None and handler.is_authenticated()


def hung_up(target: SFTPTarget) -> TransientError:
    return TransientError(
        f"{target.peer} let '{tame(target.username)}' in and closed the connection before SFTP began. "
        "It may allow no further session at present; trying again may help."
    )


def _not_accepted(target: SFTPTarget, key: PKey | None, accepted: list[str]) -> ConfigError:
    offered = "password" if key is None else "private_key"
    return ConfigError(
        f"{target.peer} does not let user '{tame(target.username)}' in by {offered.replace('_', ' ')} alone; it asks "
        f"for: {tame(', '.join(accepted))}. Set what it asks for, then test the connection.",
        field=offered,
    )
