"""kill -9 of the Dagster daemon and of the code server while messages arrive: alerts go on, none twice, none lost."""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import select

from factoryops import dagster_home, parts, probes
from factoryops.parts import Ports
from factoryops.supervisor import Part, Supervisor
from ingest.device_keys import hash_device_key
from tests.helpers import REPOSITORY, free_port, require_program, wait_until
from warehouse.db import Database
from warehouse.models.alerting import AlertRaise, Rule
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.settings import Settings, child_environment
from warehouse.tenancy import system_session

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.timeout(400)]
MESSAGES_A_SECOND = 20
USER = "vpc/devices/M01"
KEY = "a key of a test"


def add_plant(db: Database) -> None:
    """One machine, and a rule that every message meets: as many alerts as messages."""
    condition = {"operator": "AND", "conditions": [{"parameter": "number", "operator": "gte", "threshold": 0}]}
    with system_session(db, "set up a test", write=True) as session:
        factory = Factory(name="VPC", slug="vpc")
        session.add(factory)
        session.flush()
        session.add(Device(factory_id=factory.id, device_key="M01", api_key=hash_device_key(KEY)))
        session.add(
            Rule(
                factory_id=factory.id, name="Every message", scope="global", conditions=condition, cooldown_minutes=0, severity="low",
                notification_channels={"email": False},
            )
        )  # fmt: skip


class Sender:
    """Publishes numbered messages at an even pace until told to stop; each with a moment of its own."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self._stop = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="sender")
        self._client.username_pw_set(USER, KEY)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(1 / MESSAGES_A_SECOND):
            text = f'{{"timestamp": "{datetime.now(UTC).isoformat()}", "metrics": {{"number": {self.sent}}}}}'
            self._client.publish(f"factories/{USER}/telemetry", text, qos=1).wait_for_publish(10)
            self.sent += 1

    def stop(self) -> int:
        """How many messages the broker has taken."""
        self._stop.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()
        return self.sent


@pytest.fixture
def home(settings: Settings, sqlite_template: Path) -> Settings:
    """An installation with the plant, whose broker has a free port."""
    settings.home.mkdir(parents=True)
    shutil.copy(sqlite_template, settings.home / "factoryops.sqlite")
    settings = settings.model_copy(update={"mqtt_broker_port": free_port()})
    db = Database(settings.operational_url)
    add_plant(db)
    db.dispose()
    return settings


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def supervisor(home: Settings, lines: list[str]) -> Iterator[Supervisor]:
    """Broker, ingester, code server, webserver and daemon, as `factoryops up` runs them."""
    require_program("mosquitto", package="mosquitto")
    ports = Ports(web=0, dagster=free_port(), code_server=free_port(), mqtt=home.mqtt_broker_port)
    dagster_home.write(home, ports.code_server)
    environment = child_environment(FACTORYOPS_HOME=str(home.home), MQTT_BROKER_PORT=str(ports.mqtt), PYTHONUNBUFFERED="1")
    made = Supervisor(environment, lambda name, line: lines.append(f"{name}: {line}"), REPOSITORY)
    python = (sys.executable, "-m", "factoryops")
    ours = [[Part("broker", (*python, "broker"), probes.listens(ports.mqtt))], [Part("ingester", (*python, "ingest"), probes.at_once)]]
    try:
        made.start([*ours, *parts.dagster_parts(home, ports)], threading.Event())
        yield made
    finally:
        made.stop()


def alerts(db: Database) -> list[tuple[datetime, float]]:
    """Device time and delay from then to the row's writing in seconds, of every alert and every repeat."""
    with system_session(db, "test") as session:
        rows = session.scalars(select(AlertRaise).order_by(AlertRaise.raised_at)).all()
    return [(one.raised_at, (one.recorded_at - one.raised_at).total_seconds()) for one in rows]


def test_alerts_go_on_none_twice_none_lost(home: Settings, supervisor: Supervisor, lines: list[str]) -> None:
    db = Database(home.operational_url)
    sender = Sender(home.mqtt_broker_port)

    def watch(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            supervisor.look()
            time.sleep(0.1)

    def more_alerts(than: int) -> bool:
        supervisor.look()
        return len(alerts(db)) > than

    try:
        wait_until(lambda: more_alerts(20), 60, "the first alerts")
        daemon = supervisor.pid("daemon")
        os.kill(daemon, signal.SIGKILL)
        # Longer than a tick lasts, and nobody starts the daemon again: the tick in the code server goes on to its own end, and the standby
        # is there after it.
        time.sleep(20)
        without_daemon = len(alerts(db))
        wait_until(lambda: supervisor.look() or supervisor.pid("daemon") != daemon, 30, "the daemon runs again")
        before, code = len(alerts(db)), supervisor.pid("code")
        os.kill(code, signal.SIGKILL)
        wait_until(lambda: more_alerts(before + 3 * MESSAGES_A_SECOND), 90, "alerts go on after the code server was killed")
        wait_until(lambda: supervisor.look() or supervisor.pid("code") != code, 30, "the code server runs again")
        watch(8)
    finally:
        sent = sender.stop()
    wait_until(lambda: more_alerts(sent - 1), 60, "an alert for every message")
    found = alerts(db)
    db.dispose()
    assert len({at for at, _ in found}) == len(found) == sent, "\n".join(lines[-40:])
    assert max(delay for _, delay in found[:without_daemon]) < 10, "nobody noticed that the daemon was gone"
    delays = sorted(delay for _, delay in found)
    print(f"{sent} alerts; delay p50 {delays[sent // 2]:.3f} s, p95 {delays[int(sent * 0.95)]:.3f} s, longest {delays[-1]:.3f} s")
