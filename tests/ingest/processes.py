"""Ingester and loader as processes of their own, which tests may kill at any moment."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.helpers import REPOSITORY
from tests.ingest.conftest import Plant
from warehouse.settings import child_environment

BROKER = "from ingest.broker import run_broker as run"
INGESTER = "from ingest.consumer import run_ingester as run"
LOADER = "from ingest.loader import run_loader as run"
_PROGRAM = """{}
from warehouse.logs import configure_logs
from warehouse.settings import Settings
settings = Settings.load()
configure_logs(settings)
run(settings)
"""


class Process:
    """One process that is started again as often as it is killed."""

    def __init__(self, plant: Plant, work: str) -> None:
        self._command = [sys.executable, "-c", _PROGRAM.format(work)]
        self._environment = child_environment(
            FACTORYOPS_HOME=str(plant.settings.home),
            MQTT_BROKER_PORT=str(plant.settings.mqtt_broker_port),
            LOADER_INTERVAL_MS="200",
            LOG_LEVEL="WARNING",
        )
        self._log = (plant.settings.home / "processes.log").open("ab")
        self.kills = 0
        self._running = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment, cwd=REPOSITORY, stdout=self._log, stderr=self._log)

    def kill(self) -> None:
        """kill -9, and start again at once."""
        self._running.send_signal(signal.SIGKILL)
        self._running.wait()
        self.kills += 1
        self._running = self._start()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help within 20 s."""
        self._running.terminate()
        try:
            self._running.wait(20)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._log.close()


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
    """Kills one of `victims` at random moments while the block runs."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(random.uniform(*every_s)):
            random.choice(victims).kill()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
