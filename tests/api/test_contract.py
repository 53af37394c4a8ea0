"""The examples of the specification's section 5, word for word: what they send is taken, what they answer is answered.

An example's answer gives fields and their JSON types, in whatever depth; the product may answer more fields, never fewer. Ids in paths
and bodies are put in, since an example's machine 5 is somebody's machine.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from api.app import create_app
from assets.reporting.run import save
from tests.api.test_users import mailed_token
from tests.fixtures.people import PASSWORD
from tests.fixtures.two_plants import TwoPlants
from warehouse import reports
from warehouse.clock import SystemClock
from warehouse.models.devices import Device
from warehouse.models.people import User
from warehouse.models.work import AnalyticsJob
from warehouse.objects import ObjectStore
from warehouse.tenancy import system_session

pytestmark = pytest.mark.slow
TOKEN = '{"access_token": "eyJhbGciOiJIUzI1NiIs...", "token_type": "bearer", "expires_in": 86400'
USER = '"user": {"id": 42, "email": "engineer@vpc.com", "role": "admin", "permissions": {"create_rules": true, "run_analytics": true}}'
FACTORIES = '{"data": [{"id": 1, "name": "Vietnam Precision Components", "slug": "vpc"}]}'
DEVICE = """{"id": 5, "device_key": "M01", "name": "CNC Mill - Station A", "manufacturer": "Haas", "model": "VF-2", "region": "Line 3",
    "is_active": true, "last_seen": "2026-02-19T10:30:00Z", "created_at": "2026-01-15T08:00:00Z", "updated_at": "2026-02-19T10:30:00Z"}"""
DEVICES = (
    '{"data": ['
    + DEVICE[:-1]
    + ', "health_score": 95, "current_energy_kw": 7.5, "active_alert_count": 0}], "total": 47, "page": 1, "per_page": 20}'
)
NEW_DEVICE = '{"device_key": "M02", "name": "CNC Mill - Station B", "manufacturer": "Haas", "model": "VF-2", "region": "Line 3"}'
DEVICE_CHANGE = '{"name": "CNC Mill - Station B (Updated)", "region": "Line 4"}'
PARAMETER = """{"id": 15, "parameter_key": "voltage", "display_name": "Voltage", "unit": "V", "data_type": "float", "is_kpi_selected": true,
    "discovered_at": "2026-01-15T10:00:00Z", "updated_at": "2026-02-19T08:00:00Z"}"""
PARAMETER_CHANGE = '{"display_name": "Line Voltage", "unit": "Volts", "is_kpi_selected": true}'
LIVE = """{"device_id": 5, "timestamp": "2026-02-19T10:30:00Z", "kpis": [
    {"parameter_key": "voltage", "display_name": "Voltage", "unit": "V", "value": 231.4, "is_stale": false}]}"""
HISTORY = """{"parameter_key": "voltage", "display_name": "Voltage", "unit": "V", "interval": "5m", "points": [
    {"timestamp": "2026-02-19T10:00:00Z", "value": 231.2}]}"""
RULE = """{"name": "Spindle Overheat", "description": "Alert when spindle temperature is too high", "scope": "device", "device_ids": [5],
    "conditions": {"operator": "AND", "conditions": [{"parameter": "spindle_temp", "operator": "gt", "threshold": 80}]},
    "cooldown_minutes": 15, "severity": "critical", "schedule_type": "always",
    "notification_channels": {"email": true, "whatsapp": false}}"""
RULE_IN_LIST = '{"id": 1, "name": "x", "scope": "device", "conditions": {}, "severity": "critical", "is_active": true}'
ALERT = """{"id": 150, "rule_id": 10, "rule_name": "Spindle Overheat", "device_id": 5, "device_name": "CNC Mill - Station A",
    "triggered_at": "2026-02-19T14:30:00Z", "resolved_at": null, "severity": "critical", "message": "Spindle temperature exceeded 80°C",
    "telemetry_snapshot": {"spindle_temp": 82.5}}"""
RESOLVED = '{"id": 150, "resolved_at": "2026-02-19T15:00:00Z"}'
JOB = """{"job_type": "anomaly", "mode": "standard", "device_ids": [5, 6, 7], "date_range_start": "2026-02-01T00:00:00Z",
    "date_range_end": "2026-02-19T00:00:00Z"}"""
JOB_BEGUN = '{"data": {"job_id": "550e8400-e29b-41d4-a716-446655440000", "status": "pending"}}'
JOB_DONE = """{"data": {"job_id": "550e8400-e29b-41d4-a716-446655440000", "status": "complete", "job_type": "anomaly", "mode": "standard",
    "device_ids": [5, 6, 7], "result_url": "https://...", "created_at": "2026-02-19T10:00:00Z", "started_at": "2026-02-19T10:00:05Z",
    "completed_at": "2026-02-19T10:05:30Z"}}"""
REPORT = """{"title": "Weekly Equipment Report", "device_ids": [5, 6, 7], "date_range_start": "2026-02-12T00:00:00Z",
    "date_range_end": "2026-02-19T00:00:00Z", "format": "pdf", "include_analytics": true,
    "analytics_job_id": "550e8400-e29b-41d4-a716-446655440000"}"""
INVITATION = """{"email": "newengineer@vpc.com", "whatsapp_number": "+84901234567",
    "permissions": {"create_rules": true, "run_analytics": true, "generate_reports": false}}"""
SUMMARY = """{"data": {"total_devices": 47, "active_devices": 44, "offline_devices": 3, "current_energy_kw": 125.7,
    "energy_today_kwh": 1847, "active_alerts": 27, "critical_alerts": 2, "high_alerts": 5, "health_score": 78}}"""


def page_of(example: str) -> str:
    return '{"data": [' + example + '], "total": 27, "page": 1, "per_page": 20}'


def missing(example: Any, answer: Any, place: str = "$") -> Iterator[str]:
    """What the example has and the answer has not, or has as something else."""
    if example is None or (answer is None and place.endswith(("_seen", "unit", "manufacturer"))):
        return
    if isinstance(example, dict):
        if not isinstance(answer, dict):
            yield f"{place} is {answer!r}"
            return
        for name, value in example.items():
            if name not in answer:
                yield f"{place}.{name} is missing"
            else:
                yield from missing(value, answer[name], f"{place}.{name}")
    elif isinstance(example, list):
        if not isinstance(answer, list) or (example and not answer):
            yield f"{place} is {answer!r}"
        elif example:
            yield from missing(example[0], answer[0], f"{place}[0]")
    elif _kind(example) != _kind(answer):
        yield f"{place} is {answer!r}, not like {example!r}"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else type(value).__name__


class Reader:
    """Somebody who does what the specification says, as a super admin of North."""

    def __init__(self, plants: TwoPlants) -> None:
        plants.clock.set(SystemClock().now())  # type: ignore[attr-defined]  # a ManualClock
        self.plants, self.plant = plants, plants.north
        with system_session(plants.installation.db, "test", write=True) as session:
            session.get_one(User, self.plant.person.user_id).role = "super_admin"
            for device in session.scalars(select(Device)).all():
                device.last_seen = plants.clock.now()
        self.client = TestClient(create_app(plants.installation), follow_redirects=False)

    def __call__(self, method: str, path: str, body: str | None = None, answers: str = "", status: int = 200, **query: Any) -> Any:
        sent = json.loads(body) if body else None
        if sent and "device_ids" in sent:
            sent["device_ids"] = list(self.plant.devices.values())[: len(sent["device_ids"])]
        got = self.client.request(method, f"/v1{path}", json=sent, params=query)
        assert got.status_code == status, (method, path, got.text)
        if answers:
            assert list(missing(json.loads(answers), got.json())) == [], (method, path)
        return got.json() if got.content else None


@pytest.fixture
def ask(two_plants: TwoPlants) -> Reader:
    made = Reader(two_plants)
    who = two_plants.north.person
    sign_in = json.dumps({"factory_id": who.factory_id, "email": who.email, "password": PASSWORD})
    token = made("POST", "/auth/login", sign_in, f"{TOKEN}, {USER}}}")["access_token"]
    made.client.headers["authorization"] = f"Bearer {token}"
    return made


def test_5_1_authentication(ask: Reader) -> None:
    ask("GET", "/factories", answers=FACTORIES)
    ask("POST", "/auth/refresh", answers=TOKEN + "}")
    wrong = {"factory_id": 1, "email": "engineer@vpc.com", "password": "********"}
    ask("POST", "/auth/login", json.dumps(wrong), status=401)


def test_5_2_to_5_4_devices_parameters_and_kpis(ask: Reader) -> None:
    first = ask.plant.devices[ask.plant.hot]
    ask("GET", "/devices", answers=DEVICES, page=1, per_page=20, search=ask.plant.hot, is_active=True)
    ask("GET", f"/devices/{first}", answers=DEVICE)
    made = ask("POST", "/devices", NEW_DEVICE, DEVICE, 201)
    changed = ask("PATCH", f"/devices/{made['id']}", DEVICE_CHANGE, DEVICE)
    assert (changed["name"], changed["region"]) == ("CNC Mill - Station B (Updated)", "Line 4")
    assert ask("DELETE", f"/devices/{made['id']}") == {"message": "Device deactivated successfully"}
    parameters = ask("GET", f"/devices/{first}/parameters", answers='{"data": [' + PARAMETER + "]}")["data"]
    power = next(one["id"] for one in parameters if one["parameter_key"] == "vibration")
    assert ask("PATCH", f"/devices/{first}/parameters/{power}", PARAMETER_CHANGE, PARAMETER)["display_name"] == "Line Voltage"
    ask("GET", f"/devices/{first}/kpis/live", answers=LIVE)
    span = {"start": "2026-01-05T07:00:00Z", "end": "2026-01-05T08:00:00Z"}
    for interval in ("1m", "5m", "1h", "1d"):
        ask("GET", f"/devices/{first}/kpis/history", answers=HISTORY, parameter="power", interval=interval, **span)
    ask("GET", f"/devices/{first}/kpis/history", answers=HISTORY, parameter="power", **span)


def test_5_5_and_5_6_rules_and_alerts(ask: Reader) -> None:
    rule = ask("POST", "/rules", RULE, RULE, 201)
    for query in ({"device_id": rule["device_ids"][0]}, {"is_active": True}, {"scope": "device"}, {"page": 1, "per_page": 20}):
        found = ask("GET", "/rules", answers=page_of(RULE_IN_LIST), **query)["data"]
        assert rule["id"] in [one["id"] for one in found]
    ask("GET", f"/rules/{rule['id']}", answers=RULE)
    assert ask("PATCH", f"/rules/{rule['id']}", '{"severity": "high"}', RULE)["severity"] == "high"
    assert ask("PATCH", f"/rules/{rule['id']}/toggle", answers=RULE)["is_active"] is not rule["is_active"]
    ask("DELETE", f"/rules/{rule['id']}")
    active = ask.plant.alerts[0]
    span = {"start": "2026-01-05T07:00:00Z", "end": "2026-01-05T09:00:00Z"}
    for query in ({"device_id": ask.plant.devices[ask.plant.hot]}, {"severity": "critical"}, {"resolved": False}, {"resolved": True}, span):
        ask("GET", "/alerts", answers=page_of(ALERT), page=1, per_page=20, **query)
    ask("GET", f"/alerts/{active}", answers=ALERT)
    ask("PATCH", f"/alerts/{active}/resolve", answers=RESOLVED)


def test_5_7_and_5_8_analytics_and_reports(ask: Reader) -> None:
    inst = ask.plants.installation
    job_id = ask("POST", "/analytics/jobs", JOB, JOB_BEGUN, 201)["data"]["job_id"]
    ask("GET", "/analytics/jobs", status=200, job_type="anomaly", page=1, per_page=20)
    ObjectStore(inst.settings).write("anomalies/x.json", b"{}")
    with system_session(inst.db, "test", write=True) as session:
        row, now = session.get_one(AnalyticsJob, job_id), inst.clock.now()
        row.status, row.result_url, row.started_at, row.completed_at = "complete", "anomalies/x.json", now, now
    ask("GET", f"/analytics/jobs/{job_id}", answers=JOB_DONE)
    ask("DELETE", f"/analytics/jobs/{job_id}", status=409)
    for kind in ("failure_prediction", "energy_forecast", "ai_copilot"):
        other = ask("POST", "/analytics/jobs", JOB.replace("anomaly", kind), JOB_BEGUN, 201)["data"]["job_id"]
        ask("DELETE", f"/analytics/jobs/{other}", status=204)
    wanted = REPORT.replace("550e8400-e29b-41d4-a716-446655440000", job_id)
    for kind in ("pdf", "excel", "json"):
        made = ask("POST", "/reports", wanted.replace('"pdf"', f'"{kind}"'), wanted.replace('"include_analytics": true,', ""), 201)
    ask("GET", "/reports", answers=page_of('{"id": "x", "status": "pending", "title": "Weekly Equipment Report"}'))
    ask("GET", f"/reports/{made['id']}", answers='{"id": "x", "status": "pending"}')
    save(inst, reports.find(inst.db, ask.plant.person.factory_id, made["id"]), {"json": b"{}"}, "report.made", {},
         {"run": "RPT-X", "snapshot_id": 1, "data_sha256": "0" * 64})  # fmt: skip
    ask("GET", f"/reports/{made['id']}/download", status=302)
    ask("DELETE", f"/reports/{made['id']}", status=409)
    waiting = ask("POST", "/reports", wanted, status=201)["id"]
    ask("DELETE", f"/reports/{waiting}", status=204)


def test_5_9_users(ask: Reader) -> None:
    invited = ask("POST", "/users/invite", INVITATION, '{"id": 1, "email": "newengineer@vpc.com"}', 201)
    ask("GET", "/users", answers=page_of('{"id": 1, "email": "x", "role": "admin", "permissions": {"create_rules": true}}'))
    taken = json.dumps({"token": mailed_token(ask), "password": "correct horse battery staple"})  # type: ignore[arg-type]  # reads its plants
    ask("POST", "/users/accept-invite", taken, f"{TOKEN}, {USER}}}")
    ask(
        "PATCH",
        f"/users/{invited['id']}/permissions",
        '{"permissions": {"create_rules": false}}',
        '{"permissions": {"create_rules": false}}',
    )
    ask("DELETE", f"/users/{invited['id']}", answers='{"message": "User deactivated successfully"}')


def test_5_10_dashboard(ask: Reader) -> None:
    ask("GET", "/dashboard/summary", answers=SUMMARY)


def test_a_shape_that_differs_is_found() -> None:
    example = json.loads(ALERT)
    assert list(missing(example, {**example, "severity": 1})) == ["$.severity is 1, not like 'critical'"]
    assert list(missing({"data": [example]}, {"data": [{**example, "id": "x"}]})) == ["$.data[0].id is 'x', not like 150"]
    assert list(missing(example, {name: value for name, value in example.items() if name != "message"})) == ["$.message is missing"]
