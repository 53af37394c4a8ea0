"""The lake is away (its folder moved): messages land, live values move on, rules alert, and /health says what is wrong.

When it is back, history catches up and nothing is lost.
"""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from factoryops.health import examine
from rules.evaluation import Evaluator
from tests.helpers import wait_until
from tests.ingest.conftest import Machine, Plant
from tests.ingest.processes import INGESTER, LOADER, processes
from tests.ingest.test_crash_recovery import is_subscribed
from warehouse.clock import SystemClock
from warehouse.heartbeat import heartbeats
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.alerting import Rule
from warehouse.models.devices import LatestValue
from warehouse.models.streams import LandingBatch
from warehouse.tenancy import system_session

PER_S = 200
AWAY_S = 6


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_ingest_goes_on_and_history_catches_up(plant: Plant, machine: Callable[..., Machine]) -> None:
    sender = Sender(machine("M01"))
    folder = plant.settings.catalog_path.parent
    with processes(plant, INGESTER, LOADER), sender:
        lake = Lake(plant.settings)
        wait_until(lambda: is_subscribed(plant), 30, "the ingester is connected")
        sender.begin()
        wait_until(lambda: _in_lake(lake) > 0, 30, "the first readings are in the lake")
        lake.close()

        folder.rename(folder.with_name("moved"))
        gone_at = _newest(plant)
        time.sleep(AWAY_S)
        assert _newest(plant) > gone_at + PER_S * AWAY_S / 2
        wait_until(lambda: any(beat.name == "loader" and beat.problem for beat in heartbeats(plant.db)), 60, "the loader says why it waits")
        _alerts_go_on(plant)
        _is_degraded(plant)
        assert not folder.exists()
        folder.with_name("moved").rename(folder)

        sender.end()
        lake = Lake(plant.settings)
        wait_until(lambda: _in_lake(lake) >= sender.sent, 60, "history has caught up", interval_s=0.2)
        values = lake.reader(1).query("SELECT value FROM telemetry ORDER BY value")["value"].to_list()
        assert values == [float(n) for n in range(sender.sent)]
        assert _newest(plant) == sender.sent - 1
        lake.close()
        with system_session(plant.db, "read in a test") as session:
            assert session.scalar(select(func.sum(LandingBatch.message_count))) == sender.sent


def _alerts_go_on(plant: Plant) -> None:
    """A rule that is made only now, so that what it raises is of this time."""
    with system_session(plant.db, "add a rule in a test", write=True) as session:
        condition = {"parameter": "n", "operator": "gt", "threshold": 0}
        session.add(Rule(factory_id=1, name="Always", scope="global", severity="high", conditions=condition, cooldown_minutes=0))
    evaluator = Evaluator(plant.db, app_url="", clock=SystemClock())
    wait_until(lambda: evaluator.step().alerts > 0, 20, "an alert is raised while the lake is away")


def _is_degraded(plant: Plant) -> None:
    installation = Installation.open(plant.settings)
    report = examine(installation)
    installation.close()
    assert report.status == "degraded"
    assert report.dependencies["lake"] == "cannot be reached; ingest and alerts go on"
    assert "away" in report.dependencies["loader"]
    assert report.figures["landing_log_bytes"] > 0


class Sender:
    """A machine that sends numbered messages from `begin` to `end`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.sent = 0

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Stops, and waits until the broker has everything."""
        self._over.set()
        self._thread.join()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self.end()

    def _send(self) -> None:
        start_s, began = datetime.now(UTC).timestamp(), time.monotonic()
        infos = []
        while not self._over.wait(max(0.0, began + self.sent / PER_S - time.monotonic())):
            stamp = round(start_s + self.sent / PER_S, 3)
            infos.append(
                self._machine.client.publish(self._machine.topic, json.dumps({"timestamp": stamp, "metrics": {"n": self.sent}}), 1)
            )
            self.sent += 1
        for info in infos:
            info.wait_for_publish(30)


def _newest(plant: Plant) -> float:
    with system_session(plant.db, "read in a test") as session:
        return session.scalar(select(func.max(LatestValue.value))) or 0.0


def _in_lake(lake: Lake) -> int:
    return int(lake.reader(1).query("SELECT count(*) FROM telemetry").item())
