"""What there is to say to a server about renaming, and what a rename that was rejected has come to."""

from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    InDoubtError,
    NotSentError,
    NotSentYetError,
    RejectedError,
    TargetExistsError,
    TransientError,
)
from connectors.failpoints import Failpoint, reached
from connectors.sftp.protocol import requests
from connectors.sftp.protocol.file_operations import Conversation, encoded
from connectors.sftp.protocol.packets import Answer, PacketType
from connectors.sftp.protocol.server_capabilities import NO_MANNERS, Manners
from connectors.sftp.protocol.status import is_missing, is_ok, look_failure, rename_failure
from connectors.text.sanitize import tame


def rename_to_free_name(source: str, target: str, manners: Manners = NO_MANNERS) -> Conversation[None]:
    """For servers whose rename replaces what is there. Only OrderFlow publishes under its names."""
    (seen,) = yield [requests.lstat(encoded(target))]
    if seen.kind == PacketType.ATTRS:
        raise _taken(target)
    if not is_missing(seen):
        raise _not_sent(look_failure(seen, target))
    yield from rename(source, target, manners)


def rename(source: str, target: str, manners: Manners = NO_MANNERS) -> Conversation[None]:
    """A plain rename. Where the server may not carry it out, and both names show that it has not, the other kind that
    it offers: some rename by a second name, which not every file system has."""
    yield from _renamed(source, target, manners)
    reached(Failpoint.SFTP_FILE_RENAMED)


def _renamed(source: str, target: str, manners: Manners) -> Conversation[None]:
    names = encoded(source), encoded(target)
    (answer,) = yield [requests.rename(*names)]
    if is_ok(answer):
        return
    looks = [requests.lstat(encoded(target)), requests.lstat(encoded(source))]
    there, here = yield looks
    error = rename_failure(answer, source, target)
    # Not after a failure without a cause: a rename in two steps may have failed in the second, and an ERP have taken
    # the file in between. Who may not unlink the old name may not rename it either.
    if manners.can_rename_posix and isinstance(error, ConfigError) and _is_untouched(there, here):
        # It would replace the target, which is free.
        (other,) = yield [requests.posix_rename(*names)]
        if is_ok(other):
            return
        there, here = yield looks
    raise _rename_error(error, answer, source, target, there=there, here=here)


def _not_sent(error: ConnectorError) -> ConnectorError:
    return NotSentYetError(str(error)) if isinstance(error, TransientError) else NotSentError(str(error))


def _is_untouched(there: Answer, here: Answer) -> bool:
    return here.kind == PacketType.ATTRS and there.kind == PacketType.STATUS and is_missing(there)


def _rename_error(
    error: ConnectorError, answer: Answer, source: str, target: str, *, there: Answer, here: Answer
) -> ConnectorError:
    if there.kind == PacketType.ATTRS:
        return _taken(target)
    if is_missing(answer) and here.kind != PacketType.ATTRS:
        return RejectedError(f"{tame(source)} is no longer there, so it cannot be renamed to {tame(target)}.")
    # OpenSSH renames in two steps, and may report failure after either: only a look at both names tells.
    if isinstance(error, TransientError) and not _is_untouched(there, here):
        return InDoubtError(str(error))
    return error


def _taken(target: str) -> TargetExistsError:
    return TargetExistsError(f"{tame(target)} is there already. It was not touched.")
