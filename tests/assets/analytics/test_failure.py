"""Failure prediction from the lake to rows, reasons and the registry, on one small plant."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.analytics.contract import CancelledError, Inputs, NotEnoughDataError
from assets.analytics.failure import NAME, analyse
from assets.analytics.machine_hours import machine_hours
from assets.analytics.registry import ModelRegistry
from assets.failures import failure_risks
from assets.models.failure import learners
from tests.assets.analytics.plants import NOW, factory, moments, readings
from warehouse.installation import Installation
from warehouse.models.alerting import Alert, Rule
from warehouse.queries.analytics import latest_risks
from warehouse.tenancy import system_session
from warehouse.upkeep import EventRow, save_events

HOUR = timedelta(hours=1)
DAYS = 40
MACHINES = 5
pytestmark = pytest.mark.slow


# Lives of many lengths: age alone must not tell when a machine fails.
DAYS_AGO = {1: (33, 20), 2: (28, 6), 3: (22, 12), 4: (17, 4), MACHINES: ()}


def failures(device_id: int) -> list[datetime]:
    """Every machine failed twice, except the last one, which is about to."""
    return [NOW - timedelta(days=days) for days in DAYS_AGO[device_id]]


def quiet(_percent: float, _stage: str) -> None:
    """A Tell that tells nobody."""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with pytest.MonkeyPatch.context() as patch, factory(tmp_path_factory.mktemp("failures"), MACHINES) as installation:
        patch.setattr(learners, "TREES", 15)
        patch.setattr(learners, "ROUNDS", 20)
        rng = np.random.default_rng(0)
        times = moments(DAYS, HOUR)
        for device_id in range(1, MACHINES + 1):
            ends = [*failures(device_id), NOW + timedelta(hours=12) if device_id == MACHINES else NOW + timedelta(days=30)]
            left_h = np.array([min((end - at) / HOUR for end in ends if end > at) for at in times])
            wear = np.clip(1 - left_h / 120, 0, 1)
            load = rng.uniform(0.3, 1, len(times))
            installation.lake.append(readings(device_id, "vibration", times, 2 + load + 4 * wear + rng.normal(0, 0.2, len(times))))
            installation.lake.append(readings(device_id, "load", times, load))
            installation.lake.append(readings(device_id, "parts_total", times, np.arange(len(times), dtype=float)))
        yield installation


@pytest.fixture(scope="module")
def recorded(plant: Installation) -> Installation:
    rows = [
        EventRow(f"{device_id}-{number}", device_id, "failure", began, began + timedelta(hours=4))
        for device_id in range(1, MACHINES + 1)
        for number, began in enumerate(failures(device_id))
    ]
    save_events(plant.db, 1, "test", rows, NOW)
    return plant


def ordered(installation: Installation, *device_ids: int, factory_id: int = 1, end: datetime = NOW, **parameters: object) -> Inputs:
    return Inputs(installation, factory_id, device_ids, end - timedelta(days=7), end, parameters, "job-1")


def test_without_failures_it_says_what_is_missing(plant: Installation) -> None:
    with pytest.raises(NotEnoughDataError, match=r"only 0 failures .* needs 3"):
        analyse(ordered(plant, 1, end=NOW - timedelta(days=34)), quiet)
    with pytest.raises(NotEnoughDataError, match=r"only 0 hours .* needs 48"):
        analyse(ordered(plant, 99, factory_id=2), quiet)


def test_critical_alerts_stand_for_failures_that_nobody_recorded(plant: Installation) -> None:
    with system_session(plant.db, "test", write=True) as session:
        session.add(Rule(id=1, factory_id=1, name="Broken", conditions={}))
        session.flush()
        begins = [NOW - timedelta(days=20), NOW - timedelta(days=20) + HOUR, NOW - timedelta(days=10)]
        session.add_all(
            Alert(factory_id=1, rule_id=1, device_id=MACHINES, severity="critical", triggered_at=began, resolved_at=began + HOUR / 2)
            for began in begins
        )
    found = machine_hours(plant, 1, [MACHINES], NOW - timedelta(days=DAYS), NOW)
    assert (found.failures, found.label_source) == (2, "critical alerts")
    assert found.columns.parameters == ("vibration", "vibration peak")
    assert found.columns.contexts == ("load",)
    assert found.rows["alerts_168h"].max() == 2.0
    assert found.rows["alerts_24h"][-1] == 0.0


def test_the_machine_about_to_fail_is_found_and_why(recorded: Installation) -> None:
    stages: list[float] = []
    result = analyse(ordered(recorded, *range(1, MACHINES + 1)), lambda percent, _stage: stages.append(percent))
    summary = result.summary
    worst = summary["machines"][0]
    assert worst["device_id"] == MACHINES
    assert worst["probability"]["168"] > 2 * summary["machines"][1]["probability"]["168"]
    assert worst["probability"]["168"] >= worst["probability"]["24"]
    assert worst["remaining_life_low_h"] <= worst["remaining_life_h"] < 200
    assert worst["reasons"][0]["parameter"] in {"vibration", "vibration peak"}
    assert "Vibration" in worst["sentence"]
    assert f"Pump {MACHINES}" in summary["headline"]
    assert any("recorded failures" in text for text in summary["findings"])
    assert stages == sorted(stages)
    assert result.charts["risk"].startswith(b"<?xml") or b"<svg" in result.charts["risk"]
    rows = result.tables["failure_risks"]
    assert rows.height == 2 * MACHINES
    assert json.loads(rows.filter(pl.col("device_id") == MACHINES)["reasons"][0])[0]["sentence"]
    card = ModelRegistry(recorded, 1).current(NAME)
    assert card is not None
    assert card.version == summary["model"]["version"] == rows["model_version"][0]
    assert card.metrics["failures"] == 8


def test_a_young_model_is_used_again_and_a_look_back_does_not_replace_it(recorded: Installation) -> None:
    first = analyse(ordered(recorded, 1, retrain=True), quiet).summary["model"]["version"]
    assert analyse(ordered(recorded, 1), quiet).summary["model"]["version"] == first
    past = analyse(ordered(recorded, 1, end=NOW - timedelta(days=5)), quiet)
    assert past.summary["model"]["version"] != first
    assert ModelRegistry(recorded, 1).current(NAME).version == first  # type: ignore[union-attr]  # there is one


def test_a_silent_machine_is_not_judged(recorded: Installation) -> None:
    with pytest.raises(NotEnoughDataError, match="Pump 2 was not judged"):
        analyse(ordered(recorded, 2, end=NOW + timedelta(days=2)), quiet)


def test_it_can_be_cancelled(recorded: Installation) -> None:
    def cancelled(_percent: float, _stage: str) -> None:
        raise CancelledError("cancelled by a test")

    with pytest.raises(CancelledError):
        analyse(ordered(recorded, 1), cancelled)


def test_the_asset_keeps_rows_and_checks_what_it_made(recorded: Installation) -> None:
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("factories", ["north", "south"])
        done = dg.materialize([failure_risks], resources={"installation": recorded}, partition_key="north", instance=instance)
        assert done.success
        passed = {check.check_name: check.passed for check in done.get_asset_check_evaluations()}
        assert set(passed) == {"probabilities_are_calibrated", "better_than_chance", "machines_have_not_drifted"}
        assert passed["machines_have_not_drifted"]
        empty = dg.materialize([failure_risks], resources={"installation": recorded}, partition_key="south", instance=instance)
        assert "needs 48" in str(empty.asset_materializations_for_node("failure_risks")[0].metadata["missing"].value)
    rows = latest_risks(recorded.lake, 1, NOW - timedelta(days=1))
    assert rows.height == 2 * MACHINES
    assert set(rows["job_id"]) == {f"nightly-{NOW:%Y-%m-%d}"}
    assert latest_risks(recorded.lake, 2, NOW - timedelta(days=1)).height == 0
