"""The rollup assets: which runs are asked for, and that a run brings the rollups up to date."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from assets import rollups
from assets.rollups import Request, requests_for
from tests.warehouse.frames import readings
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.settings import Settings

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hours(*numbers: int) -> list[datetime]:
    return [MONDAY + HOUR * number for number in numbers]


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        ([], []),
        (hours(8), [Request(date(2026, 1, 5), date(2026, 1, 5), tuple(hours(8)))]),
        (
            hours(23, 24),
            [Request(date(2026, 1, 5), date(2026, 1, 5), tuple(hours(23))), Request(date(2026, 1, 6), date(2026, 1, 6), tuple(hours(24)))],
        ),
        (
            hours(0, 24, 48, 72),
            [
                Request(date(2026, 1, 5), date(2026, 1, 8), levels=("1h",)),
                Request(date(2026, 1, 7), date(2026, 1, 7), levels=("1m",)),
                Request(date(2026, 1, 8), date(2026, 1, 8), levels=("1m",)),
            ],
        ),
    ],
    ids=["nothing", "an hour", "over midnight", "a backlog of days"],
)
def test_runs_that_are_asked_for(changed: list[datetime], asked: list[Request]) -> None:
    assert requests_for(changed) == asked


@pytest.fixture
def installation(settings: Settings, sqlite_database: Database, lake: Lake, manual_clock: ManualClock) -> Installation:
    return Installation(settings, sqlite_database, lake, manual_clock)


def materialize(installation: Installation, **how: object) -> dg.ExecuteInProcessResult:
    return dg.materialize(rollups.ROLLUPS, resources={"installation": installation}, **how)  # type: ignore[arg-type]


def buckets(lake: Lake, level: str) -> list[tuple[datetime, int]]:
    return lake.reader(1).query(f"SELECT bucket, count FROM rollup_{level} ORDER BY bucket").rows()


@pytest.mark.slow
def test_a_partition_holds_the_buckets_of_its_day(installation: Installation) -> None:
    installation.lake.append(readings((1, "power", 0, 1.0), (1, "power", 60, 2.0), (1, "power", 86_400, 3.0)))
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(installation, partition_key="2026-01-05", instance=instance)
    assert result.success
    start = MONDAY + HOUR * 8
    assert buckets(installation.lake, "1m") == [(start, 1), (start + timedelta(minutes=1), 1)]
    assert buckets(installation.lake, "1h") == [(start, 2)]
    metadata = result.asset_materializations_for_node("rollup_1m")[0].metadata
    assert metadata["dagster/partition_row_count"].value == 2


@pytest.mark.slow
def test_the_sensor_asks_once_for_what_arrived_and_again_for_late_readings(installation: Installation) -> None:
    def tick(cursor: str | None) -> dg.SensorResult | dg.SkipReason:
        context = dg.build_sensor_context(cursor=cursor, resources={"installation": installation})
        return rollups.rollup_sensor(context)  # type: ignore[return-value]

    assert isinstance(tick(None), dg.SkipReason)
    installation.lake.append(readings((1, "power", 0, 1.0)))
    first = tick(None)
    assert isinstance(first, dg.SensorResult)
    assert first.run_requests
    assert first.run_requests[0].partition_key == "2026-01-05"
    assert isinstance(tick(first.cursor), dg.SkipReason)


@pytest.mark.slow
def test_some_hours_of_a_day_leave_the_others_alone(installation: Installation) -> None:
    installation.lake.append(readings((1, "power", 0, 1.0), (1, "power", 3600, 2.0)))
    config = {"config": {"hours": [(MONDAY + HOUR * 9).isoformat()]}}
    with dg.DagsterInstance.ephemeral() as instance:
        materialize(
            installation, partition_key="2026-01-05", run_config={"ops": {"rollup_1m": config, "rollup_1h": config}}, instance=instance
        )
    assert buckets(installation.lake, "1h") == [(MONDAY + HOUR * 9, 1)]
