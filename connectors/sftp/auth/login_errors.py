"""Why a login failed, in words: what the server rejected or asked for, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from connectors.exceptions import ConfigError, ConnectorError, LoginRefusedError, TransientError
from connectors.sftp.auth.prompts import Asks, asks_for
from connectors.sftp.auth.userauth import INTERACTIVE, Kind, Reply
from connectors.sftp.target import SFTPTarget
from connectors.sftp.transport import Link
from connectors.text.sanitize import said, tame

# RFC 4253, 11.1: codes of a server that is too busy, not of one that rejects anybody.
_BUSY = {7, 12}
_METHODS = {"publickey": "a private key", "password": "a password", INTERACTIVE: "a password"}


class Credential(Enum):
    """The value is the config field."""

    KEY = "private_key"
    PASSWORD = "password"  # noqa: S105 - no password

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


@dataclass(kw_only=True)
class Seen:
    """How far the login has come; `words` is the last that the server said beyond its replies."""

    pending: Credential | None = None
    accepted: list[Credential] = field(default_factory=list)
    refused: list[Credential] = field(default_factory=list)
    methods: tuple[str, ...] = ()
    words: str = ""

    @property
    def offered(self) -> list[Credential]:
        return [*self.accepted, *self.refused, *([self.pending] if self.pending else [])]


def failure(link: Link, target: SFTPTarget, seen: Seen, reply: Reply) -> ConnectorError:
    """`reply` is the last one, after which nothing is left to offer."""
    if reply.kind is Kind.LOST:
        return _lost(link, target, seen, reply)
    if reply.kind is Kind.NEW_PASSWORD:
        return password_expired(target, reply.text or seen.words)
    if reply.kind is Kind.UNANSWERED:
        return _unanswered(target, seen, reply)
    return _refused(target, seen, seen.words) if seen.refused else _more_required(target, seen)


def hung_up(target: SFTPTarget, words: str = "") -> TransientError:
    return TransientError(
        f"{target.peer} let '{tame(target.username)}' in and closed the connection before SFTP began{said(words)}. "
        "It may allow no further session at present; trying again may help."
    )


def _who(target: SFTPTarget) -> str:
    return f"user '{tame(target.username)}'"


def _lost(link: Link, target: SFTPTarget, seen: Seen, reply: Reply) -> ConnectorError:
    who, farewell = _who(target), link.transport.farewell
    if link.watchdog.barked:
        return TransientError(
            f"{target.peer} did not answer the log-in of {who} within {link.patience}. "
            "It may be overloaded: try again, then ask its operator."
        )
    words = (farewell.words if farewell else "") or seen.words
    is_busy = farewell is not None and farewell.code in _BUSY
    # A reset comes from the network as often as from the server: with a server that has let this connection in before,
    # it is no rejection.
    was_reset = isinstance(reply.cause, ConnectionResetError) and target.reached
    if seen.refused or (seen.pending and not is_busy and not was_reset):
        return _refused(target, seen, words, closed=True)
    return TransientError(
        f"{target.peer} closed the connection during the log-in of {who}{said(words)}. "
        "Try again, then ask its operator why."
    )


def _refused(target: SFTPTarget, seen: Seen, words: str, *, closed: bool = False) -> LoginRefusedError:
    """Some servers close the connection instead of saying no: that counts as a refusal too."""
    rejected = [*seen.refused, *([seen.pending] if seen.pending else [])]
    what = " and the ".join(credential.words for credential in rejected)
    steps = "Check username and password"
    if Credential.KEY in rejected:
        steps = "Check the username, and that the server knows the public key that belongs to the private key"
        steps += ", and the password" if Credential.PASSWORD in rejected else ""
    end = " and closed the connection" if closed else ""
    return LoginRefusedError(
        f"{target.peer} refused the {what} of {_who(target)}{end}{said(words)}. {steps}, then test the connection.",
        field=rejected[-1].value,
    )


def password_expired(target: SFTPTarget, words: str) -> LoginRefusedError:
    """`words` are the server's. Some servers refuse an expired password even to who logs in by key."""
    enter, field = (", enter the new one", Credential.PASSWORD.value) if target.password else ("", "username")
    return LoginRefusedError(
        f"{target.peer} asks for a new one: the password of '{tame(target.username)}' has expired{said(words)}. "
        f"Have it changed on the server{enter}, then test the connection.",
        field=field,
    )


def _unanswered(target: SFTPTarget, seen: Seen, reply: Reply) -> ConfigError:
    asked = f'"{tame(" / ".join(prompt.text for prompt in reply.prompts), 160)}"'
    was_sent = Credential.PASSWORD in seen.offered
    asks = Asks.OTHER
    if reply.prompts:
        asks = asks_for(reply.text, reply.prompts, was_sent=was_sent, user=target.username)
    if asks is Asks.NEW_PASSWORD:
        return password_expired(target, f"{reply.text} {asked}")
    if asks is Asks.PASSWORD and was_sent:
        # Asked once more for what it has just been given.
        return _refused(target, seen, reply.text)
    if asks is Asks.PASSWORD:
        return LoginRefusedError(
            f"{target.peer} asks {_who(target)} for a password as well, with {asked}. "
            "Set the password, then test the connection.",
            field=Credential.PASSWORD.value,
        )
    what = "a one-time code" if asks is Asks.CODE else "more than a password"
    return LoginRefusedError(
        f"{target.peer} asks {_who(target)} for {what}, with {asked}. No program can answer that: use an account that "
        "logs in by password or private key alone, then test the connection.",
        field="username",
    )


def _more_required(target: SFTPTarget, seen: Seen) -> ConfigError:
    """Nothing was rejected, and what the server asks for is not configured."""
    listed = tame(", ".join(seen.methods), 160) or "nothing that it names"
    configured = [
        c for c, value in ((Credential.KEY, target.private_key), (Credential.PASSWORD, target.password)) if value
    ]
    offered = seen.accepted or configured
    what = " and ".join(credential.words for credential in offered)
    return LoginRefusedError(
        f"{target.peer} does not let {_who(target)} in by {what} alone; it asks for: {listed}. "
        f"{_remedy(seen.methods)}, then test the connection.",
        field=offered[0].value,
    )


def _remedy(methods: Sequence[str]) -> str:
    wanted = dict.fromkeys(_METHODS[method] for method in methods if method in _METHODS)
    return f"Set {' or '.join(wanted)}" if wanted else "Ask its operator to allow a password or a private key"
