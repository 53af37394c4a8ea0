"""Small tools that any test may use: free ports, waiting for a condition, programs that must be there."""

import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Never, TypeVar

import pytest

NOT_RUN = "NOT RUN: "
"""How the reason of a test starts that was left out because a program is missing; tests/conftest.py lists them in its summary."""

REPOSITORY = Path(__file__).resolve().parent.parent

_EXTRA_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
_services_required = False

T = TypeVar("T")


def require_services(*, required: bool) -> None:
    """Say once, at the start of the run, whether a missing program fails a test (CI) or leaves it out (`--services=optional`)."""
    global _services_required  # noqa: PLW0603 - set once by pytest_configure, read by fixtures of every scope
    _services_required = required


def require_program(program: str, *, package: str) -> Path:
    """Return the path of a program that a test starts.

    When it is missing the test fails in CI (`pytest --services=required`), and elsewhere is reported as NOT RUN with the Debian
    package to install.
    """
    path = shutil.which(program) or next((found for folder in _EXTRA_FOLDERS if (found := shutil.which(program, path=folder))), None)
    if path is None:
        program_missing(program, package=package)
    return Path(path)


def program_missing(program: str, *, package: str) -> Never:
    """Fail the test or leave it out, as `require_program` says."""
    message = f"{NOT_RUN}the program {program} is missing; as root: apt-get install {package}"
    if _services_required:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that nobody listens on right now.

    Another process may take it before you do: where a server can bind to port 0 by itself, let it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def wait_until(predicate: Callable[[], T], timeout_s: float = 10.0, message: str = "", *, interval_s: float = 0.02) -> T:
    """Call `predicate` until what it returns is true, and return that; fail the test after `timeout_s`, saying what was awaited.

    An exception of the predicate is not swallowed: a condition that cannot be asked for yet must say so by returning something false.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() >= deadline:
            awaited = message or getattr(predicate, "__name__", repr(predicate))
            pytest.fail(f"after {timeout_s:g} s still not: {awaited} (last answer: {result!r})")
        time.sleep(interval_s)


def port_is_open(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether somebody accepts connections on a TCP port; for `wait_until`."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False
