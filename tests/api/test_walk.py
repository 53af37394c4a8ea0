"""Every route as everybody who should not get through: the expected answers come from one table (`route_table.py`).

A line says who may ask (`LEVELS`). The walk then asks each route as a stranger and with worthless credentials (401), without the right
(403), and, for each id in its path, as somebody of another factory (404, the same words as for what never was).
"""

import base64
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient

from api.app import create_app
from assets.analytics.schedules import NewSchedule
from assets.analytics.schedules import add_schedule as add_analysis_schedule
from assets.reporting.parameters import ScheduleOrder
from assets.reporting.schedules import add_schedule
from tests.alert_work import add_alert_work
from tests.api.route_table import BODIES, EXPECTED, LEVELS, NEVER_WAS, QUERIES
from tests.fixtures.two_plants import Plant, TwoPlants, make_two_plants
from warehouse import reports
from warehouse.access import api_keys
from warehouse.access.audit import Actor
from warehouse.access.keys import signing_key
from warehouse.access.sessions import Identity, check_session, revoke_session
from warehouse.access.tokens import make_access_token
from warehouse.clock import ManualClock, SystemClock
from warehouse.models.alerting import Rule
from warehouse.models.devices import DeviceParameter
from warehouse.models.people import PERMISSIONS, User
from warehouse.models.streams import DeadLetter
from warehouse.models.work import AnalyticsJob
from warehouse.tenancy import system_session, tenant_session

pytestmark = pytest.mark.slow


class Walk:
    """Two factories with one of everything, the API, and credentials."""

    def __init__(self, plants: TwoPlants) -> None:
        self.plants, self.inst = plants, plants.installation
        self.app: FastAPI = create_app(self.inst)
        self.client = TestClient(self.app)
        self.ids = {plant.prefix: self._things_of(plant) for plant in (plants.north, plants.south)}

    def _things_of(self, plant: Plant) -> dict[str, str]:
        """One of everything that has an id in a path."""
        inst, who = self.inst, plant.person
        now = inst.clock.now()
        asked = reports.NewReport(now - timedelta(days=1), now, ["json"], title="x")
        report = reports.order(inst.db, inst.clock, who.factory_id, who.user_id, asked)
        identity = self.identity(plant)
        key = api_keys.create(inst.db, inst.clock, identity, "walk", ["read"], now + timedelta(days=1))
        with system_session(inst.db, "set up a test", write=True) as session:
            job_id = f"{who.factory_id:08d}-0000-4000-8000-000000000000"
            common = {"created_by": who.user_id, "date_range_start": now - timedelta(days=1), "date_range_end": now}
            session.add(AnalyticsJob(id=job_id, factory_id=who.factory_id, job_type="anomaly", device_ids=[], **common))
            letter = DeadLetter(
                factory_id=who.factory_id, reason="payload", detail="x", topic="x", payload=b"x", payload_size=1, received_at=now
            )
            session.add(letter)
            session.flush()
            device_id = plant.devices[plant.hot]
            rule = session.query(Rule).where(Rule.factory_id == who.factory_id).first()
            parameter = session.query(DeviceParameter).where(DeviceParameter.device_id == device_id).first()
            found = {
                "device_id": device_id, "alert_id": plant.alerts[0], "report_id": report.id, "kind": "json", "job_id": job_id,
                "letter_id": letter.id, "rule_id": rule.id, "parameter_id": parameter.id, "key_id": key.row.id, "user_id": who.user_id,
                "session_id": identity.session_id,
            }  # fmt: skip
        return {
            name: str(value)
            for name, value in {**found, **add_alert_work(self.plants, plant), "schedule_id": self._schedule_of(plant)}.items()
        } | {"analysis_schedule_id": self._analysis_schedule_of(plant), "file_name": "result.json"}

    def _schedule_of(self, plant: Plant) -> int:
        asked = ScheduleOrder(name="x", recipients=("boss@x.example",), cron="0 6 * * 1")
        return add_schedule(self.inst, plant.person.factory_id, plant.person.user_id, asked).id

    def _analysis_schedule_of(self, plant: Plant) -> str:
        asked = NewSchedule("x", "anomaly", "0 6 * * 1", 7)
        return add_analysis_schedule(self.inst, Actor(plant.person.factory_id, plant.person.user_id), asked).id

    def identity(self, plant: Plant) -> Identity:
        found = check_session(self.inst.db, self.inst.settings, self.inst.clock, self.plants.token(plant))
        assert found is not None
        return found

    def change(self, plant: Plant, **columns: Any) -> None:
        with tenant_session(self.inst.db, plant.person.factory_id, write=True) as session:
            row = session.get_one(User, plant.person.user_id)
            for name, value in columns.items():
                setattr(row, name, value)

    def token(self, plant: Plant) -> str:
        return make_access_token(self.identity(plant), signing_key(self.inst.settings), self.inst.clock.now())

    def ask(self, route: str, ids: dict[str, str], token: str | None) -> tuple[int, str]:
        """Status and words of the answer to a route with these ids in its path."""
        method, path = route.split()
        filled = re.sub(r"\{(\w+)\}", lambda match: ids[match[1]], path)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = self.client.request(
            method, f"/v1{filled}", json=BODIES.get(route), params=QUERIES.get(route), headers=headers, follow_redirects=False
        )
        words = answer.json()["detail"] if answer.status_code >= 400 else ""
        return answer.status_code, str(words)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Any, password_hash: str) -> Iterator[Walk]:
    home = tmp_path_factory.mktemp("walk") / "home"
    # Tokens are signed with real time, so the clock shows it, and then stands still.
    plants = make_two_plants(home, sqlite_template, password_hash, ManualClock(SystemClock().now()))
    made = Walk(plants)
    # Kept open: thousands of requests share one event loop instead of making one each.
    with made.client:
        yield made
    plants.installation.close()


def declared_routes(app: FastAPI) -> dict[str, str]:
    """Each route with the level that its dependencies declare."""
    found = {}
    for route in iter_route_contexts(app.routes):
        if getattr(route, "dependant", None) is None:
            continue
        level = _level(_names(route.dependant))
        for method in route.methods:
            found[f"{method} {route.path.removeprefix('/v1')}"] = level
    return found


def _names(dependant: Any) -> set[str]:
    return {getattr(one.call, "__name__", "") for one in dependant.dependencies}.union(*map(_names, dependant.dependencies))


def _level(names: set[str]) -> str:
    permissions = sorted(name.removeprefix("needs_") for name in names if name.startswith("needs_"))
    if permissions:
        [only] = permissions
        return only
    by_dependency = {"super_admin": "super_admin", "person": "person", "worker": "work", "current_identity": "look"}
    return next((level for name, level in by_dependency.items() if name in names), "open")


def test_every_route_declares_what_the_table_says(walk: Walk) -> None:
    found = declared_routes(walk.app)
    assert {route: found[route] for route in sorted(found)} == {route: EXPECTED[route] for route in sorted(EXPECTED)}
    assert set(EXPECTED.values()) == set(LEVELS)


def test_no_route_hides_from_the_table(walk: Walk) -> None:
    documented = {f"{m.upper()} {path.removeprefix('/v1')}" for path, ms in walk.app.openapi()["paths"].items() for m in ms}
    assert documented == set(EXPECTED)


def test_every_kind_of_id_is_known(walk: Walk) -> None:
    kinds = {kind for route in EXPECTED for kind in re.findall(r"\{(\w+)\}", route)}
    assert kinds <= set(walk.ids["NOR"])


GUARDED = sorted(route for route, level in EXPECTED.items() if level != "open")


def worthless(walk: Walk) -> dict[str, str | None]:
    """Credentials that open nothing, each for another reason."""
    plants, inst = walk.plants, walk.inst
    key, now = signing_key(inst.settings), inst.clock.now()
    good = walk.token(plants.north)
    head, body, mark = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    other = {**claims, "factory_id": plants.south.person.factory_id}
    ended = walk.identity(plants.north)
    revoke_session(inst.db, inst.clock, ended.session_id)
    gone = walk.token(plants.empty)
    walk.change(plants.empty, is_active=False)
    flipped = "A" if mark[0] != "A" else "B"
    return {
        "nothing": None,
        "no token": "x",
        "expired": jwt.encode({**claims, "exp": int(now.timestamp()) - 1}, key, "HS256"),
        "tampered": f"{head}.{_part(other)}.{mark}",
        "signature changed": f"{head}.{body}.{flipped}{mark[1:]}",
        "alg=none": f"{_part({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        "another key": jwt.encode(claims, "another key of at least 32 characters", "HS256"),
        "revoked": make_access_token(ended, key, now),
        "deactivated": gone,
        "unknown API key": "fok_" + "x" * 43,
    }


def _part(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


def test_worthless_credentials_open_no_route(walk: Walk) -> None:
    wrong = []
    for kind, token in worthless(walk).items():
        for route in GUARDED:
            status, words = walk.ask(route, walk.ids["NOR"], token)
            if (status, words) != (401, "Sign in first."):
                wrong.append((kind, route, status, words))
    assert wrong == []


def test_without_the_right_every_route_that_needs_one_answers_403(walk: Walk) -> None:
    walk.change(walk.plants.north, role="viewer", permissions=dict.fromkeys(PERMISSIONS, True))
    viewer = walk.token(walk.plants.north)
    wrong = [(r, s) for r in GUARDED if EXPECTED[r] not in {"look", "person"} and (s := walk.ask(r, walk.ids["NOR"], viewer)[0]) != 403]
    walk.change(walk.plants.north, role="admin", permissions={})
    admin = walk.token(walk.plants.north)
    wrong += [
        (r, s) for r in GUARDED if EXPECTED[r] in {*PERMISSIONS, "super_admin"} and (s := walk.ask(r, walk.ids["NOR"], admin)[0]) != 403
    ]
    walk.change(walk.plants.north, permissions=dict.fromkeys(PERMISSIONS, True))
    key = api_keys.create(
        walk.inst.db, walk.inst.clock, walk.identity(walk.plants.north), "walk", api_keys.SCOPES, walk.inst.clock.now() + timedelta(hours=1)
    )
    beyond_keys = {"person", "super_admin"}
    wrong += [(r, s) for r in GUARDED if EXPECTED[r] in beyond_keys and (s := walk.ask(r, walk.ids["NOR"], key.secret)[0]) != 403]
    assert wrong == []


def test_what_another_factory_has_does_not_exist(walk: Walk) -> None:
    """As the most powerful person of the other factory, so that nothing but the border refuses."""
    walk.change(walk.plants.south, role="super_admin")
    token, wrong = walk.token(walk.plants.south), []
    own, foreign = walk.ids["SOU"], walk.ids["NOR"]
    for route in GUARDED:
        for kind in re.findall(r"\{(\w+)\}", route):
            if kind in {"kind", "file_name"}:
                continue
            never = walk.ask(route, {**own, kind: NEVER_WAS.get(kind, "999999")}, token)
            status, words = walk.ask(route, {**own, kind: foreign[kind]}, token)
            if status != 404 or (status, words) != never:
                wrong.append((route, kind, status, words, never))
    assert wrong == []


def test_one_s_own_ids_open_what_the_table_lets_look(walk: Walk) -> None:
    """Without this the walk could pass with ids that were nobody's."""
    walk.change(walk.plants.south, role="super_admin")
    token, closed = walk.token(walk.plants.south), {401, 403, 404, 422}
    not_there = {
        "GET /analytics/jobs/{job_id}/result",
        "GET /analytics/jobs/{job_id}/files/{file_name}",
        "GET /reports/{report_id}/files/{kind}",
        "GET /reports/{report_id}/download",
    }
    asked = [route for route in GUARDED if route.startswith("GET") and "{" in route and route not in not_there]
    wrong = [(route, status) for route in asked if (status := walk.ask(route, walk.ids["SOU"], token)[0]) in closed]
    assert wrong == []
    assert len(asked) > 10
