from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.network.addresses import Network


@dataclass(frozen=True, kw_only=True, slots=True)
class SFTPTarget:
    """Where to connect and as whom.

    `private_key` is PEM or OpenSSH text. `host_key` has a line `<type> <base64>`, `SHA256:…` or `<type> SHA256:…` for
    each pinned key; empty, every server is refused with the key that it shows. `timeout_s` is how long connecting may
    take, and how long the server may be silent.
    `allowed_networks` replaces the default of public and private addresses. `reached` says that this server has let
    this connection in before; where it has not, `on_reached` is called when it does.
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
    # What is known of the server makes no other target of it: a kept session stays usable.
    reached: bool = field(default=False, compare=False)
    on_reached: Callable[[], None] | None = field(default=None, repr=False, compare=False)

    @property
    def peer(self) -> str:
        return f"{self.host}:{self.port}"
