"""Machines changed, analyses ordered, readings exported, values and alerts as they come."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from api.live_events import Watch, stream
from tests.api.asking import Asking
from tests.fixtures.two_plants import NOW, TwoPlants
from warehouse.access.sessions import check_session
from warehouse.models.devices import LatestValue
from warehouse.models.people import User
from warehouse.models.work import AnalyticsJob
from warehouse.objects import ObjectStore
from warehouse.tenancy import tenant_session
from warehouse.usual_intervals import intervals_of, stale_after_s, usual_intervals_s

JOB = {"job_type": "anomaly", "mode": "standard", "date_range_start": "2026-01-01T00:00:00Z", "date_range_end": "2026-01-05T00:00:00Z"}
HOUR = {"start": (NOW - timedelta(hours=1)).isoformat(), "end": NOW.isoformat()}


@pytest.fixture
def north(two_plants: TwoPlants) -> Asking:
    return Asking(two_plants, two_plants.north)


@pytest.fixture
def looking(seen_plants: TwoPlants) -> Asking:
    return Asking(seen_plants, seen_plants.north)


def test_a_machine_is_changed_and_switched_off(north: Asking) -> None:
    path = f"/devices/{north.plant.devices['NOR-01']}"
    changed = north.ask("PATCH", path, name="CNC Mill - Station B (Updated)", region="Line 4")
    assert (changed["name"], changed["region"], changed["manufacturer"]) == ("CNC Mill - Station B (Updated)", "Line 4", "Tanabe")
    assert north.ask("DELETE", path) == {"message": "Device deactivated successfully"}
    assert north.ask("GET", path)["is_active"] is False
    assert north.ask("GET", "/devices", is_active=False)["total"] == 1
    assert north.ask("PATCH", path, is_active=True)["is_active"] is True
    south = north.plants.south
    for method in ("PATCH", "DELETE"):
        north.ask(method, f"/devices/{south.devices[south.hot]}", 404)


def test_a_factory_sets_its_shifts(north: Asking) -> None:
    assert [shift["name"] for shift in north.ask("GET", "/factory")["shifts"]] == ["early", "late", "night"]
    asked = [{"name": "day", "start_time": "07:30", "end_time": "19:30"}, {"name": "night", "start_time": "19:30", "end_time": "07:30"}]
    north.ask("PATCH", "/factory", 403, shifts=asked)
    with tenant_session(north.plants.installation.db, north.plant.person.factory_id, write=True) as session:
        session.get_one(User, north.plant.person.user_id).role = "super_admin"
    assert north.ask("PATCH", "/factory", shifts=asked)["shifts"] == asked
    assert north.ask("GET", "/factory")["shifts"] == asked
    assert Asking(north.plants, north.plants.south).ask("GET", "/factory")["shifts"] != asked, "another factory keeps its own"
    asked[0]["end_time"] = "20:00"
    assert "goes on when" in north.ask("PATCH", "/factory", 422, shifts=asked)["detail"]
    north.ask("PATCH", "/factory", shifts=None)
    assert len(north.ask("GET", "/factory")["shifts"]) == 3


def test_an_analysis_is_ordered_followed_and_deleted(north: Asking) -> None:
    devices = sorted(north.plant.devices.values())
    begun = north.ask("POST", "/analytics/jobs", 201, **JOB, device_ids=devices)
    assert sorted(begun["data"]) == ["job_id", "status"]
    job_id = begun["data"]["job_id"]
    found = north.ask("GET", f"/analytics/jobs/{job_id}")["data"]
    assert (found["status"], found["job_type"], found["mode"], found["device_ids"]) == ("pending", "anomaly", "standard", devices)
    assert found["result_url"] is found["started_at"] is found["completed_at"] is None
    assert north.ask("GET", "/analytics/jobs", status="pending", job_type="anomaly")["data"] == [found]
    assert north.ask("GET", "/analytics/jobs", status="complete")["total"] == 0
    north.ask("GET", f"/analytics/jobs/{job_id}/result", 404)
    north.ask("DELETE", f"/analytics/jobs/{job_id}", 204)
    north.ask("GET", f"/analytics/jobs/{job_id}", 404)


def test_a_complete_analysis_has_a_result_and_stays(north: Asking) -> None:
    inst = north.plants.installation
    job_id = north.ask("POST", "/analytics/jobs", 201, **JOB, device_ids=[north.plant.devices["NOR-01"]])["data"]["job_id"]
    ObjectStore(inst.settings).write("anomalies/x.json", b'{"anomalies": 3}')
    with tenant_session(inst.db, north.plant.person.factory_id, write=True) as session:
        row = session.get_one(AnalyticsJob, job_id)
        row.status, row.result_url = "complete", "anomalies/x.json"
    place = north.ask("GET", f"/analytics/jobs/{job_id}")["data"]["result_url"]
    assert north.client.get(place).json() == {"anomalies": 3}
    north.ask("DELETE", f"/analytics/jobs/{job_id}", 409)
    assert Asking(north.plants, north.plants.south).client.get(place).status_code == 404


def test_an_order_sent_again_with_its_key_starts_one_analysis(north: Asking) -> None:
    body = {**JOB, "device_ids": [north.plant.devices["NOR-01"]]}
    first = north.ask("POST", "/analytics/jobs", 201, key="order-1", **body)
    assert north.ask("POST", "/analytics/jobs", 201, key="order-1", **body) == first
    assert north.ask("GET", "/analytics/jobs")["total"] == 1
    north.ask("POST", "/analytics/jobs", 422, key="order-1", **{**body, "job_type": "ai_copilot"})
    north.ask("POST", "/analytics/jobs", 201, key="order-2", **body)
    assert north.ask("GET", "/analytics/jobs")["total"] == 2


def test_an_analysis_that_makes_no_sense_is_refused(looking: Asking) -> None:
    mine, south = looking.plant.devices["NOR-01"], looking.plants.south
    looking.ask("POST", "/analytics/jobs", 422, **JOB, device_ids=[])
    looking.ask("POST", "/analytics/jobs", 422, **{**JOB, "device_ids": [mine], "date_range_end": "2025-01-01T00:00:00Z"})
    looking.ask("POST", "/analytics/jobs", 404, **JOB, device_ids=[mine, south.devices[south.hot]])
    without = Asking(looking.plants, looking.plants.south, permissions={})
    without.ask("POST", "/analytics/jobs", 403, **JOB, device_ids=[south.devices[south.hot]])


def test_readings_are_exported_as_csv_and_parquet_alike(looking: Asking) -> None:
    query = {**HOUR, "device_id": [looking.plant.devices["NOR-01"]], "parameter": ["power", "vibration"]}
    text = looking.client.get("/v1/telemetry/export", params=query)
    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    lines = text.text.splitlines()
    assert lines[0] == "ts,device_id,device_key,parameter,value,text,received_at"
    assert lines[1].startswith("2026-01-05T07:00:00.000000Z,")
    assert ",NOR-01,power,1000.0,," in lines[1]
    file = looking.client.get("/v1/telemetry/export", params={**query, "format": "parquet"})
    found = pl.read_parquet(io.BytesIO(file.content))
    assert (found.height, len(lines) - 1, set(found["device_key"])) == (120, 120, {"NOR-01"})
    assert found["ts"].is_sorted()


def test_an_export_has_the_own_factory_only_and_a_bounded_range(looking: Asking) -> None:
    everything = looking.client.get("/v1/telemetry/export", params=HOUR).text
    assert len(everything.splitlines()) == 1 + 3 * 3 * 60
    assert "SOU" not in everything
    south = looking.plants.south
    looking.ask("GET", "/telemetry/export", 404, **HOUR, device_id=south.devices[south.hot])
    looking.ask("GET", "/telemetry/export", 422, start="2025-01-01T00:00:00Z", end="2026-01-01T00:00:00Z")
    looking.ask("GET", "/telemetry/export", 422, start=HOUR["end"], end=HOUR["start"])


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_a_stream_begins_with_how_everything_is(looking: Asking) -> None:
    answer = looking.client.get("/v1/events", params={"duration_s": 1})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    said = events_of(answer.text)
    assert {name for name, _ in said} == {"values"}
    assert {data["device_id"] for _, data in said} == set(looking.plant.devices.values())
    south = looking.plants.south
    looking.ask("GET", "/events", 404, duration_s=1, device_id=south.devices[south.hot])


def test_a_stream_tells_what_moves_once_and_what_happens_to_alerts(north: Asking) -> None:
    inst, factory_id = north.plants.installation, north.plant.person.factory_id
    who = check_session(inst.db, inst.settings, inst.clock, north.plants.token(north.plant))
    assert who is not None
    watch = Watch(inst, who, None, None, lambda: True)
    watch.look()
    assert watch.look() == []
    device_id = north.plant.devices["NOR-02"]
    with tenant_session(inst.db, factory_id, write=True) as session:
        row = session.get_one(LatestValue, (device_id, "power"))
        row.ts, row.received_at, row.value = NOW + timedelta(seconds=1), NOW + timedelta(seconds=1), 1234.0
    north.ask("POST", f"/alerts/{north.plant.alerts[0]}/comments", 201, comment="hose is loose")
    said = events_of("".join(watch.look()))
    assert said[0] == (
        "values",
        {"device_id": device_id, "values": [{"parameter_key": "power", "value": 1234.0, "timestamp": "2026-01-05T08:00:01Z"}]},
    )
    assert (said[1][0], said[1][1]["kind"], said[1][1]["alert_id"]) == ("alert", "commented", north.plant.alerts[0])
    assert watch.look() == []
    # Who comes back says how far they had come.
    assert [data["kind"] for name, data in events_of("".join(Watch(inst, who, None, 0, lambda: True).look())) if name == "alert"] == [
        "commented"
    ]


def test_a_stream_ends_with_the_sign_in(north: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.live_events.STILL_ALLOWED_EVERY_S", 0.0)
    inst = north.plants.installation
    who = check_session(inst.db, inst.settings, inst.clock, north.plants.token(north.plant))
    assert who is not None

    async def stays() -> bool:
        return False

    async def said(parts: AsyncIterator[str]) -> list[str]:
        return [part async for part in parts]

    assert asyncio.run(said(stream(Watch(inst, who, None, None, lambda: False), 60, stays))) == ["retry: 3000\n\n"]


def test_a_value_is_stale_after_five_minutes_or_three_usual_intervals(two_plants: TwoPlants) -> None:
    bucket = pl.datetime_range(NOW - timedelta(hours=5), NOW, "1h", closed="left", time_zone="UTC", eager=True)
    often = pl.DataFrame({"device_id": 1, "parameter": "power", "bucket": bucket, "count": [360, 360, 20, 360, 360]})
    seldom = pl.DataFrame({"device_id": 2, "parameter": "power", "bucket": bucket.gather([0, 2, 4]), "count": [1, 1, 1]})
    found = usual_intervals_s(pl.concat([often, seldom]))
    assert found == {1: 10.0, 2: 7200.0}
    assert [stale_after_s(found.get(device), 300) for device in (1, 2, 3)] == [300, 21600, 300]


def test_a_machine_that_sends_seldom_is_not_stale_at_once(north: Asking) -> None:
    inst, factory_id, device_id = north.plants.installation, north.plant.person.factory_id, north.plant.devices["NOR-01"]
    now = NOW + timedelta(minutes=10)
    north.plants.clock.set(now)
    assert {kpi["is_stale"] for kpi in north.ask("GET", f"/devices/{device_id}/kpis/live")["kpis"]} == {True}
    intervals_of(inst.lake)._known[factory_id] = (float("inf"), {device_id: 240.0})
    assert {kpi["is_stale"] for kpi in north.ask("GET", f"/devices/{device_id}/kpis/live")["kpis"]} == {False}
    intervals_of(inst.lake).ask(factory_id, NOW)
    assert intervals_of(inst.lake).of(factory_id, device_id, NOW) == 60.0
