"""Logging in: with what was configured and nothing else. Neither an agent nor the operator's own keys are asked."""

from collections.abc import Sequence

from paramiko import AuthenticationException, PKey

from connectors.exceptions import ConfigError
from connectors.sftp.auth.login_errors import Credential, Seen, failure
from connectors.sftp.auth.prompts import Asks, asks_for
from connectors.sftp.auth.userauth import INTERACTIVE, Dialogue, Kind, Prompt, Reply
from connectors.sftp.target import SFTPTarget
from connectors.sftp.transport import Link


def log_in(link: Link, target: SFTPTarget, key: PKey | None) -> str:
    """Offer what the server asks for, in its order, each credential once: servers lock accounts. Where it leaves the
    choice, the one comes first that an earlier login succeeded with. What the server said as it accepted the login.

    Raises `LoginRefusedError` when credentials were rejected, `ConfigError` when the server asks for others, and
    `TransientError` when the connection ended before any were offered.
    """
    return _Login(link, target, key).run()


class _Login:
    def __init__(self, link: Link, target: SFTPTarget, key: PKey | None) -> None:
        self._link = link
        self._target = target
        self._key = key
        self._dialogue = Dialogue(link.transport, target.username)
        self._seen = Seen()
        self._interacted = False
        ways = [self._by_key, self._by_password, self._by_prompts]
        if target.login_first == Credential.PASSWORD.value:
            ways = [self._by_password, self._by_prompts, self._by_key]
        self._ways = ways

    def run(self) -> str:
        # Some servers let anybody in who reaches them; all others say which methods they take.
        reply = self._dialogue.ask_methods()
        while reply.kind is not Kind.ACCEPTED:
            self._note(reply)
            reply = self._next(reply)
        self._remember()
        return self._dialogue.said

    def _remember(self) -> None:
        """What to begin with the next time: servers count the logins that they refuse."""
        seen, target = self._seen, self._target
        accepted = [*seen.accepted, *([seen.pending] if seen.pending else [])]
        if accepted and seen.refused and target.on_login and accepted[0].value != target.login_first:
            target.on_login(accepted[0].value)

    def _note(self, reply: Reply) -> None:
        """Raises what the reply comes to, unless the login may go on."""
        seen = self._seen
        if seen.pending:
            # What a server says before, it says to everybody.
            seen.words = self._dialogue.said or reply.text or seen.words
        if reply.kind is Kind.UNANSWERED and not seen.pending and self._is_key_left(seen.methods):
            # Nothing was offered at these prompts, and another request may take their place (RFC 4252, 5).
            return
        if reply.kind not in (Kind.PARTIAL, Kind.REFUSED):
            raise failure(self._link, self._target, seen, reply)
        if reply.kind is Kind.PARTIAL and seen.pending is Credential.KEY:
            # Behind the key, the prompts may ask for something else.
            self._interacted = False
        if seen.pending:
            (seen.accepted if reply.kind is Kind.PARTIAL else seen.refused).append(seen.pending)
            seen.pending = None
        if reply.methods or seen.offered:
            seen.methods = reply.methods

    def _next(self, reply: Reply) -> Reply:
        listed = self._seen.methods or (() if self._seen.offered else ("publickey", "password"))
        for way in self._ways:
            answer = way(listed)
            if answer is not None:
                return answer
        raise failure(self._link, self._target, self._seen, reply)

    def _by_key(self, listed: Sequence[str]) -> Reply | None:
        if not self._key or not self._is_key_left(listed):
            return None
        self._seen.pending = Credential.KEY
        try:
            return self._dialogue.offer_key(self._key)
        except AuthenticationException as error:
            raise ConfigError(
                f"{self._target.peer} takes no signature that this {self._key.get_name()} key can make. "
                "Use an Ed25519 key, or have its operator allow RSA with SHA-2, then test the connection.",
                field="private_key",
            ) from error

    def _by_password(self, listed: Sequence[str]) -> Reply | None:
        if "password" not in listed or not self._has_password_left:
            return None
        self._seen.pending = Credential.PASSWORD
        return self._dialogue.offer_password(self._target.password or "")

    def _by_prompts(self, listed: Sequence[str]) -> Reply | None:
        # After a first success the server asks for more, and only its prompts say for what.
        may_answer = self._has_password_left or self._seen.accepted
        if INTERACTIVE not in listed or self._interacted or not may_answer:
            return None
        self._interacted = True
        return self._dialogue.interact(self._respond)

    def _is_key_left(self, listed: Sequence[str]) -> bool:
        return "publickey" in listed and self._key is not None and Credential.KEY not in self._seen.offered

    @property
    def _has_password_left(self) -> bool:
        return bool(self._target.password) and Credential.PASSWORD not in self._seen.offered

    def _respond(self, said: str, prompts: Sequence[Prompt]) -> list[str] | None:
        """The password to the one prompt that asks for it; None where anything else is asked for."""
        if not prompts:
            # Only words to be shown.
            self._seen.words = said or self._seen.words
            return []
        if not self._target.password or not self._has_password_left:
            return None
        if asks_for(said, prompts, was_sent=False, user=self._target.username) is not Asks.PASSWORD:
            return None
        self._seen.pending = Credential.PASSWORD
        return [self._target.password]
