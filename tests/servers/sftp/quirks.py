"""How the servers differ where OrderFlow cannot make them alike: expected outcomes, each held to in both directions."""

from dataclasses import dataclass
from typing import Literal

from connectors.exceptions import ConfigError, ConnectorError, RejectedError, TransientError

NOT_UTF_8 = b"b\xe4d"


@dataclass(frozen=True, kw_only=True)
class Quirks:
    """The defaults are what most do.

    - `rename_replaces`: a plain rename to a name that is taken replaces the file there.
    - `links`: links and special files are told from files; or hidden, as if they were not there; or LSTAT tells of the
      file behind a link, though the listing does not.
    - `shows_not_utf_8_as`: the name `NOT_UTF_8` in a listing, where it is not left out.
    - `removes_folders`: REMOVE takes an empty folder away too.
    - `folder_in_the_way`, `name_too_long`: what writing a file comes to then.
    """

    rename_replaces: bool = False
    links: Literal["told", "hidden", "followed"] = "told"
    shows_not_utf_8_as: str | None = "b\udce4d"
    removes_folders: bool = False
    folder_in_the_way: type[ConnectorError] = TransientError
    name_too_long: type[ConnectorError] = TransientError


QUIRKS = {
    "openssh": Quirks(name_too_long=RejectedError),
    "proftpd": Quirks(links="followed", folder_in_the_way=ConfigError),
    "rclone": Quirks(rename_replaces=True, links="hidden", removes_folders=True),
    "asyncssh": Quirks(),
    "ssh2": Quirks(rename_replaces=True, shows_not_utf_8_as=None),
}
