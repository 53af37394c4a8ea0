"""The page Analytics: results of every kind as people read them, started, followed, cancelled and asked about."""

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from assets.analytics.copilot import make_insights
from assets.analytics.schedules import schedules
from dashboards import cache
from dashboards.analytics_parts import findings, job_line, left
from dashboards.fmt import Local
from tests.dashboards.conftest import Pages, words
from tests.fixtures.two_plants import NOW, TwoPlants
from warehouse import job_runs
from warehouse.access.audit import Actor
from warehouse.analysis_tables import replace_job, replace_window
from warehouse.jobs import NewJob, list_jobs, order_job
from warehouse.models.people import User
from warehouse.models.work import AnalyticsJob
from warehouse.objects import ObjectStore
from warehouse.tenancy import tenant_session

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def press(app: AppTest, label: str) -> str:
    next(button for button in app.button if button.label == label).click().run()
    return words(app)


def ordered(plants: TwoPlants, kind: str = "anomaly") -> AnalyticsJob:
    inst, who = plants.installation, plants.north.person
    new = NewJob(kind, "standard", sorted(plants.north.devices.values()), NOW - 7 * DAY, NOW)
    return order_job(inst.db, inst.clock, Actor(who.factory_id, who.user_id), new)


def fill(plants: TwoPlants) -> None:
    """What the nights and a job would have left."""
    inst, factory_id = plants.installation, plants.north.person.factory_id
    one, two, _ = sorted(plants.north.devices.values())
    why = json.dumps([{"parameter": "vibration", "share": 0.8, "measured": 7.2, "expected": 3.1, "unit": "mm/s"}])
    odd = {
        "device_id": two,
        "started_at": NOW - 5 * HOUR,
        "ended_at": NOW - 3 * HOUR,
        "score": 4.2,
        "contributions": why,
        "sentence": "Shook.",
    }
    replace_window(inst.lake, factory_id, "anomalies", [two], (NOW - DAY, NOW), pl.DataFrame([odd]))
    minutes = [NOW - DAY + n * timedelta(minutes=30) for n in range(48)]
    replace_window(
        inst.lake, factory_id, "anomaly_scores", [two], (NOW - DAY, NOW), pl.DataFrame({"device_id": two, "ts": minutes, "score": 0.5})
    )
    reasons = json.dumps([{"parameter": "vibration", "share": 0.4, "sentence": "Vibration rises."}])
    risk = {"ts": NOW - HOUR, "remaining_life_h": 90.0, "remaining_life_low_h": 40.0, "remaining_life_high_h": 200.0, "reasons": reasons}
    rows = [
        risk | {"device_id": d, "horizon_h": h, "probability": p}
        for d, h, p in ((one, 24.0, 0.02), (one, 168.0, 0.1), (two, 24.0, 0.3), (two, 168.0, 0.72))
    ]
    replace_job(inst.lake, factory_id, "failure_risks", "j", pl.DataFrame(rows))
    ahead = [
        {"device_id": None, "made_at": NOW, "ts": NOW + n * HOUR, "interval_s": 3600.0, "kwh": 2.0, "kwh_low_80": 1.5, "kwh_high_80": 2.5,
         "kwh_low_95": 1.0, "kwh_high_95": 3.0, "cost": 0.4, "model": "ridge"}
        for n in range(48)
    ]  # fmt: skip
    replace_job(inst.lake, factory_id, "energy_forecasts", "j", pl.DataFrame(ahead, schema_overrides={"device_id": pl.Int32}))


def test_what_was_found_is_shown_with_what_proves_it(pages: Pages) -> None:
    plants = pages.plants
    fill(plants)
    make_insights(plants.installation, plants.north.person.factory_id, DAY)
    said = words(pages.open(plants.north, "analytics"))
    for part in (
        "NOR-01 needs attention",
        'href="/machine?device=NOR-01"',
        "4.20 × limit",
        "72.0<u>%</u>",
        "96.0<u>kWh</u>",
        "72.0 to 120 kWh",
    ):
        assert part in said, part
    odd = words(pages.open(plants.north, "analytics", tab="anomalies"))
    assert "Shook." in odd
    assert "7.20 mm/s <small>instead of 3.10" in odd
    risky = words(pages.open(plants.north, "analytics", tab="failures"))
    assert risky.index("NOR-02") < risky.index("NOR-01")
    for part in ("within 7 days", "Vibration rises.", "<b>3 d</b>", "1 d 16 h to 8 d"):
        assert part in risky, part
    assert "measured and expected" in words(pages.open(plants.north, "analytics", tab="energy"))


def test_where_nothing_was_found_every_part_says_how_it_comes(pages: Pages) -> None:
    wanted = {
        "": "Nothing was explained yet", "anomalies": "No anomalies in this time", "failures": "No failure was predicted yet",
        "energy": "No forecast of the factory yet", "jobs": "No analysis was ordered yet", "models": "No model was learned yet",
    }  # fmt: skip
    for tab, part in wanted.items():
        assert part in words(pages.open(pages.plants.north, "analytics", tab=tab)), tab


def test_an_analysis_is_started_followed_cancelled_and_deleted(pages: Pages) -> None:
    plants, inst = pages.plants, pages.plants.installation
    app = pages.open(plants.north, "analytics", tab="jobs", kind="energy_forecast")
    app.slider[0].set_value(3)
    press(app, "Start the analysis")
    (job,), _ = list_jobs(inst.db, plants.north.person.factory_id, status=None, job_type=None, limit=5)
    assert (job.job_type, job.parameters, len(job.device_ids), job.status) == ("energy_forecast", {"horizon_days": 3}, 3, "pending")
    job_runs.claim(inst.db, inst.clock, job.id, "run")
    job_runs.beat(inst.db, inst.clock, job_row(plants, job.id), 40, "trying models")
    cache.forget(job.factory_id)
    app = pages.open(plants.north, "analytics", tab="jobs")
    assert "40 %, trying models" in words(app)
    assert "being cancelled" in press(app, "Cancel")
    job_runs.fail(inst.db, inst.clock, job_row(plants, job.id), "x")
    cache.forget(job.factory_id)
    app = pages.open(plants.north, "analytics", tab="jobs")
    assert "cancelled by Chief of North" in words(app)
    assert "No analysis was ordered yet" in press(app, "Delete")


def job_row(plants: TwoPlants, job_id: str) -> AnalyticsJob:
    with tenant_session(plants.installation.db, plants.north.person.factory_id) as session:
        return session.scalars(select(AnalyticsJob).where(AnalyticsJob.id == job_id)).one()


def test_a_result_is_read_in_sentences_drawings_and_files(pages: Pages) -> None:
    plants, inst = pages.plants, pages.plants.installation
    job = job_runs.claim(inst.db, inst.clock, ordered(plants).id, "run")
    assert job is not None
    ObjectStore(inst.settings).write("x/result.json", b'{"headline": "One.", "findings": ["<b>Hot</b> at noon."]}')
    files = [{"name": "score-NOR-01.svg", "size_bytes": 1, "sha256": ""}, {"name": "anomalies.parquet", "size_bytes": 1, "sha256": ""}]
    job_runs.complete(inst.db, inst.clock, job, "x/result.json", "One.", files)
    said = words(pages.open(plants.north, "analytics", tab="jobs", job=job.id))
    for part in ("One.", "&lt;b&gt;Hot&lt;/b&gt; at noon.", f"/api/v1/analytics/jobs/{job.id}/files/score-NOR-01.svg", "anomalies.parquet"):
        assert part in said, part


def test_a_schedule_is_made_paused_and_deleted(pages: Pages) -> None:
    plants, inst = pages.plants, pages.plants.installation
    app = pages.open(plants.north, "analytics", tab="jobs")
    app.selectbox(key="schedule-kind").set_value("failure_prediction").run()
    press(app, "Add the schedule")
    (row,) = schedules(inst, plants.north.person.factory_id)
    assert (row.job_type, row.cron, row.days, row.device_ids) == ("failure_prediction", "0 5 * * 1", 7, [])
    assert "paused" in press(app, "Pause")


def test_who_may_not_start_analyses_reads_them_and_learns_whom_to_ask(pages: Pages) -> None:
    plants = pages.plants
    ordered(plants)
    with tenant_session(plants.installation.db, plants.north.person.factory_id, write=True) as session:
        session.get_one(User, plants.north.person.user_id).permissions = {}
    app = pages.open(plants.north, "analytics", tab="jobs")
    assert "You need the permission" not in words(app)
    assert "you need the permission “run analytics”" in words(app)
    assert {button.label for button in app.button} & {"Cancel", "Start the analysis", "Add the schedule"} == set()
    assert "you need the permission" in words(pages.open(plants.north, "analytics"))


def test_a_question_is_answered_with_links(pages: Pages) -> None:
    app = pages.open(pages.plants.north, "analytics")
    app.text_input(key="asked").set_value("Which machine needs attention <b>first</b>?")
    said = press(app, "Ask")
    assert "NOR-01 needs attention" in said
    assert "No language model is set up" in said
    assert "&lt;b&gt;first&lt;/b&gt;" in said


def test_stored_findings_link_to_our_own_pages_only_and_are_escaped() -> None:
    links = [
        {"words": "<i>x</i>", "path": "/machine?device=A"},
        {"words": "evil", "path": "//evil.example"},
        {"words": "js", "path": "javascript:1"},
    ]
    said = findings([{"kind": "changed", "sentence": "<script>", "facts": {"a_b": 3.0}, "links": links}])
    assert "&lt;script&gt;" in said
    assert "&lt;i&gt;x&lt;/i&gt;" in said
    assert "evil" not in said
    assert "javascript" not in said
    assert "<dt>a b</dt><dd>3.00</dd>" in said


def test_a_job_tells_its_state_in_words() -> None:
    common: dict[str, Any] = {
        "id": "x",
        "factory_id": 1,
        "job_type": "anomaly",
        "device_ids": [1],
        "date_range_start": NOW - DAY,
        "date_range_end": NOW,
    }
    local = Local.at(NOW, "UTC")
    failed = AnalyticsJob(**common, status="failed", error_message="only 3 hours; needs <48>", created_at=NOW, progress_percent=0)
    assert "only 3 hours; needs &lt;48&gt;" in job_line(failed, local)
    assert "waits" in job_line(AnalyticsJob(**common, status="pending", created_at=NOW, progress_percent=0), local)
    assert left({"remaining_life_h": None, "remaining_life_low_h": None, "remaining_life_high_h": None}) == "—"
