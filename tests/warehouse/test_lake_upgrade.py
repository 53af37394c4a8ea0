"""A lake of the first version, with data, becomes one of today's; also when the upgrade is killed half-way."""

from datetime import timedelta

import pytest

from tests.warehouse.frames import START, at
from warehouse import lake_upgrade, rollups
from warehouse.lake import Lake
from warehouse.settings import Settings

OLD_ROLLUP = "factory_id INTEGER, device_id INTEGER, parameter VARCHAR, bucket TIMESTAMPTZ, count BIGINT, mean DOUBLE"


@pytest.fixture
def old_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home as the first version left it: two days of readings, the last received 1.5 s late."""
    with monkeypatch.context() as patch:
        patch.setattr("warehouse.lake.upgrade_tables", lambda _connection: None)
        lake = Lake(settings)
        with lake.writer() as cursor:
            cursor.execute(
                "CREATE TABLE lake.telemetry (factory_id INTEGER, device_id INTEGER, parameter VARCHAR, ts TIMESTAMPTZ, value DOUBLE, "
                "text VARCHAR, received_at TIMESTAMPTZ)"
            )
            cursor.execute("CREATE TABLE lake.loader_progress (shard VARCHAR, position BIGINT)")
            cursor.execute(f"CREATE TABLE lake.rollup_1m ({OLD_ROLLUP})")
            cursor.execute(f"CREATE TABLE lake.rollup_1h ({OLD_ROLLUP})")
            cursor.execute(
                "INSERT INTO lake.telemetry SELECT 1, 1, 'power', TIMESTAMPTZ '2026-01-05 08:00:00+00' + to_minutes(i), i, NULL, "
                "TIMESTAMPTZ '2026-01-05 08:00:01.5+00' + to_minutes(i) FROM range(2000) r(i)"
            )
            cursor.execute("INSERT INTO lake.loader_progress VALUES ('main', 7)")
        lake.close()
    return settings


def whole(lake: Lake) -> tuple[object, ...]:
    return lake.reader(1).query("SELECT count(*), sum(value), min(received_at), max(ts) FROM telemetry").row(0)


EXPECTED = (2000, sum(range(2000)), START + timedelta(seconds=1.5), at(1999 * 60))


def test_an_old_lake_is_brought_up_to_date_with_its_data(old_settings: Settings) -> None:
    lake = Lake(old_settings)
    assert whole(lake) == EXPECTED
    assert lake.loader_position("main") == 7
    rollups.roll_up(lake, at(86400 * 4), {})
    assert lake.reader(1).query("SELECT sum(count) FROM rollup_1h").item() == 2000
    with lake.cursor() as cursor:
        assert lake_upgrade.version(cursor) == 2
    lake.close()


def test_an_upgrade_that_was_killed_goes_on(old_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(lake_upgrade, "_move_readings", lambda _connection: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Lake(old_settings).snapshot_id()
    lake = Lake(old_settings)
    assert whole(lake) == EXPECTED
    lake.close()
