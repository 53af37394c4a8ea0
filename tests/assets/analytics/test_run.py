"""An ordered analysis from beginning to end: progress, lake tables, files, failures in words, cancelling, schedules, the backstop."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import polars as pl
import pytest

from assets.analyses import MOST_RUNS, analysis_job, backstop
from assets.analytics import run as analyses
from assets.analytics.contract import NotEnoughDataError
from assets.analytics.schedules import NewSchedule, add_schedule, order_due, remove_schedule, schedules, switch_schedule
from assets.launch import ANALYSIS, REPORT, launch_variables
from tests.assets.analytics import imagined
from tests.fixtures.two_plants import NOW, TwoPlants
from warehouse import job_runs
from warehouse.access.audit import Actor
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.jobs import NewJob, cancel_job, find_job, list_jobs, order_job
from warehouse.models.work import AnalyticsJob
from warehouse.objects import ObjectStore
from warehouse.queries import analytics

DAY = timedelta(days=1)


class Orders:
    """North orders analyses."""

    def __init__(self, plants: TwoPlants) -> None:
        self.plants, self.inst = plants, plants.installation
        self.actor = Actor(plants.north.person.factory_id, plants.north.person.user_id)
        self.devices = sorted(plants.north.devices.values())

    def order(self, **more: str) -> str:
        new = NewJob("anomaly", more.get("mode", "standard"), self.devices, NOW - DAY, NOW)
        return order_job(self.inst.db, self.inst.clock, self.actor, new).id

    def row(self, job_id: str) -> AnalyticsJob:
        return find_job(self.inst.db, self.actor.factory_id, job_id)

    def run(self, job_id: str) -> analyses.Done | None:
        return analyses.run(self.inst, job_id, "run-1")


@pytest.fixture
def orders(two_plants: TwoPlants, monkeypatch: pytest.MonkeyPatch) -> Iterator[Orders]:
    monkeypatch.setitem(analyses.KINDS, "anomaly", "tests.assets.analytics.imagined")
    yield Orders(two_plants)
    imagined.meanwhile.clear()


def test_a_result_is_in_the_lake_in_files_and_on_the_row(orders: Orders) -> None:
    job_id, told = orders.order(), []
    done = analyses.run(orders.inst, job_id, "run-1", lambda percent, stage: told.append((percent, stage)))
    row = orders.row(job_id)
    assert done is not None
    assert (done.is_complete, row.status, row.progress_percent, row.stage, row.headline) == (True, "complete", 100, None, "One anomaly.")
    found = analytics.anomalies(orders.inst.lake, orders.actor.factory_id, NOW - DAY, NOW)
    assert (found.height, set(found["job_id"])) == (len(orders.devices), {job_id})
    assert row.files is not None
    assert [file["name"] for file in row.files] == ["anomalies.parquet", "extra.parquet", "timeline.svg", "result.json"]
    store, folder = ObjectStore(orders.inst.settings), f"factories/{orders.actor.factory_id}/analytics/{job_id}"
    assert row.result_url == f"{folder}/result.json"
    result = json.loads(store.read(row.result_url))
    assert (result["headline"], result["unknown"], result["device_ids"]) == ("One anomaly.", None, orders.devices)
    assert pl.read_parquet(io.BytesIO(store.read(f"{folder}/anomalies.parquet"))).height == len(orders.devices)
    assert [percent for percent, _ in told] == sorted(percent for percent, _ in told)
    assert told[0][0] <= 1
    assert orders.run(job_id) is None


def test_the_same_range_analysed_again_replaces_what_was_found(orders: Orders) -> None:
    first, second = orders.order(), orders.order()
    orders.run(first)
    orders.run(second)
    found = analytics.anomalies(orders.inst.lake, orders.actor.factory_id, NOW - DAY, NOW)
    assert set(found["job_id"]) == {second}


def test_too_little_data_fails_in_the_analysis_s_own_words(orders: Orders) -> None:
    def says(*_: object) -> None:
        raise NotEnoughDataError("only 3 hours of data; needs 48")

    imagined.meanwhile.append(says)
    job_id = orders.order()
    done = orders.run(job_id)
    assert done is not None
    assert done.is_complete is False
    assert (orders.row(job_id).status, orders.row(job_id).error_message) == ("failed", "only 3 hours of data; needs 48")


def test_an_error_of_the_program_tells_people_its_kind_only_and_is_raised(orders: Orders) -> None:
    imagined.meanwhile.append(lambda *_: {}["secret"])
    job_id = orders.order()
    with pytest.raises(KeyError):
        orders.run(job_id)
    assert orders.row(job_id).error_message == "an unexpected error stopped it (KeyError); the log says more"


def test_memory_that_does_not_suffice_is_said_with_what_to_do(orders: Orders) -> None:
    def fills(*_: object) -> None:
        raise MemoryError

    imagined.meanwhile.append(fills)
    job_id = orders.order()
    orders.run(job_id)
    assert "fewer machines" in str(orders.row(job_id).error_message)


def test_a_running_analysis_is_cancelled_at_its_next_step_and_leaves_nothing(orders: Orders) -> None:
    job_id = orders.order()
    imagined.meanwhile.append(lambda *_: cancel_job(orders.inst.db, orders.inst.clock, orders.actor, job_id, "Lan") and None)
    done = orders.run(job_id)
    assert done is not None
    assert (done.is_complete, orders.row(job_id).status, orders.row(job_id).error_message) == (False, "failed", "cancelled by Lan")
    assert analytics.anomalies(orders.inst.lake, orders.actor.factory_id, NOW - DAY, NOW).is_empty()
    assert orders.row(job_id).result_url is None


def test_an_analysis_without_a_word_still_gives_signs_of_life(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyses, "BEAT_EVERY_S", 0.01)
    seen: list[object] = []

    def silent(inputs: analyses.Inputs, _tell: object) -> None:
        orders.plants.clock.advance(timedelta(minutes=1))
        wanted = orders.plants.clock.now()
        for _ in range(500):
            if orders.row(inputs.job_id).heartbeat_at == wanted:
                seen.append(wanted)
                return

    imagined.meanwhile.append(silent)
    orders.run(orders.order())
    assert seen


def test_in_the_mode_of_the_copilot_any_analysis_gets_its_findings_too(orders: Orders) -> None:
    job_id = orders.order(mode="ai_copilot")
    done = orders.run(job_id)
    assert done is not None
    assert done.is_complete, done.message
    result = json.loads(ObjectStore(orders.inst.settings).read(str(orders.row(job_id).result_url)))
    assert (result["headline"], bool(result["copilot"]["findings"])) == ("One anomaly.", True)


def test_dagster_makes_it_and_shows_it_as_an_asset_of_the_factory(orders: Orders) -> None:
    job_id = orders.order()
    with dg.DagsterInstance.ephemeral() as instance:
        config = ANALYSIS.run_config(job_id)
        result = analysis_job.execute_in_process(run_config=config, resources={"installation": orders.inst}, instance=instance)
        event = instance.get_latest_materialization_event(dg.AssetKey(["ordered", "anomaly"]))
    assert result.success
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.partition == "north"
    assert event.asset_materialization.metadata["rows_anomalies"].value == len(orders.devices)
    assert orders.row(job_id).run_id == result.run_id


def test_the_backstop_starts_what_nobody_took_fails_what_is_lost_and_orders_what_is_due(orders: Orders) -> None:
    inst, clock = orders.inst, orders.plants.clock
    fresh, lost = orders.order(), orders.order()
    job_runs.claim(inst.db, inst.clock, lost, "dead")
    add_schedule(inst, orders.actor, NewSchedule("Mondays", "anomaly", "5 15 * * 1", 7))
    sensor = backstop(lambda: inst)
    with dg.DagsterInstance.ephemeral() as instance:
        early = sensor(dg.build_sensor_context(instance))
        clock.advance(timedelta(minutes=6))
        late = sensor(dg.build_sensor_context(instance))
    assert isinstance(early, dg.SensorResult)
    assert isinstance(late, dg.SensorResult)
    assert not early.run_requests
    asked = [request.run_config["ops"][ANALYSIS.op]["config"]["job_id"] for request in late.run_requests or []]
    assert asked == [fresh]
    assert orders.row(lost).error_message == job_runs.LOST
    ordered, _ = list_jobs(inst.db, orders.actor.factory_id, status="pending", job_type=None, limit=10)
    assert {job.schedule_id is not None for job in ordered} == {True, False}


def test_an_analysis_that_never_begins_is_given_up_with_where_to_look(orders: Orders) -> None:
    job_id = orders.order()
    orders.plants.clock.advance(timedelta(minutes=1))
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(MOST_RUNS):
            instance.add_run(dg.DagsterRun(job_name="analysis", tags=ANALYSIS.tags(job_id), status=dg.DagsterRunStatus.FAILURE))
        asked = backstop(lambda: orders.inst)(dg.build_sensor_context(instance))
    assert isinstance(asked, dg.SensorResult)
    assert not asked.run_requests
    assert orders.row(job_id).error_message == job_runs.NEVER_BEGAN


def test_a_schedule_orders_each_occurrence_once_and_after_a_downtime_only_the_newest(orders: Orders) -> None:
    inst, clock = orders.inst, orders.plants.clock
    row = add_schedule(inst, orders.actor, NewSchedule("Every hour", "ai_copilot", "0 * * * *", 7, orders.devices[:1]))
    assert order_due(inst) == ([], [])
    clock.advance(timedelta(hours=5, minutes=1))
    (job_id,), _ = order_due(inst)
    assert order_due(inst) == ([], [])
    job = orders.row(job_id)
    assert (job.job_type, job.device_ids, job.schedule_id) == ("ai_copilot", orders.devices[:1], row.id)
    assert job.date_range_end - job.date_range_start == 7 * DAY
    switch_schedule(inst, orders.actor, row.id, is_active=False)
    clock.advance(timedelta(hours=5))
    assert order_due(inst) == ([], [])
    remove_schedule(inst, orders.actor, row.id)
    assert schedules(inst, orders.actor.factory_id) == []


def test_a_schedule_that_makes_no_sense_is_refused(orders: Orders) -> None:
    for wrong in (
        ("x", "nothing", "0 * * * *", 7),
        ("x", "anomaly", "every day", 7),
        ("x", "anomaly", "0 * * * *", 0),
        (" ", "anomaly", "0 * * * *", 7),
    ):
        with pytest.raises(InvalidInputError):
            add_schedule(orders.inst, orders.actor, NewSchedule(*wrong))
    foreign = list(orders.plants.south.devices.values())
    with pytest.raises(NotFoundError):
        add_schedule(orders.inst, orders.actor, NewSchedule("x", "anomaly", "0 * * * *", 7, foreign))


def test_a_run_is_asked_for_by_the_name_of_its_job_with_one_id() -> None:
    for work in (ANALYSIS, REPORT):
        params = launch_variables(work, "some-id")["params"]
        assert params["selector"]["jobName"] == work.job
        assert params["runConfigData"] == {"ops": {work.op: {"config": {work.key: "some-id"}}}}
        assert {"key": f"factoryops/{work.job}", "value": "some-id"} in params["executionMetadata"]["tags"]


@pytest.mark.slow
def test_models_are_not_loaded_before_they_are_needed() -> None:
    heavy = ("sklearn", "prophet", "openai", "papermill", "matplotlib")
    code = f"import sys, assets.analyses, assets.reports, api.app; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
