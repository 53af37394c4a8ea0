"""The rollup assets: when a run is asked for, what it does, and that a partition can be made again."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from assets import rollups
from tests.warehouse.frames import readings
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.people import Factory
from warehouse.settings import Settings
from warehouse.tenancy import system_session

pytestmark = pytest.mark.slow
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def installation(settings: Settings, sqlite_database: Database, lake: Lake, manual_clock: ManualClock) -> Installation:
    with system_session(sqlite_database, "test", write=True) as session:
        session.add(Factory(id=1, name="North", slug="north", timezone="Asia/Ho_Chi_Minh"))
    return Installation(settings, sqlite_database, lake, manual_clock)


def buckets(lake: Lake, level: str) -> list[tuple[datetime, int]]:
    return lake.reader(1).query(f"SELECT bucket, count FROM rollup_{level} ORDER BY bucket").rows()


def tick(installation: Installation, instance: dg.DagsterInstance) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, resources={"installation": installation})
    return rollups.rollup_sensor(context)  # type: ignore[return-value]


def test_a_partition_is_a_factorys_day(installation: Installation) -> None:
    installation.lake.append(readings((1, "power", 0, 1.0), (1, "power", 60, 2.0), (1, "power", 86_400, 3.0)))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("factories", ["north"])
        key = dg.MultiPartitionKey({"day": "2026-01-05", "factory": "north"})
        for _ in range(2):
            result = dg.materialize(rollups.ROLLUPS, resources={"installation": installation}, partition_key=key, instance=instance)
    assert result.success
    start = MONDAY + timedelta(hours=8)
    assert buckets(installation.lake, "1m") == [(start, 1), (start + timedelta(minutes=1), 1)]
    assert buckets(installation.lake, "5m") == buckets(installation.lake, "1h") == [(start, 2)]
    assert buckets(installation.lake, "1d") == [(MONDAY - timedelta(hours=7), 2)]


def test_the_sensor_asks_once_an_hour_has_ended_and_again_for_late_readings(installation: Installation, manual_clock: ManualClock) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        installation.lake.append(readings((1, "power", 600, 1.0)))
        assert not tick(installation, instance).run_requests
        manual_clock.advance(timedelta(hours=1, minutes=2))
        assert tick(installation, instance).run_requests
        result = rollups.rollup.execute_in_process(resources={"installation": installation}, instance=instance)
        assert result.success
        events = instance.fetch_materializations(dg.AssetKey("rollup_1h"), limit=5).records
        assert events[0].partition_key == dg.MultiPartitionKey({"day": "2026-01-05", "factory": "north"})
        assert not tick(installation, instance).run_requests
        installation.lake.append(readings((1, "power", 660, 1.0)), ("main", 1))
        assert tick(installation, instance).run_requests
    assert buckets(installation.lake, "1h") == [(MONDAY + timedelta(hours=8), 1)]


def test_days_begin_at_midnight_of_the_factory() -> None:
    start, end = rollups.day_window(date(2026, 1, 5), "Asia/Ho_Chi_Minh")
    assert (start, end) == (MONDAY - timedelta(hours=7), MONDAY + timedelta(hours=17))
