"""What Dagster is given loads, runs by itself, and does nothing by being loaded."""

import subprocess
import sys
import threading
from pathlib import Path

import dagster as dg
import pytest

from pipelines import standby
from pipelines.definitions import defs
from tests.helpers import REPOSITORY

SENSORS = {"evaluator_0s", "evaluator_10s", "outbox_5s", "outbox_15s", "rollup_sensor"}


def test_every_sensor_and_schedule_runs_without_being_switched_on() -> None:
    repository = defs.get_repository_def()
    assert {sensor.name for sensor in repository.sensor_defs} >= SENSORS
    assert all(sensor.default_status == dg.DefaultSensorStatus.RUNNING for sensor in repository.sensor_defs)
    assert all(schedule.default_status == dg.DefaultScheduleStatus.RUNNING for schedule in repository.schedule_defs)


def test_draining_sensors_are_asked_for_at_every_turn_of_the_daemon() -> None:
    repository = defs.get_repository_def()
    assert all(repository.get_sensor_def(name).minimum_interval_seconds == 1 for name in SENSORS - {"rollup_sensor"})


def test_every_job_and_asset_has_a_description() -> None:
    repository = defs.get_repository_def()
    assert all(asset.description for asset in repository.asset_graph.asset_nodes)
    assert all(job.description for job in repository.get_all_jobs() if not job.name.startswith("__"))


def test_loading_starts_no_standby() -> None:
    assert standby.NAME not in {thread.name for thread in threading.enumerate()}


@pytest.mark.slow
def test_dagster_validates_them_without_an_installation(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-m", "pipelines.definitions"]
    environment = {"DAGSTER_HOME": str(tmp_path), "FACTORYOPS_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "home").exists()
