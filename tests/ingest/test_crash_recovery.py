"""kill -9 of the ingester and of the loader, at random, while numbered messages arrive: all in the lake, none twice."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.helpers import wait_until
from tests.ingest.conftest import SLUG, Machine, Plant
from tests.ingest.processes import INGESTER, LOADER, killing, processes
from warehouse.heartbeat import heartbeats
from warehouse.lake import Lake

MESSAGES = 9_000
PER_S = 1_000
DEVICES = ("M01", "M02", "M03")


@pytest.fixture
def publisher(machine: Callable[..., Machine], plant: Plant) -> list[Machine]:
    return [machine(device) for device in DEVICES]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_nothing_is_lost_and_nothing_is_there_twice(plant: Plant, publisher: list[Machine]) -> None:
    start = datetime.now(UTC).timestamp() - MESSAGES / 1000
    with processes(plant, INGESTER, LOADER) as running:
        wait_until((plant.settings.home / "lake.made").exists, 60, "the loader has made the lake")
        # The broker keeps nothing for an ingester that never was there.
        wait_until(lambda: is_subscribed(plant), 60, "the ingester is connected")
        threads = [_publish(sender, index, start) for index, sender in enumerate(publisher)]
        with killing(running, (0.8, 2.0)):
            for thread in threads:
                thread.join()
        assert min(process.kills for process in running) >= 1
        lake = Lake(plant.settings)
        wait_until(lambda: _count(lake) >= MESSAGES, 60, "all is in the lake", interval_s=0.3)
        found = lake.reader(1).query(
            "SELECT count(*) AS total, count(DISTINCT value) AS distinct_values, count(DISTINCT (device_id, ts)) AS keys, "
            "min(value) AS lowest, max(value) AS highest FROM telemetry WHERE parameter = 'n'"
        )
        assert found.row(0) == (MESSAGES, MESSAGES, MESSAGES, 0.0, MESSAGES - 1.0)
        assert _count(lake) == MESSAGES
        lake.close()


def _publish(sender: Machine, index: int, start: float) -> threading.Thread:
    mine = range(index, MESSAGES, len(DEVICES))
    payloads = [json.dumps({"timestamp": round(start + number / 1000, 3), "metrics": {"n": number}}).encode() for number in mine]
    topic = f"factories/{SLUG}/devices/{DEVICES[index]}/telemetry"
    thread = threading.Thread(target=sender.publish_all, args=(payloads, [topic] * len(payloads), PER_S / len(DEVICES)))
    thread.start()
    return thread


def is_subscribed(plant: Plant) -> bool:
    return any(beat.name == "ingester" and not beat.problem for beat in heartbeats(plant.db))


def _count(lake: Lake) -> int:
    return int(lake.reader(1).query("SELECT count(*) FROM telemetry").item())
