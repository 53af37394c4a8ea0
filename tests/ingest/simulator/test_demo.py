"""The demo is complete after seeding, whatever happened on the way, and seeding again changes nothing."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import func, select

from ingest.device_keys import verify_device_key
from ingest.simulator import history
from ingest.simulator.demo import HISTORY_SHARD, is_seeded, seed_demo
from ingest.simulator.plant import FACTORIES, PARAMETERS
from ingest.simulator.secrets import demo_device_key
from warehouse.access.passwords import verify_password
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import LakeBusyError
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.alerting import Alert, Notification, Rule, RuleCooldown, RuleDevice
from warehouse.models.base import Base
from warehouse.models.devices import Device, DeviceParameter, LatestValue
from warehouse.models.people import Factory, User
from warehouse.queries.live import live_values
from warehouse.queries.summary import dashboard_summary
from warehouse.settings import Settings
from warehouse.tenancy import system_session

NOW = datetime(2026, 11, 24, 6, 3, 17, tzinfo=UTC)
PASSWORD = "a right long password"
TABLES: tuple[type[Base], ...] = (Factory, User, Device, DeviceParameter, Rule, RuleDevice, RuleCooldown, Alert, LatestValue, Notification)


class SlowClock(ManualClock):
    """A clock that moves on a little each time that one looks at it, as it does while history is written."""

    def now(self) -> datetime:
        self.advance(timedelta(seconds=60))
        return super().now()


class TwoPiecesLake(Lake):
    """A lake that goes away after it took two pieces of history."""

    taken = 0

    def append(self, readings: pl.DataFrame, loader: tuple[str, int] | None = None, *, after: int | None = None) -> None:
        if self.taken == 2:
            raise LakeBusyError("the lake is away for this test")
        self.taken += 1
        super().append(readings, loader, after=after)


def opened(home: Path, database_file: Path, lake_type: type[Lake] = Lake) -> Installation:
    settings = Settings(factoryops_home=home)
    return Installation(settings, Database(f"sqlite:///{database_file}"), lake_type(settings), SlowClock(NOW))


def table_sizes(db: Database) -> dict[str, int]:
    with system_session(db, "count what the test made") as session:
        return {table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES}


def lake_rows(lake: Lake) -> pl.DataFrame:
    with lake.cursor() as cursor:
        return cursor.execute(
            "SELECT factory_id, count(*) AS rows, count(DISTINCT (device_id, parameter, ts)) AS keys, min(ts) AS first, max(ts) AS last, "
            "sum(value::DECIMAL(18, 3)) AS total FROM lake.telemetry GROUP BY factory_id ORDER BY factory_id"
        ).pl()


@pytest.fixture(scope="module", autouse=True)
def _one_reading_a_minute() -> Iterator[None]:
    """A tenth of the usual readings, so that the tests spend their time on what they are about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "STEPS_S", ((None, 60),))
        yield


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Installation]:
    """A demo with one day of history."""
    folder = tmp_path_factory.mktemp("seeded")
    shutil.copy(sqlite_template, folder / "factoryops.sqlite")
    installation = opened(folder / "home", folder / "factoryops.sqlite")
    told: list[float] = []
    assert seed_demo(installation, password=PASSWORD, history_days=1, progress=lambda share, _: told.append(share)).was_needed
    assert told == sorted(told)
    assert told[-1] == 1.0
    yield installation
    installation.close()


def rows(db: Database, table: type[Any], *conditions: Any) -> list[Any]:
    with system_session(db, "look at what the test made") as session:
        return list(session.scalars(select(table).where(*conditions)))


@pytest.mark.slow
def test_every_machine_and_parameter_is_there_with_names_and_units(seeded: Installation) -> None:
    assert len(rows(seeded.db, Device)) == 49
    parameters = {(p.device_id, p.parameter_key): p for p in rows(seeded.db, DeviceParameter)}
    for factory, plant in zip(rows(seeded.db, Factory), FACTORIES, strict=True):
        assert (factory.slug, factory.timezone, factory.name) == (plant.slug, plant.timezone, plant.name)
        devices = {device.device_key: device for device in rows(seeded.db, Device, Device.factory_id == factory.id)}
        for machine in plant.machines:
            device = devices[machine.device_key]
            assert (device.kind, device.region, device.model) == (machine.kind.value, machine.region, machine.model)
            for parameter in PARAMETERS[machine.kind]:
                found = parameters[device.id, parameter.key]
                assert (found.display_name, found.unit, found.is_kpi_selected) == (parameter.display_name, parameter.unit, parameter.is_kpi)


@pytest.mark.slow
def test_a_super_admin_can_sign_in_to_each_factory(seeded: Installation) -> None:
    users = rows(seeded.db, User)
    assert [(user.email, user.role) for user in users] == [("demo@vpc.example", "super_admin"), ("demo@nordwerk.example", "super_admin")]
    assert all(verify_password(PASSWORD, user.hashed_password) for user in users)


@pytest.mark.slow
def test_the_key_of_a_machine_belongs_to_its_stored_hash_and_to_no_other(seeded: Installation) -> None:
    first, second = rows(seeded.db, Device, Device.device_key == "CNC-01")
    key = demo_device_key(seeded.settings, "vpc/devices/CNC-01")
    assert verify_device_key(key, first.api_key)
    assert not verify_device_key(key, second.api_key)


@pytest.mark.slow
def test_rules_watch_the_machines_they_are_for(seeded: Installation) -> None:
    kinds = {device.id: device.kind for device in rows(seeded.db, Device)}
    overheat = rows(seeded.db, Rule, Rule.name == "Spindle overheat")
    assert len(overheat) == 2
    for rule in overheat:
        watched = rows(seeded.db, RuleDevice, RuleDevice.rule_id == rule.id)
        assert {kinds[row.device_id] for row in watched} == {"CNC mill"}
        assert len(watched) == 7 - (rule.factory_id == 2)
    assert all(not rows(seeded.db, RuleDevice, RuleDevice.rule_id == rule.id) for rule in rows(seeded.db, Rule, Rule.scope == "global"))


@pytest.mark.slow
def test_history_is_complete_without_doubles_up_to_the_moment_the_seeding_ends(seeded: Installation) -> None:
    found = lake_rows(seeded.lake)
    assert found["factory_id"].to_list() == [1, 2]
    assert found["rows"].to_list() == found["keys"].to_list()
    assert min(found["rows"].to_list()) > 220_000
    assert all(first <= NOW - timedelta(hours=23, minutes=59) for first in found["first"])
    assert all(NOW < last < NOW + timedelta(minutes=5) for last in found["last"])


@pytest.mark.slow
def test_the_newest_value_is_the_last_of_the_history(seeded: Installation) -> None:
    latest = pl.DataFrame(
        [(value.device_id, value.parameter_key, value.ts, value.value) for value in rows(seeded.db, LatestValue)],
        schema={"device_id": pl.Int32, "parameter": pl.String, "ts": pl.Datetime("us", "UTC"), "value": pl.Float64},
        orient="row",
    )
    with seeded.lake.cursor() as cursor:
        expected = cursor.execute(
            "SELECT device_id, parameter, max(ts) AS ts, arg_max(value, ts) AS value FROM lake.telemetry GROUP BY ALL"
        ).pl()
    assert latest.sort("device_id", "parameter").equals(expected.cast(latest.schema).sort("device_id", "parameter"))


@pytest.mark.slow
def test_the_first_page_is_full_at_once(seeded: Installation) -> None:
    now = seeded.clock.now()
    for factory, plant in zip(rows(seeded.db, Factory), FACTORIES, strict=True):
        summary = dashboard_summary(seeded.db, seeded.lake, factory.id, now, timedelta(minutes=5))
        assert summary.total_devices == len(plant.machines)
        assert summary.offline_devices == 1
        assert 100 < summary.current_energy_kw < 500
        assert summary.energy_today_kwh > 100
        assert summary.alerts["critical"] >= 1
        assert summary.alerts["high"] >= 1
        assert 60 <= summary.health.score < 100


@pytest.mark.slow
def test_the_machine_under_overhaul_has_old_values(seeded: Installation) -> None:
    (device,) = rows(seeded.db, Device, Device.device_key == "CNC-03", Device.factory_id == 1)
    values = live_values(seeded.db, 1, device.id, seeded.clock.now())
    assert values
    assert all(value.is_stale and value.value is not None for value in values)


@pytest.mark.slow
def test_alerts_of_the_past_are_open_resolved_and_tell_why(seeded: Installation) -> None:
    alerts = rows(seeded.db, Alert)
    assert {alert.severity for alert in alerts} >= {"critical", "high", "medium"}
    assert {alert.resolved_at is None for alert in alerts} == {True, False}
    for alert in alerts:
        assert alert.triggered_at < NOW
        assert "threshold" in alert.message
        assert alert.telemetry_snapshot["timestamp"] == alert.triggered_at.isoformat().replace("+00:00", "Z")
        for moment in (alert.acknowledged_at, alert.resolved_at):
            assert moment is None or alert.triggered_at < moment <= NOW


@pytest.mark.slow
def test_a_snapshot_of_an_alert_is_what_the_lake_says(seeded: Installation) -> None:
    for alert in rows(seeded.db, Alert):
        with seeded.lake.cursor() as cursor:
            found = cursor.execute(
                "SELECT parameter, value FROM lake.telemetry WHERE device_id = ? AND ts = ?", [alert.device_id, alert.triggered_at]
            ).fetchall()
        assert dict(found) == {key: value for key, value in alert.telemetry_snapshot.items() if key != "timestamp"}


@pytest.mark.slow
def test_seeding_again_changes_nothing(seeded: Installation) -> None:
    sizes, before = table_sizes(seeded.db), lake_rows(seeded.lake)
    assert not seed_demo(seeded, password=PASSWORD, history_days=1).was_needed
    assert table_sizes(seeded.db) == sizes
    assert lake_rows(seeded.lake).equals(before)


@pytest.mark.slow
def test_a_seeding_that_was_cut_short_goes_on_where_it_stopped(seeded: Installation, tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "factoryops.sqlite")
    cut_short = opened(tmp_path / "home", tmp_path / "factoryops.sqlite", TwoPiecesLake)
    with pytest.raises(LakeBusyError):
        seed_demo(cut_short, password=PASSWORD, history_days=1)
    assert not is_seeded(cut_short.db)
    assert cut_short.lake.loader_position(HISTORY_SHARD) > 0
    cut_short.close()

    again = opened(tmp_path / "home", tmp_path / "factoryops.sqlite")
    assert seed_demo(again, password=PASSWORD, history_days=1).was_needed
    assert is_seeded(again.db)
    assert table_sizes(again.db) == table_sizes(seeded.db)
    found = lake_rows(again.lake)
    assert found["rows"].to_list() == found["keys"].to_list()
    assert found.select("factory_id", "first").equals(lake_rows(seeded.lake).select("factory_id", "first"))
    again.close()


def test_a_demo_without_history_is_possible_on_both_databases(database: Database, settings: Settings, lake: Lake) -> None:
    installation = Installation(settings, database, lake, ManualClock(NOW))
    assert seed_demo(installation, password=PASSWORD, history_days=0).email == "demo@vpc.example"
    assert is_seeded(database)
    assert table_sizes(database)["devices"] == 49
    assert not seed_demo(installation, password=PASSWORD, history_days=0).was_needed


def test_the_demos_people_can_sign_in_with_the_password_of_the_newest_start(
    sqlite_database: Database, settings: Settings, lake: Lake
) -> None:
    installation = Installation(settings, sqlite_database, lake, ManualClock(NOW))
    seed_demo(installation, password="the first password", history_days=0)
    seed_demo(installation, password=PASSWORD, history_days=0)
    assert all(verify_password(PASSWORD, user.hashed_password) for user in rows(sqlite_database, User))


def test_a_factory_that_is_there_already_is_left_as_it_is(sqlite_database: Database, settings: Settings, lake: Lake) -> None:
    with system_session(sqlite_database, "set up a test") as session:
        session.add(Factory(name="Ours", slug="vpc", timezone="UTC"))
    seed_demo(Installation(settings, sqlite_database, lake, ManualClock(NOW)), password=PASSWORD, history_days=0)
    assert [(factory.slug, factory.name) for factory in rows(sqlite_database, Factory)] == [
        ("vpc", "Ours"),
        ("nordwerk", FACTORIES[1].name),
    ]
