"""What ingest counts can be scraped, means what it says, and is documented."""

import re
from collections.abc import Callable

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from factoryops.health import SystemRoutes
from ingest.broker import Mosquitto
from ingest.figures import IngestFigures, LoaderFigures
from tests.helpers import REPOSITORY, wait_until
from tests.ingest.conftest import Machine, Plant
from tests.ingest.processes import INGESTER, LOADER, processes
from tests.ingest.test_crash_recovery import is_subscribed
from warehouse.installation import Installation


def scraped(plant: Plant) -> dict[str, float]:
    """Every sample of /metrics by name; with its label for reasons and bounds."""
    installation = Installation.open(plant.settings)
    text = generate_latest(SystemRoutes(installation).registry).decode()
    installation.close()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = next((sample.labels[name] for name in ("reason", "le") if name in sample.labels), "")
            found[f"{sample.name}{{{label}}}" if label else sample.name] = sample.value
    return found


def all_is_told(found: dict[str, float]) -> bool:
    """Each process tells its own figures when its next sign of life is due."""
    return (found.get("factoryops_ingest_messages_total"), found.get("factoryops_loader_readings_total")) == (21, 40)


@pytest.mark.slow
def test_a_scrape_tells_what_came_in(plant: Plant, broker: Mosquitto, machine: Callable[..., Machine]) -> None:
    with processes(plant, INGESTER, LOADER):
        wait_until(lambda: is_subscribed(plant), 30, "the ingester is connected")
        sender = machine("M01")
        for number in range(20):
            sender.publish(b'{"metrics":{"a":%d,"b":1}}' % number)
        sender.publish(b"nonsense")
        wait_until(lambda: all_is_told(scraped(plant)), 20, "ingester and loader have said so", interval_s=0.5)
        found = scraped(plant)
        assert found["factoryops_ingest_readings_total"] == 40
        assert found["factoryops_ingest_dead_letters_total{not_json}"] == 1
        assert found["factoryops_ingest_waiting_messages"] == 0
        assert found["factoryops_ingest_flush_seconds_bucket{+Inf}"] == found["factoryops_ingest_flush_seconds_count"] > 0
        assert 0 < found["factoryops_ingest_lag_seconds_sum"] < 20
        assert found["factoryops_ingest_reconnects_total"] == 0
        assert 0 <= found["factoryops_loader_lag_seconds"] < 20
        assert found["factoryops_landing_log_bytes"] > 0
        broker.stop()
        broker.start()
        wait_until(lambda: scraped(plant)["factoryops_ingest_reconnects_total"] == 1, 30, "the new connection is counted", interval_s=0.5)


def test_every_metric_is_documented() -> None:
    described = (REPOSITORY / "docs" / "ingest.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(factoryops_(?:ingest|loader)_\w+?)(?:_total)?(?:\{\w+\})?`", described))
    assert named == {metric.name for figures in (IngestFigures(), LoaderFigures()) for metric in figures.registry.collect()}
