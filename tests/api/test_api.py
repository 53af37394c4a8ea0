"""The endpoints that the specification names, with its shapes."""

import re
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.dependencies import SESSION_COOKIE
from tests.fixtures.people import PASSWORD
from tests.fixtures.two_plants import NOW, Plant, TwoPlants
from warehouse.access.sessions import check_session
from warehouse.access.tokens import make_access_token
from warehouse.clock import SystemClock
from warehouse.models.people import User
from warehouse.tenancy import tenant_session

MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


class Api:
    """The API as the person of one plant sees it."""

    def __init__(self, plants: TwoPlants, plant: Plant | None) -> None:
        self.plants, self.plant = plants, plant
        self.client = TestClient(create_app(plants.installation))
        if plant:
            self.client.cookies.set(SESSION_COOKIE, plants.token(plant))

    def get(self, path: str, status: int = 200, **query: object) -> dict:
        answer = self.client.get(f"/v1{path}", params=query)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def api(seen_plants: TwoPlants) -> Api:
    return Api(seen_plants, seen_plants.north)


@pytest.fixture
def changing(two_plants: TwoPlants) -> Api:
    return Api(two_plants, two_plants.north)


def test_anybody_may_list_factories(seen_plants: TwoPlants) -> None:
    found = Api(seen_plants, None).get("/factories")["data"]
    assert [sorted(f) for f in found] == [["id", "name", "slug"]] * 3


def test_everything_else_needs_a_session(seen_plants: TwoPlants) -> None:
    stranger = Api(seen_plants, None)
    for path in ("/devices", "/devices/1", "/devices/1/kpis/live", "/devices/1/kpis/history", "/alerts", "/alerts/1", "/dashboard/summary"):
        assert stranger.get(path, 401)["detail"] == "Sign in first."


def test_devices_are_paged_and_searched(api: Api) -> None:
    page = api.get("/devices", per_page=2)
    assert (page["total"], page["page"], page["per_page"], len(page["data"])) == (3, 1, 2, 2)
    first = page["data"][0]
    assert first["device_key"] == "NOR-01"
    assert (first["health_score"], first["current_energy_kw"], first["active_alert_count"]) == (60, 1.0, 1)
    assert MOMENT.match(first["last_seen"])
    assert [d["device_key"] for d in api.get("/devices", search="MILL 2")["data"]] == ["NOR-02"]
    assert api.get("/devices", is_active=False)["total"] == 0


def test_one_device_has_no_figures_of_its_own(api: Api) -> None:
    found = api.get(f"/devices/{api.plant.devices['NOR-01']}")
    assert "health_score" not in found
    assert found["device_key"] == "NOR-01"


def test_live_kpis_say_what_is_stale(api: Api) -> None:
    live = api.get(f"/devices/{api.plant.devices['NOR-01']}/kpis/live")
    assert {k["parameter_key"]: (k["value"], k["unit"], k["is_stale"]) for k in live["kpis"]}["spindle_temp"] == (85.0, "°C", False)
    silent = api.get(f"/devices/{api.plant.devices['NOR-03']}/kpis/live")
    assert all(k["is_stale"] for k in silent["kpis"])


def test_history_has_the_mean_of_each_interval(api: Api) -> None:
    path = f"/devices/{api.plant.devices['NOR-01']}/kpis/history"
    found = api.get(path, parameter="power", start=(NOW - timedelta(hours=1)).isoformat(), end=NOW.isoformat(), interval="5m")
    assert (found["interval"], found["unit"], len(found["points"])) == ("5m", "W", 12)
    assert found["points"][0] == {"timestamp": "2026-01-05T07:00:00Z", "value": 1000.0}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"parameter": "no_such"}, 404),
        ({"interval": "2m"}, 422),
        ({"start": "2026-01-05T09:00:00Z"}, 422),
        ({"start": "2026-01-05T07:00:00"}, 422),
        ({"end": "yesterday"}, 422),
    ],
)
def test_history_refuses_what_makes_no_sense(api: Api, query: dict[str, str], status: int) -> None:
    asked = {"parameter": "power", "start": "2026-01-05T07:00:00Z", "end": "2026-01-05T08:00:00Z", **query}
    api.get(f"/devices/{api.plant.devices['NOR-01']}/kpis/history", status, **asked)


def test_alerts_are_filtered(api: Api) -> None:
    active, resolved = api.plant.alerts
    assert [a["id"] for a in api.get("/alerts", resolved=False)["data"]] == [active]
    assert [a["id"] for a in api.get("/alerts", resolved=True)["data"]] == [resolved]
    assert api.get("/alerts")["total"] == 2
    assert api.get("/alerts", severity="low")["total"] == 0
    assert api.get("/alerts", severity="no", status=422)
    found = api.get(f"/alerts/{active}")
    assert (found["rule_name"], found["device_name"], found["resolved_at"]) == ("NOR overheat", "North mill 1", None)
    assert found["telemetry_snapshot"] == {"spindle_temp": 82.5}


def test_the_summary_adds_up(api: Api) -> None:
    found = api.get("/dashboard/summary")["data"]
    assert found == {
        "total_devices": 3,
        "active_devices": 2,
        "offline_devices": 1,
        "current_energy_kw": 2.0,
        "energy_today_kwh": 3.0,
        "active_alerts": 1,
        "critical_alerts": 1,
        "high_alerts": 0,
        "health_score": 94,
    }


def test_an_alert_is_resolved_once(changing: Api) -> None:
    changing.client.headers["origin"] = "http://testserver"
    path = f"/v1/alerts/{changing.plant.alerts[0]}/resolve"
    first = changing.client.patch(path, json={"comment": "refilled"})
    assert first.status_code == 200
    assert sorted(first.json()) == ["id", "resolved_at"]
    assert changing.client.patch(path).json() == first.json()


def test_a_change_with_a_cookie_must_come_from_our_pages(changing: Api) -> None:
    path = f"/v1/alerts/{changing.plant.alerts[0]}/resolve"
    assert changing.client.patch(path).status_code == 403
    assert changing.client.patch(path, headers={"origin": "http://evil.example"}).status_code == 403
    assert changing.get("/alerts", resolved=False)["total"] == 1


def test_a_viewer_changes_nothing(changing: Api) -> None:
    with tenant_session(changing.plants.installation.db, changing.plant.person.factory_id) as session:
        session.get_one(User, changing.plant.person.user_id).role = "viewer"
    path = f"/v1/alerts/{changing.plant.alerts[0]}/resolve"
    assert changing.client.patch(path, headers={"origin": "http://testserver"}).status_code == 403


@pytest.fixture
def now_plants(two_plants: TwoPlants) -> Iterator[TwoPlants]:
    """Tokens are signed with real time, so the clock must show it."""
    two_plants.clock.set(SystemClock().now())
    return two_plants


def login(plants: TwoPlants, password: str = PASSWORD) -> httpx.Response:
    who = plants.north.person
    body = {"factory_id": who.factory_id, "email": who.email, "password": password}
    return TestClient(create_app(plants.installation)).post("/v1/auth/login", json=body)


def test_signing_in_gives_a_token_that_opens_the_api(now_plants: TwoPlants) -> None:
    answer = login(now_plants)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", 86400)
    assert sorted(body["user"]) == ["email", "id", "permissions", "role"]
    client = TestClient(create_app(now_plants.installation), headers={"authorization": f"Bearer {body['access_token']}"})
    assert client.get("/v1/devices").json()["total"] == 3
    assert client.patch(f"/v1/alerts/{now_plants.north.alerts[0]}/resolve").status_code == 200


def test_a_wrong_password_gives_401(now_plants: TwoPlants) -> None:
    assert login(now_plants, "wrong").status_code == 401


def test_a_token_signed_with_another_key_opens_nothing(now_plants: TwoPlants) -> None:
    inst = now_plants.installation
    identity = check_session(inst.db, inst.settings, inst.clock, now_plants.token(now_plants.north))
    assert identity is not None
    forged = make_access_token(identity, "another key of at least 32 characters", inst.clock.now())
    client = TestClient(create_app(inst), headers={"authorization": f"Bearer {forged}"})
    assert client.get("/v1/devices").status_code == 401


def test_while_the_lake_is_away_history_says_try_again(changing: Api) -> None:
    inst = changing.plants.installation
    inst.lake.close()
    (inst.settings.home / "lake").rename(inst.settings.home / "lake-away")
    answer = changing.client.get("/v1/dashboard/summary")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert changing.get(f"/devices/{changing.plant.devices['NOR-01']}/kpis/live")["kpis"]
