"""Signing in and out over the API, second factor, keys, passwords by mail, limits, and the audit trail."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
import structlog
from starlette.testclient import TestClient

from api.app import create_app
from tests.fixtures.mail import SmtpServer
from tests.fixtures.people import PASSWORD
from tests.fixtures.two_plants import Plant, TwoPlants
from warehouse.access import totp
from warehouse.clock import SystemClock
from warehouse.models.people import User
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session

NEW = "four odd horses run"


class Caller:
    """A program that talks to the API; `settings` replace those of the installation."""

    def __init__(self, plants: TwoPlants, plant: Plant, **settings: Any) -> None:
        inst = plants.installation
        self.plants, self.plant = plants, plant
        self.inst = replace(inst, settings=inst.settings.model_copy(update=settings))
        self.client = TestClient(create_app(self.inst), client=("192.0.2.1", 5000))

    def __call__(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        answer = self.client.request(method, f"/v1{path}", json=body or None)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else answer

    def login(self, status: int = 200, password: str = PASSWORD) -> Any:
        who = self.plant.person
        found = self("POST", "/auth/login", status, factory_id=who.factory_id, email=who.email, password=password)
        if status == 200:
            self.use(found["access_token"])
        return found

    def use(self, token: str) -> None:
        self.client.headers["authorization"] = f"Bearer {token}"

    def change(self, **columns: Any) -> None:
        with tenant_session(self.inst.db, self.plant.person.factory_id) as session:
            row = session.get_one(User, self.plant.person.user_id)
            for name, value in columns.items():
                setattr(row, name, value)

    @property
    def later(self) -> str:
        return (self.inst.clock.now() + timedelta(days=1)).isoformat()


@pytest.fixture
def plants(two_plants: TwoPlants) -> TwoPlants:
    """Tokens are signed with real time, so the clock must show it."""
    two_plants.clock.set(SystemClock().now())
    return two_plants


@pytest.fixture
def call(plants: TwoPlants) -> Caller:
    return Caller(plants, plants.north)


def test_a_token_says_what_the_specification_names_and_its_session(call: Caller) -> None:
    claims = jwt.decode(call.login()["access_token"], options={"verify_signature": False})
    assert sorted(claims) == ["exp", "factory_id", "factory_slug", "iat", "role", "sid", "sub"]
    assert (claims["sub"], claims["factory_id"]) == (str(call.plant.person.user_id), call.plant.person.factory_id)
    assert call("GET", "/auth/me")["email"] == call.plant.person.email


def test_a_refreshed_token_lives_longer_for_the_same_session(call: Caller) -> None:
    call.plants.clock.advance(timedelta(minutes=-10))
    call.login()
    call.plants.clock.advance(timedelta(minutes=10))
    newer = call("POST", "/auth/refresh")
    assert sorted(newer) == ["access_token", "expires_in", "token_type"]
    assert newer["expires_in"] == 86400
    call.use(newer["access_token"])
    call("GET", "/auth/me")


def test_signing_out_ends_the_token(call: Caller) -> None:
    call.login()
    call("POST", "/auth/logout", 204)
    call("GET", "/auth/me", 401)


def test_with_a_second_factor_signing_in_takes_two_steps(call: Caller) -> None:
    call.login()
    call("POST", "/second-factor", 422, password="wrong")
    secret = call("POST", "/second-factor", 201, password=PASSWORD)["secret"]
    code = totp.code_at(secret, totp.step_of(call.inst.clock.now()))
    spare = call("POST", "/second-factor/confirm", code=code)["recovery_codes"]
    assert call("GET", "/second-factor") == {"is_on": True, "recovery_codes_left": 10}
    asked = call.login(202)
    assert sorted(asked) == ["expires_in", "ticket"]
    call("POST", "/auth/second-factor", 401, ticket=asked["ticket"], code=code)
    call.use(call("POST", "/auth/second-factor", ticket=asked["ticket"], code=spare[0])["access_token"])
    call("POST", "/second-factor/off", 422, code=spare[1])
    call("POST", "/second-factor/off", 422, password="wrong", code=spare[1])
    call("POST", "/second-factor/off", 204, password=PASSWORD, code=spare[1])
    call.login()


def test_sessions_are_listed_and_ended(call: Caller) -> None:
    first = call.login()["access_token"]
    call.login()
    found = call("GET", "/sessions")["data"]
    assert sorted(s["is_current"] for s in found) == [False, True]
    assert {s["address"] for s in found} == {"192.0.2.1"}
    [other] = [s["id"] for s in found if not s["is_current"]]
    call("DELETE", f"/sessions/{other}", 204)
    call.use(first)
    call("GET", "/auth/me", 401)


def test_a_key_opens_what_its_scopes_say_and_nothing_of_the_account(call: Caller) -> None:
    call.login()
    made = call("POST", "/api-keys", 201, name="ERP", scopes=["read"], expires_at=call.later)
    call.use(made["key"])
    assert call("GET", "/devices")["total"] == 3
    assert call("GET", "/auth/me")["api_key_id"] == made["id"]
    call("PATCH", f"/alerts/{call.plant.alerts[0]}/resolve", 403)
    call("PUT", "/notification-preferences", 403)
    for method, path in (("GET", "/sessions"), ("POST", "/api-keys"), ("POST", "/auth/password"), ("POST", "/auth/refresh")):
        call(method, path, 403)
    call.login()
    working = call("POST", "/api-keys", 201, name="MES", scopes=["work"], expires_at=call.later)
    listed = call("GET", "/api-keys")["data"]
    assert [(k["name"], k["scopes"]) for k in listed] == [("MES", ["work"]), ("ERP", ["read"])]
    assert not any("key" in k for k in listed)
    call("DELETE", f"/api-keys/{made['id']}", 204)
    call.use(made["key"])
    call("GET", "/devices", 401)
    call.use(working["key"])
    call("PATCH", f"/alerts/{call.plant.alerts[0]}/resolve")


def test_changing_the_password(call: Caller) -> None:
    call.login()
    call("POST", "/auth/password", 422, old_password=PASSWORD, new_password="short")
    call("POST", "/auth/password", 204, old_password=PASSWORD, new_password=NEW)
    call("GET", "/auth/me")
    call.login(401)
    call.login(password=NEW)


def test_a_new_password_comes_by_mail_and_only_to_who_has_an_account(plants: TwoPlants, smtp_server: SmtpServer) -> None:
    mail = {"smtp_host": smtp_server.host, "smtp_port": smtp_server.port, "app_url": "https://plant.example"}
    call = Caller(plants, plants.north, **mail)
    who = call.plant.person
    for email in ("nobody@north.example", who.email):
        assert call("POST", "/auth/password-reset", 202, factory_id=who.factory_id, email=email) is None
    [got] = smtp_server.mails
    assert got.recipients == [who.email]
    found = re.search(r"https://plant\.example/session/new-password#(\S+)", got.message.get_body().get_content())
    assert found
    call("POST", "/auth/password-reset/confirm", 204, token=found[1], new_password=NEW)
    call.login(password=NEW)
    call("POST", "/auth/password-reset/confirm", 410, token=found[1], new_password=NEW)


def test_an_address_may_ask_a_hundred_times_a_minute(plants: TwoPlants) -> None:
    assert Settings().api_requests_per_minute == 100
    call = Caller(plants, plants.north, api_requests_per_minute=2)
    for _ in range(2):
        call("GET", "/nothing-here", 404)
    answer = call.client.get("/v1/nothing-here")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert (answer.headers["content-type"], answer.json()["status"]) == ("application/problem+json", 429)
    elsewhere = TestClient(call.client.app, client=("192.0.2.2", 5000))
    assert elsewhere.get("/v1/nothing-here").status_code == 404


def test_signing_in_is_limited_more_strictly(plants: TwoPlants) -> None:
    call = Caller(plants, plants.north, sign_in_requests_per_minute=3)
    for _ in range(3):
        call("POST", "/auth/login", 422)
    answer = call.client.post("/v1/auth/login", json={})
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    call("GET", "/factories")


def test_a_body_that_is_too_large_is_refused_announced_or_not(call: Caller) -> None:
    def in_pieces() -> Iterator[bytes]:
        yield b'{"email": "'
        for _ in range(20):
            yield b"x" * 100_000

    assert call.client.post("/v1/auth/login", content=b"x" * 1_100_000).status_code == 413
    answer = call.client.post("/v1/auth/login", content=in_pieces(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["status"]) == (413, 413)


def test_a_refusal_repeats_no_secret(call: Caller) -> None:
    answer = call.client.post("/v1/auth/login", json={"password": "quiet river home", "factory_id": "x"})
    assert answer.status_code == 422
    assert "quiet river" not in answer.text


def test_every_log_line_of_a_request_names_request_person_and_factory(call: Caller) -> None:
    call.login()
    call.inst.lake.close()
    (call.inst.settings.home / "lake").rename(call.inst.settings.home / "lake-away")
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        call.client.get("/v1/dashboard/summary", headers={"X-Request-ID": "r-1"})
    [line] = [line for line in lines if line["event"] == "api_try_again"]
    who = call.plant.person
    assert (line["request_id"], line["user_id"], line["factory_id"]) == ("r-1", who.user_id, who.factory_id)


def test_the_audit_trail_is_read_by_who_manages_people(call: Caller) -> None:
    call.login()
    call("GET", "/audit", 403)
    call.change(permissions={"manage_users": True})
    page = call("GET", "/audit")
    newest = page["data"][0]
    assert (newest["action"], newest["user_email"], newest["address"]) == ("session.open", call.plant.person.email, "192.0.2.1")
    checked = call("GET", "/audit/verify")
    assert (checked["is_whole"], checked["events"]) == (True, page["total"])
    table = call.client.get("/v1/audit/export", params={"format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.text.splitlines()) == page["total"] + 1
    assert "south" not in call.client.get("/v1/audit/export").text.lower()
