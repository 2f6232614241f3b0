"""What can go wrong between OrderFlow and an ERP, sorted by what helps."""

from collections.abc import Iterable
from typing import ClassVar


class ConnectorError(Exception):
    """A failure that a person can read: it names the thing, the cause and the next step, and carries no secret.

    `retryable` says whether the same try may succeed later without anybody changing anything; `cause` is the stable
    word for an order that failed by it.
    """

    retryable: ClassVar[bool] = False
    cause: ClassVar[str] = "REJECTED"


class TransientError(ConnectorError):
    """Network, timeout, server busy: trying again can help."""

    retryable = True
    cause = "UNREACHABLE"


class InDoubtError(TransientError):
    """The request left, its answer never came: it may have been carried out, so look before asking again."""


class UndecidedError(ConnectorError):
    """The order may have arrived, and no later attempt can establish whether it did: a person decides."""

    cause = "UNDECIDED"


class RejectedError(ConnectorError):
    """This one order or file cannot go; the others can."""


class TargetExistsError(RejectedError):
    """The final name is taken already."""

    cause = "NAME_TAKEN"


class LeftBehindError(UndecidedError):
    """An earlier attempt staged the file where it can no longer be followed."""


class ConfigError(ConnectorError):
    """Credentials, host key, path or permission: the connection needs a person.

    `field` is the config key to look at, `missing_key` the id of an encryption key that is not set here; or empty.
    `further` holds the errors of other fields that were found in the same check.
    """

    further: tuple["ConfigError", ...] = ()

    def __init__(self, message: str, *, field: str = "", missing_key: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.missing_key = missing_key

    @property
    def each(self) -> tuple["ConfigError", ...]:
        return (self, *self.further)

    @property
    def at_field(self) -> str:
        """The message for display beside the field that it concerns."""
        return str(self)

    @classmethod
    def of_all(cls, errors: Iterable["ConfigError"]) -> "ConfigError":
        """One error for all of `errors`, at least one; of each field the first."""
        by_field: dict[str, ConfigError] = {}
        for error in errors:
            by_field.setdefault(error.field, error)
        first, *further = by_field.values()
        first.further = tuple(further)
        return first


class MissingError(ConfigError):
    """A folder is not there: the path is wrong, or the share that it is on is not mounted at present.

    The message ends with `NEXT_STEP`, which is wrong where orders were put before; `found` is the message without it.
    """

    NEXT_STEP: ClassVar[str] = "Create the folder or correct the path, then test the connection."

    @property
    def found(self) -> str:
        return str(self).removesuffix(self.NEXT_STEP).rstrip()


class WrongFieldError(ConfigError):
    """The value of the config field `field` is wrong; `problem` is a sentence that leaves the field unnamed."""

    def __init__(self, problem: str, *, field: str) -> None:
        super().__init__(f"The config field {field!r} is wrong: {problem}", field=field)
        self.problem = problem

    @property
    def at_field(self) -> str:
        return self.problem


class NotSentError(ConfigError):
    """What keeps a rename from being sent at all, so that it cannot have been carried out."""


class NotSentYetError(TransientError):
    """The same for what may pass."""


class LoginRefusedError(ConfigError):
    """The server rejected credentials. Offering them again can lock the account."""


class UnknownHostKeyError(ConfigError):
    """The server's host key is not pinned, or is another one than the pinned.

    `host_key` is what the server showed, as `<type> <base64>`; `fingerprint` its `SHA256:…` form.
    """

    def __init__(self, message: str, *, host_key: str, fingerprint: str) -> None:
        super().__init__(message, field="host_key")
        self.host_key = host_key
        self.fingerprint = fingerprint
