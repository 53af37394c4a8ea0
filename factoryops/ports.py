"""Ports of this machine: is one taken, which one is free, does somebody answer on it."""

import socket
from typing import Final

from warehouse.errors import PermanentError

TRIES: Final = 50


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether we could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do it: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port_from(wanted: int, host: str = "127.0.0.1", taken: frozenset[int] = frozenset()) -> int:
    """`wanted` when it is free, else the next free one above it; 0 means any. `taken` are promised to somebody already.

    Raises PermanentError when none of the next 50 is free.
    """
    if wanted == 0:
        return _any_port(host)
    for port in range(wanted, min(wanted + TRIES, 65536)):
        if port not in taken and is_free(port, host):
            return port
    raise PermanentError(
        f"none of the ports {wanted} to {wanted + TRIES - 1} of {host} is free; stop what uses them or set another port", port=wanted
    )


def answers(port: int, host: str = "127.0.0.1", timeout_s: float = 0.5) -> bool:
    """Whether somebody accepts connections on `port`."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def _any_port(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
