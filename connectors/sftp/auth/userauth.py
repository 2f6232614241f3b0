"""The authentication protocol (RFC 4252, 4256), one request and its reply at a time.

Paramiko's own requests discard what decides here: the methods that a refusal lists, a request for a new password, the
prompts, and what the server says as it closes the connection.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from threading import Event
from typing import Any, NamedTuple

from paramiko import AuthenticationException, Message, SSHException, Transport
from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import (
    MSG_SERVICE_ACCEPT,
    MSG_USERAUTH_BANNER,
    MSG_USERAUTH_FAILURE,
    MSG_USERAUTH_INFO_REQUEST,
    MSG_USERAUTH_SUCCESS,
    cMSG_SERVICE_REQUEST,
    cMSG_USERAUTH_INFO_RESPONSE,
    cMSG_USERAUTH_REQUEST,
)

from connectors.text.sanitize import tame

INTERACTIVE = "keyboard-interactive"
# More prompts or rounds than any login has: the server plays for time.
MOST_PROMPTS, MOST_ROUNDS = 20, 20


class Kind(Enum):
    ACCEPTED = "accepted"
    PARTIAL = "accepted, and more is required"
    REFUSED = "refused"
    NEW_PASSWORD = "a new password is required"  # noqa: S105 - no password
    UNANSWERED = "prompts without a response"
    LOST = "the connection ended"


class Prompt(NamedTuple):
    text: str
    echo: bool


class Reply(NamedTuple):
    """`methods` may continue the login; `prompts` and `text` are the server's words, tamed."""

    kind: Kind
    methods: tuple[str, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    text: str = ""
    cause: BaseException | None = None


# The responses to one round of prompts, or None to end the login.
Respond = Callable[[str, Sequence[Prompt]], list[str] | None]


class Dialogue(AuthOnlyHandler):
    """Takes the place of the transport's own handler. One thread asks, the transport's thread hears."""

    def __init__(self, transport: Transport, user: str) -> None:
        super().__init__(transport)
        self._user = user
        self._reply: Reply | None = None
        self._respond: Respond | None = None
        self._rounds = 0
        self._begun = False
        # What the server has said since the last request, beyond its reply.
        self.said = ""
        transport.auth_handler = self

    def ask_methods(self) -> Reply:
        return self._asked(lambda: self.auth_none(self._user))

    def offer_key(self, key: Any) -> Reply:
        """Raises `AuthenticationException` where the server takes no signature that the key can make."""
        return self._asked(lambda: self.auth_publickey(self._user, key))

    def offer_password(self, password: str) -> Reply:
        return self._asked(lambda: self.auth_password(self._user, password))

    def interact(self, respond: Respond) -> Reply:
        """`respond` is called in the transport's thread, once per round."""
        self._respond, self._rounds = respond, 0
        return self._asked(lambda: self.auth_interactive(self._user, lambda *_: []))

    def send_auth_request(
        self, username: str, method: str, finish_message: Callable[[Message], None] | None = None
    ) -> list[str]:
        """In place of Paramiko's, which may miss a reply that comes at once. The reply is kept."""
        self.auth_method = method
        message = Message()
        message.add_byte(cMSG_USERAUTH_REQUEST)
        for text in (username, "ssh-connection", method):
            message.add_string(text)
        if finish_message:
            finish_message(message)
        self._send(message)
        return []

    def _asked(self, send: Callable[[], object]) -> Reply:
        self.said = ""
        try:
            if not self._begun:
                self._begin()
            if self._begun:
                send()
        except AuthenticationException:
            raise
        except (OSError, EOFError, SSHException) as error:
            return Reply(Kind.LOST, cause=error)
        # Read once: the connection may end behind the reply.
        return self._reply or Reply(Kind.LOST, cause=self.transport.get_exception())

    def _begin(self) -> None:
        message = Message()
        message.add_byte(cMSG_SERVICE_REQUEST)
        message.add_string("ssh-userauth")
        self._send(message)

    def _send(self, message: Message) -> None:
        """And wait for the reply; when the connection ends, there is none."""
        self._reply = None
        self.auth_event = event = Event()
        with self.transport.lock:
            self.transport._send_message(message)  # type: ignore[attr-defined]  # noqa: SLF001 - the stubs lack it
        while not event.wait(1) and self.transport.is_active():
            pass

    @property
    def _client_handler_table(self) -> dict[int, Callable[[Message], None]]:
        return {
            MSG_SERVICE_ACCEPT: self._service_accepted,
            MSG_USERAUTH_SUCCESS: self._succeeded,
            MSG_USERAUTH_FAILURE: self._failed,
            MSG_USERAUTH_BANNER: self._banner,
            MSG_USERAUTH_INFO_REQUEST: self._more_wanted,
        }

    def _service_accepted(self, _: Message) -> None:
        self._begun = True
        self._heard(None)

    def _succeeded(self, message: Message) -> None:
        # Before the event: the waiting thread then opens a channel.
        self._reply = Reply(Kind.ACCEPTED)
        super()._parse_userauth_success(message)  # type: ignore[misc]  # not in the stubs

    def _failed(self, message: Message) -> None:
        names = message.get_string().decode("utf-8", "replace").split(",")
        methods = tuple(name for name in names if name)
        kind = Kind.PARTIAL if message.get_boolean() else Kind.REFUSED
        self._heard(Reply(kind, methods))

    def _banner(self, message: Message) -> None:
        self.said = tame(message.get_string())

    def _more_wanted(self, message: Message) -> None:
        """One message number, two meanings: after a password it is the request for a new one."""
        if self.auth_method != INTERACTIVE:
            self._heard(Reply(Kind.NEW_PASSWORD, text=tame(message.get_string())))
            return
        title, instructions = (tame(message.get_string()) for _ in range(2))
        message.get_string()  # the language
        prompts = tuple(_prompt(message) for _ in range(min(message.get_int(), MOST_PROMPTS)))
        self._rounds += 1
        said = f"{title} {instructions}".strip()
        responses = self._respond(said, prompts) if self._respond and self._rounds <= MOST_ROUNDS else None
        if responses is None:
            self._heard(Reply(Kind.UNANSWERED, prompts=prompts, text=said))
        else:
            self._send_responses(responses)

    def _send_responses(self, responses: Sequence[str]) -> None:
        message = Message()
        message.add_byte(cMSG_USERAUTH_INFO_RESPONSE)
        message.add_int(len(responses))
        for response in responses:
            message.add_string(response)
        self.transport._send_message(message)  # type: ignore[attr-defined]  # noqa: SLF001 - the stubs lack it

    def _heard(self, reply: Reply | None) -> None:
        self._reply = reply
        if self.auth_event:
            self.auth_event.set()


def _prompt(message: Message) -> Prompt:
    return Prompt(tame(message.get_string()), message.get_boolean())
