"""Anomaly detection from the lake to rows, sentences, live scores and an alert, on one small plant."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from sqlalchemy import select

from assets.analytics.anomaly import analyse
from assets.analytics.anomaly_models import NAME
from assets.analytics.contract import CancelledError, Inputs, NotEnoughDataError
from assets.analytics.live_scores import LiveScorer
from assets.analytics.registry import ModelRegistry
from assets.anomalies import anomalies, first_models_sensor, scoring_sensor, without_models
from ingest.loader import Loader
from rules.evaluation import Evaluator
from tests.assets.models.anomaly.machines import NAMES, pump, shaken
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.derived import ANOMALY_SCORE
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.latest import move_forward, newest
from warehouse.models.alerting import Alert, Rule
from warehouse.models.devices import Device, DeviceParameter, LatestValue
from warehouse.models.people import Factory
from warehouse.queries.analytics import anomalies as anomalies_between
from warehouse.readings import READINGS, UTC_TIME
from warehouse.rollups import roll_up
from warehouse.settings import Settings
from warehouse.tenancy import system_session

BEGIN = datetime.fromtimestamp(pump(1).begin_s, UTC)
ROWS = 4 * 1_440
NOW = BEGIN + timedelta(minutes=ROWS)
SHAKEN_FROM = ROWS - 300


@dataclass(frozen=True)
class Plant:
    """Pump 1 shakes in its last five hours, pump 2 does not, pump 3 came two hours ago; pump 9 is of another factory."""

    installation: Installation
    clock: ManualClock

    def ordered(self, *device_ids: int, hours: float = 24, factory_id: int = 1) -> Inputs:
        return Inputs(self.installation, factory_id, device_ids, NOW - timedelta(hours=hours), NOW)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Plant]:
    home: Path = tmp_path_factory.mktemp("anomalies")
    settings = Settings(factoryops_home=home, jwt_secret_key="for-tests-only-" + "x" * 32)
    shutil.copy(sqlite_template, home / "copy.sqlite")
    db, lake, clock = Database(f"sqlite:///{home}/copy.sqlite"), Lake(settings), ManualClock(NOW + timedelta(seconds=5))
    with system_session(db, "test", write=True) as session:
        session.add_all([Factory(id=1, name="North", slug="north"), Factory(id=2, name="South", slug="south")])
        session.flush()
        session.add_all([Device(id=i, factory_id=2 if i == 9 else 1, device_key=f"P{i}", name=f"Pump {i}") for i in (1, 2, 3, 9)])
        session.flush()
        session.add_all(
            [
                DeviceParameter(factory_id=1, device_id=i, parameter_key="vibration", display_name="Vibration", unit="mm/s")
                for i in (1, 2, 3)
            ]
        )
        session.add(
            Rule(factory_id=1, name="Unusual", conditions={"parameter": ANOMALY_SCORE, "operator": "gt", "threshold": 1}, scope="global")
        )
        rows = pl.concat(
            [
                said(1, shaken(pump(ROWS), SHAKEN_FROM, ROWS, 0.5).values),
                said(2, pump(ROWS, seed=2).values),
                said(3, pump(120, seed=3).values, ROWS - 120),
                said(9, pump(120, seed=4).values, ROWS - 120, factory_id=2),
            ]
        )
        move_forward(session, newest(rows))
    lake.append(rows)
    yield Plant(Installation(settings, db, lake, clock), clock)
    lake.close()
    db.dispose()


def said(device_id: int, values: np.ndarray, first_row: int = 0, factory_id: int = 1) -> pl.DataFrame:
    """READINGS of a grid: one a minute and parameter, half way through it."""
    begin_us = int(BEGIN.timestamp() * 1e6) + 60_000_000 * first_row + 30_000_000
    moments = pl.Series(begin_us + 60_000_000 * np.arange(len(values))).cast(UTC_TIME)
    frames = [pl.DataFrame({"parameter": name, "ts": moments, "value": values[:, column]}) for column, name in enumerate(NAMES)]
    return pl.concat(frames).with_columns(
        factory_id=pl.lit(factory_id, pl.Int32), device_id=pl.lit(device_id, pl.Int32), text=pl.lit(None, pl.String), received_at="ts"
    ).select(READINGS.names()).cast(READINGS)  # fmt: skip


def quiet(_percent: float, _stage: str) -> None:
    pass


pytestmark = pytest.mark.slow


def test_a_shaking_pump_is_found_told_and_drawn(plant: Plant) -> None:
    told: list[tuple[float, str]] = []
    found = analyse(plant.ordered(1, 2, 3), lambda percent, stage: told.append((percent, stage)))
    rows = found.tables["anomalies"]
    assert rows["device_id"].to_list() == [1]
    assert abs(rows["started_at"][0] - (BEGIN + timedelta(minutes=SHAKEN_FROM))) < timedelta(hours=1)
    assert rows["ended_at"][0] == NOW
    assert rows["sentence"][0].startswith("Vibration was ")
    assert found.summary["headline"] == "1 anomaly on 1 of 2 machines, the strongest on Pump 1; 1 could not be judged."
    assert "Only 2 hours of data of Pump 3; needs 48." in found.summary["findings"]
    assert found.tables["anomaly_scores"].group_by("device_id").len().sort("device_id").rows() == [(1, 1440), (2, 1440)]
    assert found.charts["score-P1"].lstrip().startswith(b"<?xml")
    assert [percent for percent, _ in told] == sorted(percent for percent, _ in told)
    assert told[0][1] == "learning Pump 1 (1 of 3)"


def test_without_a_past_the_range_itself_is_learned_from_and_that_is_said(plant: Plant) -> None:
    found = analyse(plant.ordered(1, hours=96), quiet)
    assert found.tables["anomalies"].height == 1
    assert any("its own healthiest part" in text for text in found.summary["findings"])


def test_too_little_data_is_a_failure_in_words(plant: Plant) -> None:
    with pytest.raises(NotEnoughDataError, match="only 2 hours of data of Pump 3; needs 48"):
        analyse(plant.ordered(3), quiet)


def test_a_machine_of_another_factory_is_not_there(plant: Plant) -> None:
    with pytest.raises(Exception, match="there is no machine 9 in this factory"):
        analyse(plant.ordered(9), quiet)


def test_who_cancels_is_heard_between_machines(plant: Plant) -> None:
    def cancel(_percent: float, stage: str) -> None:
        if stage.startswith("judging"):
            raise CancelledError("cancelled by Linh")

    with pytest.raises(CancelledError):
        analyse(plant.ordered(1, 2), cancel)


def test_a_new_factory_gets_its_first_models_as_soon_as_there_are_two_days_of_history(plant: Plant) -> None:
    inst = plant.installation
    sensor = first_models_sensor(lambda: inst)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("factories", ["north", "south"])
        before = sensor(dg.build_sensor_context(instance))
        roll_up(inst.lake, NOW + timedelta(hours=1), {1: "UTC", 2: "UTC"})
        asked = sensor(dg.build_sensor_context(instance))
        assert isinstance(before, dg.SensorResult)
        assert isinstance(asked, dg.SensorResult)
        # South's machine came two hours ago.
        assert [each.partition_key for each in asked.run_requests or []] == ["north"]
        assert not before.run_requests
        assert without_models(inst) == ["north"]


def test_the_night_keeps_models_and_then_each_minute_lands_a_score_that_a_rule_sees(plant: Plant) -> None:
    inst, day = plant.installation, timedelta(days=1)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("factories", ["north", "south"])
        done = dg.materialize([anomalies], resources={"installation": inst}, partition_key="north", instance=instance)
    assert done.success
    assert {check.check_name: check.passed for check in done.get_asset_check_evaluations()} == {
        "few_minutes_are_unusual": False,
        "models_fit_the_machines": True,
    }
    card = ModelRegistry(inst, 1).current(NAME)
    assert card is not None
    assert without_models(inst) == []
    kept = anomalies_between(inst.lake, 1, NOW - day, NOW)
    assert kept["device_id"].to_list() == [1]
    assert kept["model_version"].to_list() == [card.version]
    assert anomalies_between(inst.lake, 2, NOW - day, NOW).is_empty()

    scorer, evaluator = LiveScorer(), Evaluator(inst.db, app_url="http://localhost", clock=plant.clock)
    tick = scorer.tick(inst)
    assert (tick.scored, tick.unusual) == (2, 1)
    assert scorer.tick(inst).scored == 0
    evaluator.step()
    with system_session(inst.db, "test") as session:
        assert session.scalars(select(Alert.device_id)).all() == [1]
        live = session.scalars(select(LatestValue).where(LatestValue.parameter_key == ANOMALY_SCORE).order_by(LatestValue.device_id)).all()
        assert [(value.device_id, (value.value or 0) > 1) for value in live] == [(1, True), (2, False)]
        assert session.scalars(select(Device.last_seen).where(Device.id == 1)).one() is None
    Loader(inst.db, inst.lake, plant.clock).step()
    history = inst.lake.reader(1).query("SELECT device_id FROM telemetry WHERE parameter = 'anomaly_score' ORDER BY 1")
    assert history["device_id"].to_list() == [1, 2]


def test_a_lake_that_is_away_is_said_by_the_sensor(plant: Plant, tmp_path: Path) -> None:
    inst = plant.installation
    away = Settings(factoryops_home=tmp_path, lake_catalog_url="postgresql://nobody@127.0.0.1:9/none", jwt_secret_key="x" * 40)
    broken = Installation(inst.settings, inst.db, Lake(away), plant.clock)
    said_by = scoring_sensor(lambda: broken)(dg.build_sensor_context())
    assert isinstance(said_by, dg.SkipReason)
