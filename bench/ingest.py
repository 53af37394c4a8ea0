"""Messages a second through broker, ingester and loader, 200 devices with 8 metrics a message, beside what bare paho receives."""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

from bench.mqtt_load import DEVICES, SLUG, device_key
from ingest.broker import Mosquitto, find_mosquitto
from ingest.credentials import ingester_login
from ingest.device_keys import hash_device_key
from warehouse.db import Database
from warehouse.errors import PermanentError
from warehouse.heartbeat import heartbeats
from warehouse.lake import Lake
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.models.streams import LandingBatch
from warehouse.settings import Settings, child_environment
from warehouse.tenancy import system_session

MESSAGES: Final = 100_000
METRICS_A_MESSAGE: Final = 8
PUBLISHERS: Final = 2
USER: Final = "load"
PASSWORD: Final = "known to this benchmark only"  # noqa: S105  # for a broker that lives as long as the benchmark
BUDGETS: Final = [
    {"figure": "landed_msg_per_s", "limit": ">= 20000"},
    {"figure": "landed_to_bare_paho_ratio", "limit": ">= 0.6"},
    {"figure": "lake_behind_s", "limit": "< 5"},
]
_TICKS_A_SECOND: Final = 100


def run(progress: Callable[[str], None], messages: int = MESSAGES) -> dict[str, Any]:
    """Measures bare paho, then everything, on a fresh installation in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="factoryops-bench-") as folder, _plant(Path(folder)) as (settings, db):
        progress(f"{messages} messages to a bare paho subscriber")
        bare_s, bare_cpu_s = _bare(settings, messages)
        progress(f"{messages} messages through broker, ingester and loader")
        figures = _whole(settings, db, messages, progress)
    figures["bare_paho_msg_per_s"] = round(messages / bare_s)
    figures["bare_paho_cpu_us_per_msg"] = round(bare_cpu_s / messages * 1e6, 1)
    figures["landed_to_bare_paho_ratio"] = round(figures["landed_msg_per_s"] * bare_s / messages, 3)
    return {
        "figures": figures,
        "budgets": BUDGETS,
        "notes": "Publishers, broker, ingester and loader share this machine. Rates count from the first publish to the last message.",
    }


@contextmanager
def _plant(home: Path) -> Iterator[tuple[Settings, Database]]:
    """A database with 200 devices and a broker in which one user may publish for all of them."""
    settings = Settings(factoryops_home=home, mqtt_broker_port=_free_port(), log_level="WARNING")
    db = Database(settings.operational_url)
    db.migrate()
    with system_session(db, "set up a benchmark", write=True) as session:
        factory = Factory(name="Benchmark", slug=SLUG)
        session.add(factory)
        session.flush()
        session.add_all(Device(factory_id=factory.id, device_key=device_key(number)) for number in range(DEVICES))
    program = find_mosquitto()
    if program is None:
        raise PermanentError("this benchmark needs mosquitto; apt-get install mosquitto")
    broker = Mosquitto(program, settings, db).start()
    try:
        _let_in(broker, home)
        yield settings, db
    finally:
        broker.stop()
        db.dispose()


def _let_in(broker: Mosquitto, home: Path) -> None:
    with (home / "broker" / "passwords").open("a") as file:
        file.write(f"{USER}:{hash_device_key(PASSWORD)}\n")
    with (home / "broker" / "permissions").open("a") as file:
        file.write(f"\nuser {USER}\ntopic write factories/#\n")
    broker.refresh(anyway=True)
    time.sleep(0.5)


def _bare(settings: Settings, messages: int) -> tuple[float, float]:
    """Seconds from the first to the last message at a subscriber that does nothing, and the seconds of CPU that it took."""
    login = ingester_login(settings)
    subscriber = _start("bench.bare_subscriber", str(login.port), login.username, str(messages))
    _say(subscriber, login.password)
    _expect(subscriber, "ready")
    before = _cpu_s(subscriber.pid)
    loads = _loads(login.port, messages)
    for load in loads:
        _say(load, "go")
    seconds = float(_line(subscriber))
    cpu_s = _cpu_s(subscriber.pid) - before
    for process in (*loads, subscriber):
        process.communicate()
    return seconds, cpu_s


def _whole(settings: Settings, db: Database, messages: int, progress: Callable[[str], None]) -> dict[str, float]:
    environment = child_environment(
        FACTORYOPS_HOME=str(settings.home), MQTT_BROKER_PORT=str(settings.mqtt_broker_port), LOG_LEVEL="WARNING"
    )
    ours = {name: subprocess.Popen([sys.executable, "-m", "factoryops", name], env=environment) for name in ("ingest", "load")}
    try:
        _until((settings.home / "lake.made").exists, 60)
        _until(lambda: any(beat.name == "ingester" and not beat.problem for beat in heartbeats(db)), 60)
        loads = _loads(settings.mqtt_broker_port, messages)
        before = {name: _cpu_s(process.pid) for name, process in ours.items()}
        began = time.monotonic()
        for load in loads:
            _say(load, "go")
        _until(lambda: _landed(db) >= messages, 180)
        landed_s = time.monotonic() - began
        progress(f"landed after {landed_s:.1f} s")
        _until(lambda: _loaded(settings, db), 180)
        loaded_s = time.monotonic() - began
        figures = _figures(ours, before, messages, landed_s, loaded_s)
        figures["published_msg_per_s"] = round(messages / max(float(load.communicate()[0]) for load in loads))
        return figures
    finally:
        for process in ours.values():
            process.send_signal(signal.SIGTERM)
        for process in ours.values():
            process.wait(20)


def _figures(ours: dict[str, Any], before: dict[str, float], messages: int, landed_s: float, loaded_s: float) -> dict[str, float]:
    figures: dict[str, float] = {
        "landed_msg_per_s": round(messages / landed_s),
        "landed_readings_per_s": round(messages * METRICS_A_MESSAGE / landed_s),
        "loaded_readings_per_s": round(messages * METRICS_A_MESSAGE / loaded_s),
        "lake_behind_s": round(loaded_s - landed_s, 2),
    }
    for name, process in ours.items():
        figures[f"{name}_process_cpu_us_per_msg"] = round((_cpu_s(process.pid) - before[name]) / messages * 1e6, 1)
        figures[f"{name}_process_peak_mb"] = _peak_mb(process.pid)
    return figures


def _loads(port: int, messages: int) -> list[subprocess.Popen[str]]:
    share = messages // PUBLISHERS
    loads = [_start("bench.mqtt_load", str(port), USER, str(index * share), str(share)) for index in range(PUBLISHERS)]
    for load in loads:
        _say(load, PASSWORD)
        _expect(load, "ready")
    return loads


def _start(module: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _say(process: subprocess.Popen[str], line: str) -> None:
    if process.stdin is not None:
        process.stdin.write(line + "\n")
        process.stdin.flush()


def _line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().strip() if process.stdout is not None else ""


def _expect(process: subprocess.Popen[str], line: str) -> None:
    said = _line(process)
    if said != line:
        raise RuntimeError(f"{process.args!r} said {said!r} and not {line!r}")


def _landed(db: Database) -> int:
    with system_session(db, "count in a benchmark") as session:
        return int(session.scalar(select(func.sum(LandingBatch.message_count))) or 0)


def _loaded(settings: Settings, db: Database) -> bool:
    with system_session(db, "count in a benchmark") as session:
        head = session.scalar(select(func.max(LandingBatch.position))) or 0
    lake = Lake(settings)
    try:
        return lake.loader_position("main") >= head
    finally:
        lake.close()


def _until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not everything arrived within {timeout_s:g} s")
        time.sleep(0.1)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def _peak_mb(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
