"""`factoryops up`: everything on one machine, in the right order, until Ctrl-C."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from rich.console import Console

from factoryops import dagster_home, parts, ports
from factoryops.announcement import announce
from factoryops.log_stream import LOG_FILE, LogStream
from factoryops.parts import Ports
from factoryops.supervisor import PartFailedError, Supervisor
from warehouse.clock import SystemClock
from warehouse.errors import PermanentError
from warehouse.settings import Settings, child_environment

LOCK_FILE: Final = "up.lock"
ADDRESSES_FILE: Final = "addresses.json"
"""Where everything listens, for as long as it runs: for `doctor` and for tools."""
PREPARE_STOPS_WITHIN_S: Final = 10


def run(settings: Settings, *, demo: bool, history_days: int) -> int:
    """Starts everything, prints where it is to be found, and stays until SIGINT, SIGTERM or SIGHUP. Returns the exit code.

    Raises PermanentError when another `up` runs on the same home.
    """
    began = time.monotonic()
    console = Console()
    stop = _stop_on_signals()
    settings.home.mkdir(parents=True, exist_ok=True)
    with only_one(settings.home):
        found = choose_ports(settings, console)
        environment = _environment(settings, found)
        code = _prepare(environment, stop, demo=demo, history_days=history_days)
        if code or stop.is_set():
            return code
        dagster_home.write(settings, found.code_server)
        return _run_parts(settings, found, environment, console, stop, demo=demo, began=began)


def _run_parts(
    settings: Settings, found: Ports, environment: dict[str, str], console: Console, stop: threading.Event, *, demo: bool, began: float
) -> int:
    log = LogStream(console, settings.home / LOG_FILE, SystemClock())
    supervisor = Supervisor(environment, log.say, parts.working_folder())
    addresses = settings.home / ADDRESSES_FILE
    try:
        supervisor.start(parts.stages(settings, found, demo=demo), stop)
        if not stop.is_set():
            announce(console, settings, found, demo=demo, started_in_s=time.monotonic() - began)
            addresses.write_text(json.dumps(asdict(found)))
            supervisor.watch(stop)
    except PartFailedError as problem:
        console.print(problem.message, style="bold red", markup=False, highlight=False)
        return 1
    finally:
        log.say("supervisor", "stopping")
        # While they go one after the other, Dagster's processes tell at length that they miss each other.
        log.quiet("code", "daemon", "dagster")
        addresses.unlink(missing_ok=True)
        supervisor.stop()
        log.say("supervisor", "stopped")
        log.close()
    return 0


def choose_ports(settings: Settings, console: Console) -> Ports:
    """The ports of the settings, or the next free ones; what differs is said. A broker of one's own keeps its port."""
    taken: set[int] = set()

    def choose(what: str, wanted: int, host: str = "127.0.0.1") -> int:
        port = ports.free_port_from(wanted, host, frozenset(taken))
        taken.add(port)
        if port != wanted and wanted:
            console.print(f"Port {wanted} is taken; {what} listens on {port}.", style="yellow", highlight=False)
        return port

    web = choose("the web server", settings.web_port, settings.web_host)
    dagster = choose("the Dagster UI", settings.dagster_port)
    mqtt = (
        settings.mqtt_broker_port
        if settings.mqtt_broker_host
        else choose("the MQTT broker", settings.mqtt_broker_port, settings.mqtt_listen_host)
    )
    code_server = ports.free_port_from(settings.dagster_code_port, taken=frozenset(taken))
    return Ports(web=web, dagster=dagster, code_server=code_server, mqtt=mqtt)


def _environment(settings: Settings, found: Ports) -> dict[str, str]:
    """What the processes are to see: the same settings, with the ports that were found and the folder as an absolute path."""
    chosen = {
        "FACTORYOPS_HOME": str(settings.home),
        "APP_ENV": settings.app_env,
        "WEB_PORT": str(found.web),
        "DAGSTER_PORT": str(found.dagster),
        # All of it runs here.
        "DAGSTER_HOST": "127.0.0.1",
        "DAGSTER_CODE_HOST": "127.0.0.1",
        "DAGSTER_CODE_PORT": str(found.code_server),
        "MQTT_BROKER_PORT": str(found.mqtt),
        # Lines appear when they are written, not when 8 KB are full.
        "PYTHONUNBUFFERED": "1",
    }
    if found.web != settings.web_port:
        chosen["APP_URL"] = f"http://{settings.web_host}:{found.web}"
    return child_environment(**chosen)


def _prepare(environment: dict[str, str], stop: threading.Event, *, demo: bool, history_days: int) -> int:
    """Databases and demo data, in a process of its own that has the terminal for its progress; its exit code."""
    options = ["--demo", "--history-days", str(history_days)] if demo else []
    process = subprocess.Popen([*parts.PYTHON, "factoryops", "prepare", *options], env=environment)
    while process.poll() is None:
        if stop.wait(0.1):
            process.terminate()
            try:
                process.wait(PREPARE_STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            return 130
    return process.returncode


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    return stop


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Keeps every other `up` away from a home. Raises PermanentError when one holds it."""
    lock = FileLock(home / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout as held:
        raise PermanentError(f"FactoryOps runs on {home} already; stop it first, or give another --home", home=str(home)) from held
    try:
        yield
    finally:
        lock.release()


def is_running(home: Path) -> bool:
    """Whether an `up` holds this home now."""
    lock = FileLock(home / LOCK_FILE, timeout=0)
    if not home.exists():
        return False
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False
