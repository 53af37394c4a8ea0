"""What the benchmarks of ingest share: a fresh installation with a broker, publishers in processes of their own, and what was measured."""

import contextlib
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import func, select

from bench.mqtt_load import SLUG, device_key
from ingest.broker import Mosquitto, find_mosquitto
from ingest.credentials import ingester_login
from ingest.device_keys import hash_device_key
from warehouse.db import Database
from warehouse.errors import LakeBusyError, PermanentError
from warehouse.heartbeat import heartbeats
from warehouse.lake import Lake
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.models.streams import LandingBatch
from warehouse.settings import Settings, child_environment
from warehouse.tenancy import system_session

METRICS_A_MESSAGE: Final = 8
PUBLISHERS: Final = 2
USER: Final = "load"
PASSWORD: Final = "known to this benchmark only"  # noqa: S105  # for a broker that lives as long as the benchmark
_TICKS_A_SECOND: Final = 100


class IngestPlant:
    """A database with devices, a broker in which one user may publish for all of them, ingesters and a loader; a context manager."""

    def __init__(self, home: Path, *, devices: int, ingesters: int = 1, database_url: str = "", lake_catalog_url: str = "") -> None:
        self.devices = devices
        self.settings = Settings(
            factoryops_home=home,
            mqtt_broker_port=free_port(),
            log_level="WARNING",
            database_url=database_url,
            lake_catalog_url=lake_catalog_url,
        )
        self.db = Database(self.settings.operational_url)
        self.ingester_count = ingesters
        self.ours: dict[str, subprocess.Popen[bytes]] = {}
        self._broker: Mosquitto | None = None

    def __enter__(self) -> Self:
        """Prepares the database and starts the broker."""
        self.db.migrate()
        with system_session(self.db, "set up a benchmark", write=True) as session:
            factory = Factory(name="Benchmark", slug=SLUG)
            session.add(factory)
            session.flush()
            session.add_all(Device(factory_id=factory.id, device_key=device_key(number)) for number in range(self.devices))
        program = find_mosquitto()
        if program is None:
            raise PermanentError("this benchmark needs mosquitto; apt-get install mosquitto")
        self._broker = Mosquitto(program, self.settings, self.db).start()
        self._let_in(self._broker)
        return self

    def __exit__(self, *_: object) -> None:
        """Stops everything."""
        self.stop_processes()
        if self._broker is not None:
            self._broker.stop()
        self.db.dispose()

    def start_processes(self) -> None:
        """Starts ingesters and loader and waits until they are at work."""
        shared = {"MQTT_SHARED_GROUP": "ingest"} if self.ingester_count > 1 else {}
        for number in range(self.ingester_count):
            name = "ingest" if not number else f"ingest {number + 1}"
            self.ours[name] = self._process("factoryops", "ingest", MQTT_CLIENT_ID=f"factoryops-ingest{number or ''}", **shared)
        self.ours["load"] = self._process("factoryops", "load")
        until((self.settings.home / "lake.made").exists if not self.settings.lake_catalog_url else self._lake_answers, 60)
        until(lambda: sum(b.name.startswith("ingester") and not b.problem for b in heartbeats(self.db)) == self.ingester_count, 60)

    def start_evaluator(self, **settings: str) -> None:
        """Starts the rule evaluator and the sender of notifications as well."""
        self.ours["evaluate"] = self._process("bench.evaluator_process", **settings)

    def stop_processes(self) -> None:
        """Stops ingesters and loader."""
        for process in self.ours.values():
            process.send_signal(signal.SIGTERM)
        for process in self.ours.values():
            process.wait(30)
        self.ours.clear()

    def loads(self, messages: int, per_s: float = 0.0) -> list[subprocess.Popen[str]]:
        """Publishers that wait for `go`: together `messages`, `per_s` a second or as fast as they can."""
        share, port = messages // PUBLISHERS, self.settings.mqtt_broker_port
        found = [
            start("bench.mqtt_load", *map(str, (port, USER, index * share, share, self.devices, per_s / PUBLISHERS)))
            for index in range(PUBLISHERS)
        ]
        for load in found:
            say(load, PASSWORD)
            expect(load, "ready")
        return found

    def bare(self, messages: int) -> tuple[float, float]:
        """Seconds from the first to the last message at a subscriber that does nothing, and the seconds of CPU that it took."""
        login = ingester_login(self.settings)
        subscriber = start("bench.bare_subscriber", str(login.port), login.username, str(messages))
        say(subscriber, login.password)
        expect(subscriber, "ready")
        before = cpu_s(subscriber.pid)
        loads = self.loads(messages)
        for load in loads:
            say(load, "go")
        seconds = float(line(subscriber))
        used_s = cpu_s(subscriber.pid) - before
        for process in (*loads, subscriber):
            process.communicate()
        return seconds, used_s

    @property
    def broker_pid(self) -> int:
        """Process id of mosquitto."""
        process = self._broker and self._broker._process  # noqa: SLF001  # nobody else needs it
        if not process:
            raise RuntimeError("the broker was not started")
        return process.pid

    def landed(self) -> int:
        """Messages that have landed."""
        with system_session(self.db, "count in a benchmark") as session:
            return int(session.scalar(select(func.sum(LandingBatch.message_count))) or 0)

    def head(self) -> int:
        """Position of the newest batch."""
        with system_session(self.db, "count in a benchmark") as session:
            return session.scalar(select(func.max(LandingBatch.position))) or 0

    def waiting_s(self, position: int) -> float:
        """How long ago the oldest batch after `position` landed; 0 when there is none."""
        with system_session(self.db, "look in a benchmark") as session:
            oldest = session.scalar(
                select(LandingBatch.landed_at).where(LandingBatch.position > position).order_by(LandingBatch.position).limit(1)
            )
        return 0.0 if oldest is None else (datetime.now(UTC) - oldest).total_seconds()

    def _process(self, module: str, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        told = {
            "FACTORYOPS_HOME": str(self.settings.home),
            "MQTT_BROKER_PORT": str(self.settings.mqtt_broker_port),
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": self.settings.database_url,
            "LAKE_CATALOG_URL": self.settings.lake_catalog_url,
        }
        return subprocess.Popen([sys.executable, "-m", module, *arguments], env=child_environment(**told, **settings))

    def _lake_answers(self) -> bool:
        lake = Lake(self.settings)
        try:
            return lake.loader_position("main") >= 0
        except LakeBusyError:
            return False
        finally:
            lake.close()

    def _let_in(self, broker: Mosquitto) -> None:
        folder = self.settings.home / "broker"
        with (folder / "passwords").open("a") as file:
            file.write(f"{USER}:{hash_device_key(PASSWORD)}\n")
        with (folder / "permissions").open("a") as file:
            file.write(f"\nuser {USER}\ntopic write factories/#\n")
        broker.refresh(anyway=True)
        time.sleep(0.5)


class LagWatch:
    """Looks twice a second how old the oldest landed batch is that the lake does not hold yet, and how much memory processes take."""

    def __init__(self, plant: IngestPlant) -> None:
        self._plant, self._lake = plant, Lake(plant.settings)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.lags_s: list[float] = []
        self.memory_mb: dict[str, list[float]] = {name: [] for name in plant.ours}

    def __enter__(self) -> Self:
        """Begins to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self._stop.set()
        self._thread.join(10)
        self._lake.close()

    def has_loaded(self, position: int) -> bool:
        """Whether the lake has come to `position`."""
        try:
            return self._lake.loader_position("main") >= position
        except LakeBusyError:
            return False

    def growth(self, name: str) -> float:
        """How much more memory a process took in the last quarter of the time than in the second one, as a ratio (medians)."""
        found = self.memory_mb[name]
        quarter = max(1, len(found) // 4)
        return statistics.median(found[-quarter:]) / statistics.median(found[quarter : 2 * quarter] or found)

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            for name, process in self._plant.ours.items():
                self.memory_mb[name].append(resident_mb(process.pid))
            with contextlib.suppress(LakeBusyError):
                self.lags_s.append(self._plant.waiting_s(self._lake.loader_position("main")))


def process_figures(plant: IngestPlant, before: dict[str, float], messages: int) -> dict[str, float]:
    """CPU a message and peak memory of each of our processes; `before` is their CPU at the start."""
    figures: dict[str, float] = {}
    for name, process in plant.ours.items():
        key = name.replace(" ", "_")
        figures[f"{key}_process_cpu_us_per_msg"] = round((cpu_s(process.pid) - before[name]) / messages * 1e6, 1)
        figures[f"{key}_process_peak_mb"] = peak_mb(process.pid)
    return figures


def start(module: str, *arguments: str) -> subprocess.Popen[str]:
    """A program of this folder that talks over its standard streams."""
    return subprocess.Popen([sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(process: subprocess.Popen[str], text: str) -> None:
    """Writes a line to it."""
    if process.stdin is not None:
        process.stdin.write(text + "\n")
        process.stdin.flush()


def line(process: subprocess.Popen[str]) -> str:
    """Reads a line of it."""
    return process.stdout.readline().strip() if process.stdout is not None else ""


def expect(process: subprocess.Popen[str], text: str) -> None:
    """Raises RuntimeError when its next line is another one."""
    said = line(process)
    if said != text:
        raise RuntimeError(f"{process.args!r} said {said!r} and not {text!r}")


def until(condition: Callable[[], bool], timeout_s: float) -> None:
    """Waits for it. Raises RuntimeError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not everything arrived within {timeout_s:g} s")
        time.sleep(0.1)


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def peak_mb(pid: int) -> float:
    """The most memory that a process had at once."""
    return _status_mb(pid, "VmHWM")


def resident_mb(pid: int) -> float:
    """The memory that a process has."""
    return _status_mb(pid, "VmRSS")


def _status_mb(pid: int, field: str) -> float:
    found = next(text for text in Path(f"/proc/{pid}/status").read_text().splitlines() if text.startswith(field))
    return round(int(found.split()[1]) / 1024)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measured(
    plant: IngestPlant, messages: int, progress: Callable[[str], None], per_s: float = 0.0, timeout_s: float = 600
) -> dict[str, Any]:
    """Publishes `per_s` messages a second, or as fast as the broker takes them; gives rates, lag of the lake, CPU and memory."""
    with started(plant), LagWatch(plant) as watch:
        loads = plant.loads(messages, per_s)
        before = {name: cpu_s(process.pid) for name, process in plant.ours.items()}
        broker_before_s = cpu_s(plant.broker_pid)
        already, began = plant.landed(), time.monotonic()
        for load in loads:
            say(load, "go")
        until(lambda: plant.landed() - already >= messages, timeout_s)
        landed_s = time.monotonic() - began
        progress(f"landed after {landed_s:.1f} s")
        head = plant.head()
        until(lambda: watch.has_loaded(head), timeout_s)
        loaded_s = time.monotonic() - began
        figures = {
            "landed_msg_per_s": round(messages / landed_s),
            "landed_readings_per_s": round(messages * METRICS_A_MESSAGE / landed_s),
            "loaded_readings_per_s": round(messages * METRICS_A_MESSAGE / loaded_s),
            "lake_behind_at_the_end_s": round(loaded_s - landed_s, 2),
            "lake_lag_most_s": round(max(watch.lags_s, default=0.0), 2),
            **process_figures(plant, before, messages),
            "broker_cpu_us_per_msg": round((cpu_s(plant.broker_pid) - broker_before_s) / messages * 1e6, 1),
        }
        told = [[float(number) for number in load.communicate()[0].split()] for load in loads]
        figures["published_msg_per_s"] = round(messages / max(seconds for seconds, _ in told))
        figures["publishers_cpu_us_per_msg"] = round(sum(used_s for _, used_s in told) / messages * 1e6, 1)
    return figures


@contextlib.contextmanager
def started(plant: IngestPlant) -> Iterator[None]:
    """Our processes run while the block does."""
    plant.start_processes()
    try:
        yield
    finally:
        plant.stop_processes()
