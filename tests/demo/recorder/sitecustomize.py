"""On the PYTHONPATH of the demo's processes: every address outside this machine is written down and refused."""

import os
import socket
import sys

_FILE = os.environ.get("RECORD_FOREIGN_ADDRESSES", "")
_LOCAL = ("127.", "::1", "localhost", "0.0.0.0", "::")


def _is_foreign(host: object) -> bool:
    return isinstance(host, str) and bool(host) and not host.startswith(_LOCAL) and host != socket.gethostname()


def _refuse(what: str, host: object) -> None:
    with open(_FILE, "a") as file:  # noqa: PTH123  # pathlib at the start of every process would slow all of them
        file.write(f"{what} {host} by {' '.join(sys.argv[:3])}\n")
    raise OSError(f"refused: {host} is not on this machine")


def _connect(self: socket.socket, address: object, method: str = "connect") -> object:
    if self.family in {socket.AF_INET, socket.AF_INET6} and isinstance(address, tuple) and _is_foreign(address[0]):
        _refuse("connect", address[0])
    return _originals[method](self, address)


def _getaddrinfo(host: object, *arguments: object, **more: object) -> object:
    if _is_foreign(host):
        _refuse("look up", host)
    return _originals["getaddrinfo"](host, *arguments, **more)


if _FILE:
    _originals = {"connect": socket.socket.connect, "connect_ex": socket.socket.connect_ex, "getaddrinfo": socket.getaddrinfo}
    socket.socket.connect = _connect
    socket.socket.connect_ex = lambda self, address: _connect(self, address, "connect_ex")
    socket.getaddrinfo = _getaddrinfo
