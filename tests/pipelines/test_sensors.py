"""The draining sensors: what a tick does and says."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from pipelines import pools, sensors, standby, stopping
from rules.evaluator import TickSummary
from rules.notify.outbox import OutboxSummary
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.settings import Settings


@pytest.mark.parametrize(
    ("done", "line"),
    [
        (TickSummary(batches=20, alerts=3), "20 batches, 3 alerts in 10 s"),
        (TickSummary(batches=1, alerts=1), "1 batch, 1 alert in 10 s"),
        (TickSummary(), "0 batches, 0 alerts in 10 s"),
    ],
)
def test_status_line_of_the_evaluator(done: TickSummary, line: str) -> None:
    assert sensors.evaluator_status(done, 10.2) == line


@pytest.mark.parametrize(
    ("done", "line"), [(OutboxSummary(sent=2), "2 sent in 20 s"), (OutboxSummary(sent=2, failed=1), "2 sent, 1 failed in 20 s")]
)
def test_status_line_of_the_outbox(done: OutboxSummary, line: str) -> None:
    assert sensors.outbox_status(done, 19.8) == line


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance with a database of its own."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def test_pools_have_their_limits_however_often_they_are_written(instance: dg.DagsterInstance) -> None:
    for _ in range(2):
        pools.ensure_pools(dg.build_sensor_context(instance=instance))
        pools._written.clear()
    limits = {limit.name: limit.limit for limit in instance.event_log_storage.get_pool_limits()}
    assert limits == pools.LIMITS


def test_a_tick_that_is_told_to_stop_ends_at_once_with_a_status_line(
    instance: dg.DagsterInstance, settings: Settings, sqlite_database: Database, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping.STOP, "is_set", lambda: True)
    installation = Installation(settings.model_copy(update={"database_url": sqlite_database.url}), sqlite_database, lake)
    context = dg.build_sensor_context(instance=instance)
    result = sensors.evaluator_sensor("probe", 0, lambda: installation)(context)
    assert isinstance(result, dg.SensorResult)
    assert result.cursor == "0"
    assert "0 batches, 0 alerts" in str(result.skip_reason)
    assert standby.NAME not in {thread.name for thread in standby.threading.enumerate()}


def test_draining_sensors_ask_dagster_for_no_resource() -> None:
    # With one, Dagster opens its databases at each tick.
    assert {name for sensor in sensors.SENSORS for name in sensor.required_resource_keys} == set()
