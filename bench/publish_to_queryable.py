"""From publishing to the live value and to history, in seconds, at 50 to 1,000 messages a second of 8 metrics."""

import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import select

from bench.ingest_plant import PASSWORD, USER, IngestPlant, started
from bench.mqtt_load import SLUG, device_key
from warehouse.errors import LakeBusyError
from warehouse.lake import Lake
from warehouse.models.devices import LatestValue
from warehouse.tenancy import system_session

RATES: Final = (50, 200, 1_000)
SECONDS: Final = 30.0
WARM_UP_S: Final = 5.0
DEVICES: Final = 20
WATCHED: Final = device_key(0)
"""Its messages are timed; the others are the load."""
BUDGETS: Final = [
    *({"figure": f"live_p99_s_at_{rate}", "limit": "< 0.3"} for rate in RATES),
    *({"figure": f"history_p99_s_at_{rate}", "limit": "< 2.5"} for rate in RATES),
]


class Watch:
    """Asks again and again for the newest number that can be seen, and notes when it was seen first."""

    def __init__(self, newest: Callable[[], int], pause_s: float) -> None:
        self._newest, self._pause_s = newest, pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: list[tuple[int, float]] = []

    def __enter__(self) -> Self:
        """Begins."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends."""
        self._stop.set()
        self._thread.join(10)

    def delays_s(self, published: list[float]) -> list[float]:
        """How long after it was published each number could be seen; infinite for those that never were."""
        numbers = [number for number, _ in self.seen]
        found = []
        for number, at in enumerate(published):
            index = bisect_right(numbers, number - 1)
            found.append(self.seen[index][1] - at if index < len(self.seen) else float("inf"))
        return sorted(found)

    def _watch(self) -> None:
        while not self._stop.wait(self._pause_s):
            number = self._newest()
            if not self.seen or number > self.seen[-1][0]:
                self.seen.append((number, time.monotonic()))


def run(progress: Callable[[str], None], seconds: float = SECONDS) -> dict[str, Any]:
    """Measures on a fresh installation in a temporary folder."""
    figures: dict[str, Any] = {}
    home = tempfile.TemporaryDirectory(prefix="factoryops-bench-")
    with home as folder, IngestPlant(Path(folder), devices=DEVICES) as plant, started(plant):
        client = _connected(plant)
        # The first commits open files and compile queries.
        first = len(_measured(plant, client, RATES[0], WARM_UP_S, 0)[0])
        for rate in RATES:
            progress(f"{rate} messages a second for {seconds:g} s")
            published, live, history = _measured(plant, client, rate, seconds, first)
            first += len(published)
            for name, delays in (("live", live), ("history", history)):
                figures |= {f"{name}_p{p}_s_at_{rate}": round(delays[min(len(delays) - 1, len(delays) * p // 100)], 3) for p in (50, 99)}
        client.disconnect()
        client.loop_stop()
    return {
        "figures": figures,
        "budgets": BUDGETS,
        "notes": "Live: the row in latest_values. History: a query of the lake. Each question takes its own time, which counts.",
    }


def _measured(
    plant: IngestPlant, client: mqtt.Client, rate: int, seconds: float, first: int
) -> tuple[list[float], list[float], list[float]]:
    """When each watched message was published, and after how long it could be seen live and in history."""
    lake = Lake(plant.settings)
    with Watch(lambda: _live(plant), 0.01) as live, Watch(lambda: _history(lake), 0.05) as history:
        published, began = list[float](), time.monotonic()
        for number in range(int(rate * seconds)):
            while number > (time.monotonic() - began) * rate:
                time.sleep(0.001)
            is_watched = number % DEVICES == 0
            value = first + len(published) if is_watched else number
            others = ", ".join(f'"m{index}": {number % 97 + index}.5' for index in range(7))
            payload = f'{{"timestamp": {time.time():.6f}, "metrics": {{"n": {value}, {others}}}}}'
            if is_watched:
                published.append(time.monotonic())
            client.publish(f"factories/{SLUG}/devices/{device_key(number % DEVICES)}/telemetry", payload, qos=1)
        last, deadline = first + len(published) - 1, time.monotonic() + 20
        while (not history.seen or history.seen[-1][0] < last) and time.monotonic() < deadline:
            time.sleep(0.1)
    lake.close()
    live.seen = [(number - first, at) for number, at in live.seen]
    history.seen = [(number - first, at) for number, at in history.seen]
    return published, live.delays_s(published), history.delays_s(published)


def _live(plant: IngestPlant) -> int:
    with system_session(plant.db, "look in a benchmark") as session:
        found = session.scalar(select(LatestValue.value).where(LatestValue.device_id == 1, LatestValue.parameter_key == "n"))
    return -1 if found is None else int(found)


def _history(lake: Lake) -> int:
    try:
        found = (
            lake.reader(1)
            .query("SELECT max(value) AS newest FROM telemetry WHERE device_id = 1 AND parameter = 'n' AND ts > now() - INTERVAL 1 MINUTE")[
                "newest"
            ]
            .item()
        )
    except (LakeBusyError, duckdb.Error):
        return -1
    return -1 if found is None else int(found)


def _connected(plant: IngestPlant) -> mqtt.Client:
    client, ready = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="publish-to-queryable"), threading.Event()
    client.username_pw_set(USER, PASSWORD)
    client.max_inflight_messages_set(1000)
    client.on_connect = lambda _client, _data, _flags, code, _properties: None if code.is_failure else ready.set()
    client.connect("127.0.0.1", plant.settings.mqtt_broker_port)
    client.loop_start()
    if not ready.wait(10):
        raise RuntimeError("the broker did not let us in")
    return client
