"""The web process as an installation runs it, for benchmarks that ask it from outside: sign-in, dashboards, REST API on one port."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from warehouse.settings import child_environment

STARTS_WITHIN_S: Final = 60


@dataclass(frozen=True)
class WebProcess:
    """Where it listens, and which process it is."""

    port: int
    pid: int

    def cpu_s(self) -> float:
        """Processor time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float:
        """Memory that it holds."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def web_process(home: Path, progress: Callable[[str], None]) -> Iterator[WebProcess]:
    """`factoryops web` over `home` on a free port, without limits of requests an address; its log lies beside the home.

    Raises TimeoutError when it does not listen.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    limits = {"API_REQUESTS_PER_MINUTE": "0", "SIGN_IN_REQUESTS_PER_MINUTE": "0"}
    own = {"FACTORYOPS_HOME": str(home), "APP_ENV": "development", "WEB_PORT": str(port), "JWT_SECRET_KEY": secrets.token_urlsafe(48)}
    environment = child_environment(**limits, **own)
    log = home.with_name(f"{home.name}.log")
    with log.open("wb") as output:
        server = subprocess.Popen([sys.executable, "-m", "factoryops", "web"], env=environment, stdout=output, stderr=output)
        try:
            progress(f"the web process starts (pid {server.pid}, log {log})")
            _wait_for(port, server)
            yield WebProcess(port, server.pid)
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < give_up and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    message = f"the web process does not listen (status {server.poll()})"
    raise TimeoutError(message)
