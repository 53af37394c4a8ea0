"""What an operator sees in Dagster: each tick says what it did, each asset who looks after it; the hand-over page names all of them."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from assets import opened
from pipelines.definitions import defs
from pipelines.owners import OF_GROUP
from pipelines.sensors import SENSORS
from tests.helpers import REPOSITORY
from warehouse.installation import Installation

PAGE = (REPOSITORY / "docs" / "operations" / "dagster.md").read_text(encoding="utf-8")
REPO = defs.get_repository_def()
DRAINING = {sensor.name for sensor in SENSORS}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Installation]:
    """An empty one that the environment names as well, for sensors that open it by themselves."""
    home = tmp_path_factory.mktemp("ticks") / "home"
    home.mkdir()
    shutil.copy(sqlite_template, home / "factoryops.sqlite")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACTORYOPS_HOME", str(home))
        patch.setattr(opened, "configure_logs", lambda _: None)
        opened.installation.cache_clear()
        made = opened.installation()
        made.lake.loader_position("main")  # makes the lake
        yield made
        opened.installation.cache_clear()
        made.close()


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as made:
        yield made


# Of the draining sensors tests/pipelines/test_sensors.py says the same.
@pytest.mark.parametrize("name", sorted(sensor.name for sensor in REPO.sensor_defs if sensor.name not in DRAINING))
def test_a_tick_of_a_sensor_says_what_it_did(name: str, installation: Installation, instance: dg.DagsterInstance) -> None:
    sensor = REPO.get_sensor_def(name)
    resources = {"installation": installation} if sensor.required_resource_keys else None
    with dg.build_sensor_context(instance=instance, resources=resources, repository_def=REPO) as context:
        data = sensor.evaluate_tick(context)
    assert data.run_requests or len(str(data.skip_message)) > 5


@pytest.mark.parametrize("name", sorted(schedule.name for schedule in REPO.schedule_defs))
def test_a_tick_of_a_schedule_starts_runs_or_says_why_not(name: str, installation: Installation, instance: dg.DagsterInstance) -> None:
    schedule = REPO.get_schedule_def(name)
    resources = {"installation": installation} if schedule.required_resource_keys else None
    when = datetime(2026, 1, 5, 3, tzinfo=UTC)
    with dg.build_schedule_context(instance=instance, resources=resources, scheduled_execution_time=when, repository_def=REPO) as context:
        data = schedule.evaluate_tick(context)
    assert data.run_requests or len(str(data.skip_message)) > 5


def test_every_asset_has_a_group_an_owner_and_a_purpose() -> None:
    nodes = list(REPO.asset_graph.asset_nodes)
    assert {node.group_name for node in nodes} == set(OF_GROUP)
    assert all(node.owners for node in nodes)
    assert all("purpose" in node.tags for node in nodes)
    assert all(group in PAGE for group in OF_GROUP)


def test_every_sensor_and_schedule_says_what_it_is_for_and_stands_in_the_hand_over() -> None:
    for one in (*REPO.sensor_defs, *REPO.schedule_defs):
        assert one.description, one.name
        assert f"`{one.name}`" in PAGE
    for job in REPO.get_all_jobs():
        assert job.name.startswith("__") or f"`{job.name}`" in PAGE, job.name
