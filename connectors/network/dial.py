"""A socket to one of several addresses, within one deadline."""

import socket
from collections.abc import Sequence
from time import monotonic

from connectors.network.addresses import Address


def dial(addresses: Sequence[Address], deadline: float) -> socket.socket:
    """To the first that takes it; `deadline` is a time of the monotonic clock. Raises the last one's `OSError`."""
    failed: OSError = TimeoutError()
    for tried, address in enumerate(addresses):
        # One that does not answer leaves the others their share.
        share = (deadline - monotonic()) / (len(addresses) - tried)
        try:
            return _connected(address, share)
        except OSError as error:
            failed = error
    raise failed


def _connected(address: Address, timeout_s: float) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.settimeout(max(0.001, timeout_s))
        sock.connect(address.sockaddr)
        # Small requests are already joined here; waiting for more of them would only cost time.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock
