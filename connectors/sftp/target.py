from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.network.addresses import Network

# What may be known of a server: the fields of `SFTPTarget` below.
FACTS = ("resolved", "reached", "login_first", "on_resolved", "on_reached", "on_login")


@dataclass(frozen=True, kw_only=True, slots=True)
class SFTPTarget:
    """Where to connect and as whom.

    `private_key` is PEM or OpenSSH text. `host_key` has a line `<type> <base64>`, `SHA256:…` or `<type> SHA256:…` for
    each pinned key; empty, every server is refused with the key that it shows. `timeout_s` is how long connecting may
    take, and how long the server may be silent.
    `allowed_networks` replaces the default of public and private addresses. `resolved` says that the host was found
    before, `reached` that this server has let this connection in before; where it has not, `on_resolved` and
    `on_reached` are called when that happens. `login_first` is the field of the credential to begin with where the
    server takes either; `on_login` is called with another one that was accepted after this one was refused.
    """

    host: str
    port: int = 22
    username: str
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    host_key: str
    timeout_s: float = 30
    allowed_networks: tuple[Network, ...] | None = None
    # What is known of the server, in `FACTS`, makes no other target of it: a kept session stays usable.
    resolved: bool = field(default=False, compare=False)
    reached: bool = field(default=False, compare=False)
    login_first: str = field(default="", compare=False)
    on_resolved: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    on_reached: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    on_login: Callable[[str], None] | None = field(default=None, repr=False, compare=False)

    @property
    def peer(self) -> str:
        return f"{self.host}:{self.port}"
