"""Energy, states, effectiveness, maintenance and health by REST, against figures worked out by hand."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.dependencies import SESSION_COOKIE
from tests.fixtures.two_plants import NOW, TwoPlants, make_two_plants
from warehouse.clock import ManualClock
from warehouse.day_figures import record_availability, record_energy, record_oee
from warehouse.health_history import record_scores
from warehouse.queries.energy_use import Tariff
from warehouse.tariffs import set_tariff
from warehouse.upkeep import EventRow, save_events

pytestmark = pytest.mark.slow
RANGE = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-09T00:00:00Z"}


@pytest.fixture(scope="module")
def plants(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, password_hash: str) -> Iterator[TwoPlants]:
    made = make_two_plants(tmp_path_factory.mktemp("figures") / "home", sqlite_template, password_hash, ManualClock(NOW))
    yield made
    made.installation.close()


@pytest.fixture(scope="module")
def client(plants: TwoPlants) -> TestClient:
    """North, with an hour of 1 kW on three machines, a tariff, a recorded failure and figures of two days; all tests only look."""
    inst, north = plants.installation, plants.north
    factory_id, hot = north.person.factory_id, north.devices[north.hot]
    set_tariff(inst.db, factory_id, Tariff("EUR", 0.5, (), 0.4))
    failure = EventRow("F1", hot, "failure", NOW - timedelta(minutes=40), NOW - timedelta(minutes=30), reason="bearing")
    save_events(inst.db, factory_id, "cmms", [failure], NOW)
    for record in (record_energy, record_availability, record_oee):
        record(inst.db, inst.lake, NOW, 2)
    record_scores(inst.db, inst.lake, NOW, timedelta(minutes=5))
    made = TestClient(create_app(inst))
    made.cookies.set(SESSION_COOKIE, plants.token(north))
    return made


def data(client: TestClient, path: str, **query: object) -> Any:
    answer = client.get(f"/v1{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_figures_of_a_factory(client: TestClient, plants: TwoPlants) -> None:
    hot = plants.north.devices[plants.north.hot]
    energy = data(client, "/energy")
    today = next(period for period in energy["periods"] if period["period"] == "today")
    assert energy["currency"] == "EUR"
    assert today["factory"]["kwh"] > 0
    assert sum(device["kwh"] for device in today["devices"]) == pytest.approx(today["factory"]["kwh"])
    assert today["regions"][0]["region"] == "North hall"
    assert sum(band["cost"] for band in today["costs"]) == pytest.approx(today["factory"]["kwh"] * 0.5)
    days = data(client, "/energy/days", **RANGE)
    assert sum(day["kwh"] for day in days) == pytest.approx(today["factory"]["kwh"])
    (own,) = data(client, "/energy/days", device_id=hot, **RANGE)
    assert own["carbon_kg"] == pytest.approx(own["kwh"] * 0.4)
    availability = data(client, "/availability/days", device_id=hot, **RANGE)
    assert sum(day["fault_s"] for day in availability) >= 600
    assert data(client, "/oee/days", **RANGE) == []
    assert data(client, "/energy/indicators", **RANGE)["kwh_per_part"] is None
    assert [entry["score"] for entry in data(client, "/health/history", **RANGE)] != []
    assert {"at", "score", "deductions"} == set(data(client, "/health/history", device_id=hot, **RANGE)[0])


def test_states_and_recorded_failures_of_a_machine(client: TestClient, plants: TwoPlants) -> None:
    hot = plants.north.devices[plants.north.hot]
    spans = data(client, f"/devices/{hot}/states", start="2026-01-05T07:00:00Z", end="2026-01-05T08:00:00Z")
    assert (spans[0]["begin"], spans[-1]["end"]) == ("2026-01-05T07:00:00Z", "2026-01-05T08:00:00Z")
    assert "fault" in {span["state"] for span in spans}
    found = data(client, f"/devices/{hot}/maintenance-events", **RANGE)
    assert [(event["kind"], event["reason"]) for event in found["events"]] == [("failure", "bearing")]
    assert (found["reliability"][0]["failures"], found["reliability"][0]["mttr_s"]) == (1, 600)
    assert data(client, "/maintenance-events", **RANGE) == found


def test_a_range_must_be_one(client: TestClient) -> None:
    for path in ("/energy/days", "/availability/days", "/oee/days", "/maintenance-events", "/health/history", "/energy/indicators"):
        for start, end in (("2026-01-09T00:00:00Z", "2026-01-01T00:00:00Z"), ("2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z")):
            answer = client.get(f"/v1{path}", params={"start": start, "end": end})
            assert answer.status_code == 422, path
            assert "400 days" in answer.json()["detail"]
