"""What matters most of the warehouse, on SQLite and folders and on PostgreSQL and S3: the same answers, nothing lost.

`make test-outgrown` runs every test of this folder on the second.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from tests.fixtures.warehouse import migrate
from tests.warehouse.frames import START, at, readings, series
from tests.warehouse.queries.conftest import filled
from warehouse import maintenance
from warehouse.clock import ManualClock
from warehouse.day_figures import day_figures, record_availability, record_energy, record_oee
from warehouse.direct import connect
from warehouse.health_history import record_scores
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.manifest import manifest
from warehouse.queries.energy_overview import energy_overview
from warehouse.queries.history import history, trace
from warehouse.queries.summary import dashboard_summary
from warehouse.rollups import missing_readings, roll_up, squeeze_marks

pytestmark = pytest.mark.slow
ZONES = {1: "Asia/Ho_Chi_Minh"}
NOW = at(2 * 3600)
LATER = START + timedelta(days=3)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["embedded", pytest.param("outgrown", marks=[pytest.mark.postgres])])
def installation(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """A plant (tests/warehouse/queries/conftest.py) on one storage or the other; nothing in its lake."""
    found = Installation.open(request.getfixturevalue(f"{request.param}_settings"), ManualClock(NOW))
    migrate(found.db)
    filled(found.db)
    yield found
    found.close()


def rows_in(lake: Lake) -> int:
    return int(lake.reader(1).query("SELECT count(*) FROM telemetry").item())


def test_small_loads_wait_in_the_catalog_until_maintenance_writes_them_out(installation: Installation) -> None:
    lake = installation.lake
    for number in range(3):
        lake.append(series(1, "power", [1.0] * 5, start_s=number * 300), ("main", number + 1))
    with closing(Lake(installation.settings)) as another:
        assert (maintenance.live_files(another), rows_in(another)) == (0, 15)
    maintenance.maintain(lake, NOW, timedelta(days=30))
    assert (maintenance.live_files(lake), rows_in(lake), lake.loader_position("main")) == (1, 15, 3)
    assert manifest(lake, "telemetry") is not None, "nothing waits in the catalog any more"
    lake.append(series(1, "power", [1.0] * 400, start_s=1000, step_s=1), ("main", 4))
    assert maintenance.live_files(lake) == 2, "a larger load is a file at once"


def test_from_readings_to_figures_with_late_ones(installation: Installation) -> None:
    db, lake = installation.db, installation.lake
    lake.append(series(3, "power", [2000.0] * 60), ("main", 1))
    lake.append(series(3, "good_parts", [0.0, 20.0, 40.0], step_s=1800), ("main", 2))
    roll_up(lake, NOW, ZONES)
    lake.append(readings((3, "power", 90, 8000.0)), ("main", 3))
    squeeze_marks(lake, at=1)
    roll_up(lake, LATER, ZONES)
    assert {level: missing_readings(lake, level, START - HOUR * 24, LATER) for level in ("1m", "5m", "1h", "1d")} == dict.fromkeys(
        ("1m", "5m", "1h", "1d"), 0
    )
    found = history(lake, 1, [3], ["power"], START, NOW, interval=HOUR)
    assert found.select("count", "max").rows() == [(61, 8000.0)]
    assert trace(lake, 1, [3], ["power"], START, NOW, most_points=50)["value"].max() == 8000.0
    for record in (record_energy, record_availability, record_oee):
        assert record(db, lake, LATER, 1) > 0
    (energy,) = day_figures(lake, 1, "energy_days", START - timedelta(days=9), LATER).rows(named=True)
    # An hour at 2 kW and the 4 min for which the last reading holds; the late one is a spike of a minute.
    assert energy["kwh"] == pytest.approx(2 * 64 / 60 + 6 * 0.5 / 60, rel=0.001)
    assert energy_overview(db, lake, 1, NOW).periods["today"].factory.kwh == pytest.approx(energy["kwh"])
    assert day_figures(lake, 1, "oee_days", START - timedelta(days=9), LATER)["good_parts"].to_list() == [40]
    assert record_scores(db, lake, NOW, timedelta(minutes=5)) > 0
    assert dashboard_summary(db, lake, 1, NOW, timedelta(minutes=5)).total_devices == 4
    with closing(connect("north", installation.settings)) as connection:
        assert connection.execute("SELECT count(*) FROM telemetry").fetchall() == [(64,)]


def test_what_has_expired_goes_and_nothing_else(installation: Installation) -> None:
    lake = installation.lake
    lake.append(series(1, "power", [1.0] * 300), ("main", 1))
    pinned = lake.snapshot_id()
    roll_up(lake, LATER, ZONES)
    assert maintenance.expire_readings(lake, START + HOUR * 2) == 120
    orphan = f"{lake.files}/main/telemetry/orphan.parquet"
    with lake.cursor() as cursor:
        cursor.execute(f"COPY (SELECT 1 AS a) TO '{orphan}'")
        newest = cursor.execute("SELECT max(snapshot_time) FROM ducklake_snapshots('lake')").fetchall()[0][0]
    maintenance.compact(lake)
    assert maintenance.expire_snapshots(lake, newest + timedelta(days=1), [pinned]) > 0
    assert maintenance.delete_orphans(lake, newest + timedelta(days=1)) == 1
    with lake.cursor() as cursor:
        assert cursor.execute(f"SELECT count(*) FROM lake.telemetry AT (VERSION => {pinned})").fetchall() == [(300,)]
    assert rows_in(lake) == 180
    assert lake.reader(1).query("SELECT sum(count)::BIGINT FROM rollup_1h").item() == 300
