"""What may be left to a server, which depends on whose it is."""

from typing import NamedTuple

from connectors.sftp.protocol.packets import Answer, ProtocolError
from connectors.sftp.protocol.requests import FLUSH, POSIX_RENAME
from connectors.sftp.protocol.responses import extensions_of

# It says so twice: sshd by its banner, and what stands behind it by what it offers, for that may be another program.
_BANNER = "SSH-2.0-OpenSSH_"
_OFFERS = {POSIX_RENAME, b"fstatvfs@openssh.com", FLUSH}


class Manners(NamedTuple):
    """The protocol asks the first three of every server. Some have none: they carry out what leaves together at once,
    so that a file is closed before it is written; their plain rename replaces what is there; and a write that kept
    less than it was given is told as done.
    """

    keeps_order: bool = False
    never_replaces: bool = False
    tells_short_writes: bool = False
    can_flush: bool = False
    can_rename_posix: bool = False


NO_MANNERS = Manners()


def manners_of(banner: str, greeting: Answer) -> Manners:
    """OpenSSH's own server has all of them; from any other none is taken for granted."""
    offers = _offers(greeting)
    is_openssh = banner.startswith(_BANNER) and offers >= _OFFERS
    return Manners(
        keeps_order=is_openssh,
        never_replaces=is_openssh,
        tells_short_writes=is_openssh,
        can_flush=FLUSH in offers,
        can_rename_posix=POSIX_RENAME in offers,
    )


def _offers(greeting: Answer) -> frozenset[bytes]:
    try:
        return extensions_of(greeting)
    except ProtocolError:
        # What comes behind the version is none of the protocol's core: who says it wrongly offers nothing.
        return frozenset()
