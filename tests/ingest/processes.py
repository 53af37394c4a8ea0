"""Ingester and loader as processes of their own, which tests may kill at any moment."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from tests.helpers import REPOSITORY
from tests.ingest.conftest import Plant
from warehouse.settings import Settings, child_environment

BROKER = "from ingest.broker import run_broker as run"
INGESTER = "from ingest.consumer import run_ingester as run"
LOADER = "from ingest.loader import run_loader as run"
EVALUATOR = "from factoryops.evaluator_process import run"
_PROGRAM = """{}
from warehouse.logs import configure_logs
from warehouse.settings import Settings
settings = Settings.load()
configure_logs(settings)
run(settings)
"""


class Process:
    """One process that is started again as often as it is killed."""

    def __init__(self, plant: Plant, work: str | list[str], **settings: str) -> None:
        """`work`: a line that imports `run`, or the arguments of the command line `factoryops`."""
        self._command = [sys.executable, *(["-c", _PROGRAM.format(work)] if isinstance(work, str) else ["-m", "factoryops", *work])]
        self._environment = child_environment(
            **environment_of(plant.settings), **{"LOADER_INTERVAL_MS": "200", "LOG_LEVEL": "WARNING"} | settings
        )
        self._log = (plant.settings.home / "processes.log").open("ab")
        self.kills = 0
        self._running = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment, cwd=REPOSITORY, stdout=self._log, stderr=self._log)

    def kill(self) -> None:
        """kill -9, and start again at once."""
        self.kill_for_good()
        self._running = self._start()

    def restart(self) -> None:
        """SIGTERM, as an upgrade does it, and start again."""
        self._running.terminate()
        self._running.wait(20)
        self._running = self._start()

    def kill_for_good(self) -> None:
        """kill -9 only."""
        self._running.send_signal(signal.SIGKILL)
        self._running.wait()
        self.kills += 1

    def start_again(self) -> None:
        """Starts it after `kill_for_good`."""
        self._running = self._start()

    @property
    def is_running(self) -> bool:
        """False once it ended, by itself or killed."""
        return self._running.poll() is None

    @property
    def peak_mb(self) -> float:
        """The most memory that it had so far."""
        return self._memory_mb("VmHWM")

    @property
    def resident_mb(self) -> float:
        """The memory that it has now."""
        return self._memory_mb("VmRSS")

    def _memory_mb(self, field: str) -> float:
        line = next(line for line in Path(f"/proc/{self._running.pid}/status").read_text().splitlines() if line.startswith(field))
        return int(line.split()[1]) / 1024

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help within 20 s."""
        self._running.terminate()
        try:
            self._running.wait(20)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._log.close()


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings of a test as the environment of a process; what it did not set is left out."""
    found: dict[str, str] = {}
    for name in settings.model_fields_set - {"jwt_secret_key", "loader_interval_ms", "log_level"}:
        value = getattr(settings, name)
        found[name.upper()] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return found


@contextmanager
def processes(plant: Plant, *work: str) -> Iterator[list[Process]]:
    """Runs them, and stops them at the end."""
    made = [Process(plant, what) for what in work]
    try:
        yield made
    finally:
        for process in made:
            process.stop()


@contextmanager
def killing(victims: list[Process], every_s: tuple[float, float]) -> Iterator[None]:
    """Kills one of `victims` at random moments while the block runs; each of them once, before one comes again by chance."""
    stop = threading.Event()

    def work() -> None:
        first = random.sample(victims, len(victims))
        while not stop.wait(random.uniform(*every_s)):
            (first.pop() if first else random.choice(victims)).kill()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
