"""The REST API over 100 machines and 30 days, asked as programs ask it: a real web process, kept connections, signed in.

FACTORYOPS_HOME does not matter: it makes an installation of its own in the temporary folder and keeps it there for the next run, which
adds the days since. Ten machines send every 5 s, ninety every minute. A second factory's only machine sends every 5 s as well, and none
of its hours has a rollup: what it is asked for comes from the readings. The limit of requests an address is off, nothing else.
"""

import http.client
import itertools
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from bench.api_plant import DAYS, DEVICES, PASSWORD, RAW_DEVICE, RAW_FACTORY, email_of, make_history, make_plants
from bench.readings_plant import PARAMETERS
from bench.web_process import WebProcess, web_process
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.settings import Settings

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
    with web_process(FOLDER, progress) as web:
        figures = ask_all(web, now, progress)
    return {
        "figures": {name: round(value, 2) for name, value in figures.items()},
        "budgets": BUDGETS,
        "notes": f"{DEVICES} machines x {len(PARAMETERS)} parameters, {DAYS} days; each question {ASKED} times on one kept connection; "
        f"sustained: {CONNECTIONS} connections for {SUSTAINED_S:g} s, of 20 requests 12 live KPIs, 3 machines, 2 lists of 20 "
        "machines, 1 of alerts, 1 history from rollups and 1 summary. Clients are threads of one other process and share "
        "the machine with the server; CPU of both is that of their processes (user and system), over the same seconds.",
    }


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


def ask_all(web: WebProcess, now: datetime, progress: Callable[[str], None]) -> dict[str, float]:
    """Each question alone, then all of them together."""
    figures: dict[str, float] = {}
    port = web.port
    with closing(Client(port).sign_in(1)) as client:
        for name, paths in questions(now).items():
            progress(f"asking: {name}")
            figures |= measured(name, client, paths)
        token = client.token
    with closing(Client(port).sign_in(RAW_FACTORY)) as client:
        progress("asking: history_30d_1h_raw")
        figures |= measured("history_30d_1h_raw", client, history_paths(last_hour(now), [RAW_DEVICE]))
    progress(f"{CONNECTIONS} connections for {SUSTAINED_S:g} s")
    return figures | sustained(web, token, now)


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


def sustained(web: WebProcess, token: str, now: datetime) -> dict[str, float]:
    """Requests a second that one process answers, how long each took meanwhile, and what a request cost server and clients in CPU."""
    times: list[float] = []
    refused: list[int] = []
    until = time.perf_counter() + SUSTAINED_S

    def work(first: int) -> None:
        with closing(Client(web.port, token)) as client:
            for path in mixed(now, first):
                began = time.perf_counter()
                if began > until:
                    return
                status, _ = client.ask(path)
                times.append((time.perf_counter() - began) * 1000)
                if status != 200:
                    refused.append(status)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(CONNECTIONS)]
    server_s, client_s, began = web.cpu_s(), time.process_time(), time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took_s, client_s, server_s = time.perf_counter() - began, time.process_time() - client_s, web.cpu_s() - server_s
    return {
        "sustained_requests_per_s": len(times) / took_s,
        "sustained_server_cpu_ms_a_request": server_s * 1000 / len(times),
        "sustained_client_cpu_ms_a_request": client_s * 1000 / len(times),
        "sustained_p50_ms": statistics.median(times),
        "sustained_p95_ms": sorted(times)[int(len(times) * 0.95)],
        "sustained_refused": float(len(refused)),
    }
