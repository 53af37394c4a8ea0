"""The REST API over 100 machines and 30 days, asked as programs ask it: a real web process, kept connections, signed in.

FACTORYOPS_HOME does not matter: it makes an installation of its own in the temporary folder and keeps it there for the next run, which
adds the days since. Ten machines send every 5 s, ninety every minute. A second factory's only machine sends every 5 s as well, and none
of its hours has a rollup: what it is asked for comes from the readings. The limit of requests an address is off, nothing else.
"""

import http.client
import itertools
import json
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from bench.api_plant import DAYS, DEVICES, PASSWORD, RAW_DEVICE, RAW_FACTORY, email_of, make_history, make_plants
from bench.readings_plant import PARAMETERS
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.settings import Settings, child_environment

ASKED: Final = 150
"""Times each question is asked, one after another on one connection, after 10 that warm up."""
CONNECTIONS: Final = 8
SUSTAINED_S: Final = 20.0
FOLDER: Final = Path(tempfile.gettempdir()) / "factoryops-bench-api"
BUDGETS: Final = [
    {"figure": "summary_p95_ms", "limit": "< 50"},
    {"figure": "device_list_p95_ms", "limit": "< 60"},
    {"figure": "live_kpis_p95_ms", "limit": "< 30"},
    {"figure": "history_30d_1h_p95_ms", "limit": "< 30"},
    {"figure": "history_30d_1h_raw_p95_ms", "limit": "< 100"},
    {"figure": "sustained_requests_per_s", "limit": ">= 200"},
    {"figure": "sustained_refused", "limit": "<= 0"},
]
Paths = Iterator[str]


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Makes the installation, starts its web process and asks; figures in ms and requests a second."""
    settings = Settings(factoryops_home=FOLDER, app_env="demo")
    now = datetime.now(UTC)
    with closing(Lake(settings, memory_limit="4GB")) as lake:
        make_history(lake, now, progress)
    with closing(Installation.open(settings)) as installation:
        make_plants(installation, now)
    with web_process(progress) as port:
        figures = ask_all(port, now, progress)
    return {
        "figures": {name: round(value, 2) for name, value in figures.items()},
        "budgets": BUDGETS,
        "notes": f"{DEVICES} machines x {len(PARAMETERS)} parameters, {DAYS} days; each question {ASKED} times on one kept connection; "
        f"sustained: {CONNECTIONS} connections for {SUSTAINED_S:g} s, of 20 requests 12 live KPIs, 3 machines, 2 lists of 20 "
        "machines, 1 of alerts, 1 history from rollups and 1 summary. Clients share the machine with the server.",
    }


@contextmanager
def web_process(progress: Callable[[str], None]) -> Iterator[int]:
    """`factoryops web` on a free port, with everything that stands before the API; its log lies beside the home."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    limits = {"API_REQUESTS_PER_MINUTE": "0", "SIGN_IN_REQUESTS_PER_MINUTE": "0"}
    own = {"FACTORYOPS_HOME": str(FOLDER), "APP_ENV": "development", "WEB_PORT": str(port), "JWT_SECRET_KEY": secrets.token_urlsafe(48)}
    environment = child_environment(**limits, **own)
    log = FOLDER.with_name(f"{FOLDER.name}.log")
    with log.open("wb") as output:
        server = subprocess.Popen([sys.executable, "-m", "factoryops", "web"], env=environment, stdout=output, stderr=output)
        try:
            progress(f"the web process starts (pid {server.pid}, log {log})")
            _wait_for(port, server)
            yield port
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    message = f"the web process does not listen (status {server.poll()})"
    raise TimeoutError(message)


@dataclass
class Client:
    """One kept connection of somebody who signed in."""

    port: int
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """Status and body of a GET, or of a POST with `body`."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._connection.request("GET" if body is None else "POST", f"/api/v1{path}", json.dumps(body) if body else None, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def sign_in(self, factory_id: int) -> "Client":
        """The same connection, as the chief of a factory."""
        status, body = self.ask("/auth/login", {"factory_id": factory_id, "email": email_of(factory_id), "password": PASSWORD})
        if status != 200:
            raise RuntimeError(f"signing in answered {status}: {body[:500]!r}")
        self.token = json.loads(body)["access_token"]
        return self

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()


def ask_all(port: int, now: datetime, progress: Callable[[str], None]) -> dict[str, float]:
    """Each question alone, then all of them together."""
    figures: dict[str, float] = {}
    with closing(Client(port).sign_in(1)) as client:
        for name, paths in questions(now).items():
            progress(f"asking: {name}")
            figures |= measured(name, client, paths)
        token = client.token
    with closing(Client(port).sign_in(RAW_FACTORY)) as client:
        progress("asking: history_30d_1h_raw")
        figures |= measured("history_30d_1h_raw", client, history_paths(last_hour(now), [RAW_DEVICE]))
    progress(f"{CONNECTIONS} connections for {SUSTAINED_S:g} s")
    return figures | sustained(port, token, now)


def questions(now: datetime) -> dict[str, Paths]:
    """Paths that are asked, by name; endless."""
    return {
        "summary": itertools.repeat("/dashboard/summary"),
        "device_list": itertools.repeat("/devices?per_page=100"),
        "live_kpis": (f"/devices/{number}/kpis/live" for number in itertools.cycle(range(1, DEVICES + 1))),
        "history_30d_1h": history_paths(last_hour(now), list(range(1, DEVICES + 1))),
        "history_30d_1h_to_now": history_paths(now, list(range(1, DEVICES + 1))),
        "alerts": itertools.repeat("/alerts?resolved=false"),
        "device": (f"/devices/{number}" for number in itertools.cycle(range(1, DEVICES + 1))),
    }


def last_hour(now: datetime) -> datetime:
    """The end of the last hour that is rolled up for certain."""
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)


def history_paths(end: datetime, devices: list[int]) -> Paths:
    """Thirty days by the hour, of one machine and parameter after the other."""
    asked = {"start": _text(end - timedelta(days=DAYS)), "end": _text(end), "interval": "1h"}
    for number in itertools.count():
        device, parameter = devices[number % len(devices)], PARAMETERS[number // len(devices) % len(PARAMETERS)]
        yield f"/devices/{device}/kpis/history?{urlencode({**asked, 'parameter': parameter})}"


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def measured(name: str, client: Client, paths: Paths) -> dict[str, float]:
    """p50 and p95 of one question. Raises RuntimeError for an answer that is not 200."""
    times = []
    for number, path in enumerate(itertools.islice(paths, ASKED + 10)):
        began = time.perf_counter()
        status, body = client.ask(path)
        took_ms = (time.perf_counter() - began) * 1000
        if status != 200:
            raise RuntimeError(f"{path} answered {status}: {body[:500]!r}")
        if number >= 10:
            times.append(took_ms)
    return {f"{name}_p50_ms": statistics.median(times), f"{name}_p95_ms": sorted(times)[int(ASKED * 0.95)]}


def mixed(now: datetime, first: int) -> Paths:
    """What other systems ask together, most of it live values; each connection begins elsewhere."""
    asked = questions(now)
    lists = itertools.repeat("/devices")
    live, device, alerts, history = (asked[name] for name in ("live_kpis", "device", "alerts", "history_30d_1h"))
    of_20 = [live, device, live, lists, live, live, alerts, live, device, live, live, history, live, lists, live, live, device, live, live,
             asked["summary"]]  # fmt: skip
    for number in itertools.count(first * 7):
        yield next(of_20[number % len(of_20)])


def sustained(port: int, token: str, now: datetime) -> dict[str, float]:
    """Requests a second that one process answers, and how long each took meanwhile."""
    times: list[float] = []
    refused: list[int] = []
    until = time.perf_counter() + SUSTAINED_S

    def work(first: int) -> None:
        with closing(Client(port, token)) as client:
            for path in mixed(now, first):
                began = time.perf_counter()
                if began > until:
                    return
                status, _ = client.ask(path)
                times.append((time.perf_counter() - began) * 1000)
                if status != 200:
                    refused.append(status)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(CONNECTIONS)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took_s = time.perf_counter() - began
    return {
        "sustained_requests_per_s": len(times) / took_s,
        "sustained_p50_ms": statistics.median(times),
        "sustained_p95_ms": sorted(times)[int(len(times) * 0.95)],
        "sustained_refused": float(len(refused)),
    }
