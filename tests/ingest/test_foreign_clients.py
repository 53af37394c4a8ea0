"""Clients that we did not write: mosquitto_pub sends, is refused, and floods; good machines hardly notice."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest import reasons
from ingest.broker import Mosquitto
from ingest.consumer import Ingester
from tests.helpers import require_program, wait_until
from tests.ingest.conftest import SLUG, Machine, Plant, device_key_of
from tests.ingest.test_consumer import latest_of, numbers, running

pytestmark = pytest.mark.slow
SECONDS, PER_S = 3, 200


@pytest.fixture
def mosquitto_pub() -> Path:
    return require_program("mosquitto_pub", package="mosquitto-clients")


def command(program: Path, plant: Plant, device: str, *more: str, key: str = "") -> list[str]:
    user = f"{SLUG}/devices/{device}"
    return [
        str(program), "-h", "127.0.0.1", "-p", str(plant.settings.mqtt_broker_port), "-u", user, "-P", key or device_key_of(device),
        "-t", f"factories/{user}/telemetry", "-q", "1", *more,
    ]  # fmt: skip


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_what_mosquitto_pub_sends_is_shown_live(plant: Plant, broker: Mosquitto, mosquitto_pub: Path, version: str) -> None:
    with running(plant):
        message = json.dumps({"metrics": {"power": 745.6, "spindle_temp": 41.5}})
        subprocess.run(command(mosquitto_pub, plant, "M01", "-V", version, "-m", message), check=True, timeout=20)
        wait_until(lambda: latest_of(plant, "M01") == {"power": 745.6, "spindle_temp": 41.5})


def test_mosquitto_pub_with_a_wrong_key_is_refused(plant: Plant, broker: Mosquitto, mosquitto_pub: Path) -> None:
    done = subprocess.run(command(mosquitto_pub, plant, "M01", "-m", "{}", key="wrong"), check=False, timeout=20, capture_output=True)
    assert done.returncode != 0
    assert b"not authori" in done.stderr.lower()


def test_a_flood_of_nonsense_does_not_slow_a_good_machine_below_half(
    plant: Plant, broker: Mosquitto, mosquitto_pub: Path, machine: Callable[..., Machine]
) -> None:
    """A machine sends at its pace while another one sends nothing but nonsense, as fast as mosquitto_pub can."""
    nonsense = '{"timestamp":"2026-01-05T07:59:00Z","metrics":{"power":NaN,"load":null,"speed":'
    good, total = machine("M01"), SECONDS * PER_S
    with running(plant) as ingester, flood(command(mosquitto_pub, plant, "M02", "-l"), nonsense):
        wait_until(lambda: refused(ingester), 20, "the flood arrives")
        before = refused(ingester)
        for n in range(total):
            good.client.publish(good.topic, b'{"metrics":{"n":%d}}' % n, 1)
            time.sleep(1 / PER_S)
        landed, heard = len(numbers(plant)), refused(ingester) - before
    print(f"{landed} of {total} good messages had landed when the last was sent, beside {heard:,.0f} of nonsense")
    assert landed >= total / 2
    assert heard > 5 * total


def refused(ingester: Ingester) -> float:
    """How many messages were no JSON."""
    return ingester.figures.registry.get_sample_value("factoryops_ingest_dead_letters_total", {"reason": reasons.NOT_JSON}) or 0


@contextmanager
def flood(publisher: list[str], line: str) -> Iterator[None]:
    """A publisher that sends this line as often as it can."""
    with (
        subprocess.Popen(["yes", line], stdout=subprocess.PIPE) as lines,
        subprocess.Popen(publisher, stdin=lines.stdout) as sender,
    ):
        try:
            yield
        finally:
            for process in (sender, lines):
                process.kill()
