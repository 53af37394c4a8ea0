"""Analyses through the API: cancelled, their files, results of the lake, schedules, questions."""

import json
from datetime import timedelta

import polars as pl
import pytest

from tests.api.asking import Asking
from tests.fixtures.two_plants import NOW, TwoPlants
from warehouse import job_runs
from warehouse.analysis_tables import replace_job, replace_window
from warehouse.objects import ObjectStore

JOB = {"job_type": "anomaly", "date_range_start": "2026-01-01T00:00:00Z", "date_range_end": "2026-01-05T00:00:00Z"}
HOUR = timedelta(hours=1)


@pytest.fixture
def north(two_plants: TwoPlants) -> Asking:
    return Asking(two_plants, two_plants.north)


def ordered(north: Asking) -> str:
    begun = north.ask("POST", "/analytics/jobs", 201, **JOB, device_ids=[north.plant.devices["NOR-01"]], parameters={"horizon_days": 3})
    return str(begun["data"]["job_id"])


def test_an_analysis_is_cancelled_by_name_and_only_once(north: Asking) -> None:
    job_id = ordered(north)
    found = north.ask("POST", f"/analytics/jobs/{job_id}/cancel")["data"]
    assert (found["status"], found["error_message"], found["parameters"]) == ("failed", "cancelled by Chief of North", {"horizon_days": 3})
    north.ask("POST", f"/analytics/jobs/{job_id}/cancel", 409)
    Asking(north.plants, north.plants.south).ask("POST", f"/analytics/jobs/{job_id}/cancel", 404)


def test_files_of_a_result_are_given_one_by_one_and_run_nothing(north: Asking) -> None:
    inst, job_id = north.plants.installation, ordered(north)
    job = job_runs.claim(inst.db, inst.clock, job_id, "run")
    assert job is not None
    ObjectStore(inst.settings).write("a/b/score-NOR-01.svg", b"<svg><script>1</script></svg>")
    ObjectStore(inst.settings).write("a/b/secret.json", b"{}")
    files = [{"name": "score-NOR-01.svg", "size_bytes": 29, "sha256": "0" * 64}]
    job_runs.complete(inst.db, inst.clock, job, "a/b/result.json", "One anomaly.", files)
    found = north.ask("GET", f"/analytics/jobs/{job_id}")["data"]
    assert (found["headline"], [file["name"] for file in found["files"]]) == ("One anomaly.", ["score-NOR-01.svg"])
    answer = north.client.get(found["files"][0]["url"])
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    north.ask("GET", f"/analytics/jobs/{job_id}/files/secret.json", 404)
    north.ask("GET", f"/analytics/jobs/{job_id}/files/..%2Fx.json", 404)
    assert Asking(north.plants, north.plants.south).client.get(found["files"][0]["url"]).status_code == 404


def test_what_analyses_found_is_given_within_the_factory(north: Asking) -> None:
    inst, factory_id, device_id = north.plants.installation, north.plant.person.factory_id, north.plant.devices["NOR-01"]
    why = json.dumps([{"parameter": "vibration", "share": 1.0}])
    odd = {
        "device_id": device_id,
        "started_at": NOW - 2 * HOUR,
        "ended_at": NOW - HOUR,
        "score": 4.0,
        "contributions": why,
        "sentence": "Shook.",
    }
    replace_window(inst.lake, factory_id, "anomalies", [device_id], (NOW - 3 * HOUR, NOW), pl.DataFrame([odd]))
    risk = {"device_id": device_id, "ts": NOW, "horizon_h": 24.0, "probability": 0.25, "reasons": "[]"}
    replace_job(inst.lake, factory_id, "failure_risks", "j", pl.DataFrame([risk]))
    ahead = {"device_id": device_id, "made_at": NOW, "ts": NOW, "interval_s": 3600.0, "kwh": 2.0, "model": "ridge"}
    replace_job(inst.lake, factory_id, "energy_forecasts", "j", pl.DataFrame([ahead]))
    (anomaly,) = north.ask("GET", "/analytics/anomalies")["data"]
    assert (anomaly["sentence"], anomaly["contributions"], anomaly["started_at"]) == ("Shook.", json.loads(why), "2026-01-05T06:00:00Z")
    assert north.ask("GET", "/analytics/anomalies", device_id=north.plant.devices["NOR-02"])["data"] == []
    (found,) = north.ask("GET", "/analytics/failure-risks", device_id=device_id)["data"]
    assert (found["probability"], found["reasons"]) == (0.25, [])
    (expected,) = north.ask("GET", "/analytics/energy-forecast", device_id=device_id)["data"]
    assert (expected["kwh"], expected["kwh_low_80"]) == (2.0, None)
    assert north.ask("GET", "/analytics/energy-forecast")["data"] == []
    south = Asking(north.plants, north.plants.south)
    for path in ("anomalies", "failure-risks", "energy-forecast"):
        assert south.ask("GET", f"/analytics/{path}")["data"] == []
        south.ask("GET", f"/analytics/{path}", 404, device_id=device_id)
    north.ask("GET", "/analytics/anomalies", 422, start=NOW.isoformat(), end=(NOW - HOUR).isoformat())


def test_a_schedule_is_made_paused_and_deleted(north: Asking) -> None:
    made = north.ask("POST", "/analytics/schedules", 201, name="Mondays", job_type="anomaly", cron="0 5 * * 1", days=7)
    assert (made["is_active"], made["next_due_at"]) == (True, "2026-01-11T22:00:00Z")
    path = f"/analytics/schedules/{made['id']}"
    assert north.ask("PATCH", path, is_active=False)["is_active"] is False
    assert [row["id"] for row in north.ask("GET", "/analytics/schedules")] == [made["id"]]
    north.ask("POST", "/analytics/schedules", 422, name="x", job_type="anomaly", cron="never", days=7)
    Asking(north.plants, north.plants.south).ask("GET", path, 404)
    north.ask("DELETE", path, 204)
    north.ask("GET", path, 404)


def test_a_question_is_answered_with_its_sources(north: Asking) -> None:
    found = north.ask("POST", "/analytics/ask", question="Which machine should I look at first?")["data"]
    assert found["sentences"][0]["text"].startswith("NOR-01 needs attention")
    assert found["sentences"][0]["sources"] == [found["sources"][0]["id"]]
    assert found["sources"][0]["path"] == "/machine?device=NOR-01"
    north.ask("POST", "/analytics/ask", 422, question="")
    Asking(north.plants, north.plants.south, permissions={}).ask("POST", "/analytics/ask", 403, question="x")
