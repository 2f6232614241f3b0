"""What may be left to a server, which depends on whose it is."""

from typing import NamedTuple

from connectors.sftp.packets import Answer

# It says so twice: sshd by its banner, and what stands behind it by what it offers, for that may be another program.
_BANNER = "SSH-2.0-OpenSSH_"
_OFFERS = (b"posix-rename@openssh.com", b"fstatvfs@openssh.com", b"fsync@openssh.com")


class Manners(NamedTuple):
    """The protocol asks both of every server. Some have neither: they carry out what leaves together at once, so that
    a file is closed before it is written, and their plain rename replaces what is there.
    """

    keeps_order: bool
    never_replaces: bool


def manners_of(banner: str, greeting: Answer) -> Manners:
    """OpenSSH's own server has both; from any other nothing is taken for granted."""
    is_openssh = banner.startswith(_BANNER) and all(offer in greeting.body for offer in _OFFERS)
    return Manners(keeps_order=is_openssh, never_replaces=is_openssh)
