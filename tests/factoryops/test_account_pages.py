"""The plain pages round the sign-in: second factor, invitation, forgotten password, limits, and the headers of all pages."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from factoryops.account_pages import AccountPages
from factoryops.guard import COOKIE, SIGN_IN, SessionCache, SessionGuard
from factoryops.headers import SecurityHeaders
from factoryops.sign_in_page import SignInPage
from tests.fixtures.mail import SmtpServer
from tests.fixtures.people import PASSWORD, Person, add_person
from warehouse.access import people, second_factor, totp
from warehouse.access.limits import RateLimit
from warehouse.access.sessions import Identity
from warehouse.access.sign_in import sign_in
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.people import User
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session

NEW = "four odd horses run"
HOST = "http://plant.example"


async def _behind(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"behind the wall: {request.scope['state']['identity'].email}")


class Gate:
    """The pages before the wall, and a browser."""

    def __init__(self, installation: Installation, person: Person, per_minute: int = 0, **settings: Any) -> None:
        self.inst = replace(installation, settings=installation.settings.model_copy(update=settings))
        self.person, limit, sessions = person, RateLimit(per_minute), SessionCache(self.inst)
        routes = [
            *SignInPage(self.inst, sessions, limit).routes(),
            *AccountPages(self.inst, limit).routes(),
            Route("/{path:path}", _behind),
        ]
        wall = [Middleware(SecurityHeaders, app_url=self.inst.settings.app_url), Middleware(SessionGuard, sessions=sessions)]
        self.browser = TestClient(Starlette(routes=routes, middleware=wall), base_url=HOST, follow_redirects=False)

    def post(self, path: str, **form: str) -> httpx.Response:
        return self.browser.post(path, data=form, headers={"origin": HOST})

    def sign_in(self, password: str = PASSWORD) -> httpx.Response:
        return self.post(SIGN_IN, factory=str(self.person.factory_id), email=self.person.email, password=password, next="/machines")

    def who(self) -> Identity:
        asked = {"factory_id": self.person.factory_id, "email": self.person.email, "password": PASSWORD}
        return sign_in(self.inst.db, self.inst.settings, self.inst.clock, **asked).identity


@pytest.fixture
def installation(settings: Settings, sqlite_database: Database, manual_clock: ManualClock) -> Iterator[Installation]:
    made = Installation(settings, sqlite_database, Lake(settings), manual_clock)
    yield made
    made.lake.close()


@pytest.fixture
def north(installation: Installation, password_hash: str) -> Person:
    return add_person(installation.db, password_hash, "north")


@pytest.fixture
def gate(installation: Installation, north: Person) -> Gate:
    return Gate(installation, north)


def test_a_person_with_a_second_factor_is_asked_for_a_code_before_the_way_opens(gate: Gate, manual_clock: ManualClock) -> None:
    inst, who = gate.inst, gate.who()
    secret = second_factor.begin(inst.db, inst.settings, inst.clock, who, PASSWORD).secret
    second_factor.confirm(inst.db, inst.settings, inst.clock, who, totp.code_at(secret, totp.step_of(manual_clock.now())))
    manual_clock.advance(timedelta(minutes=1))
    asked = gate.sign_in()
    assert asked.status_code == 200
    assert "set-cookie" not in asked.headers
    ticket = re.search(r'name="ticket" value="([^"]+)"', asked.text)
    assert ticket
    wrong = gate.post("/session/code", ticket=ticket[1], code="000000", next="/machines")
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    code = totp.code_at(secret, totp.step_of(manual_clock.now()))
    answer = gate.post("/session/code", ticket=ticket[1], code=code, next="/machines")
    assert (answer.status_code, answer.headers["location"]) == (303, "/machines")
    assert gate.browser.get("/machines").text == f"behind the wall: {gate.person.email}"


def test_an_invitation_is_taken_up_with_a_name_and_a_password(gate: Gate) -> None:
    with tenant_session(gate.inst.db, gate.person.factory_id) as session:
        session.get_one(User, gate.person.user_id).role = "super_admin"
    wanted = people.Wanted("new@north.example")
    token = people.invite(gate.inst.db, gate.inst.settings, gate.inst.clock, gate.who(), wanted).token
    assert gate.browser.get("/session/invitation").status_code == 200
    weak = gate.post("/session/invitation", token=token, password="short", name="<b>Linh")
    assert weak.status_code == 422
    assert "&lt;b&gt;Linh" in weak.text
    assert f'value="{token}"' in weak.text
    answer = gate.post("/session/invitation", token=token, password=NEW, name="Linh")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert gate.browser.get("/machines").text == "behind the wall: new@north.example"
    assert gate.post("/session/invitation", token=token, password=NEW).status_code == 410


def test_a_forgotten_password_is_replaced_through_the_mail(installation: Installation, north: Person, smtp_server: SmtpServer) -> None:
    gate = Gate(installation, north, smtp_host=smtp_server.host, smtp_port=smtp_server.port, app_url=HOST)
    said = {gate.post("/session/forgotten", factory=str(north.factory_id), email=email).text for email in ("x@north.example", north.email)}
    assert len(said) == 1
    [mail] = smtp_server.mails
    link = re.search(rf"{HOST}(/session/new-password)#(\S+)", mail.message.get_body().get_content())
    assert link
    assert gate.browser.get(link[1]).status_code == 200
    assert gate.post(link[1], token=link[2], password="short").status_code == 422
    assert gate.post(link[1], token=link[2], password=NEW).status_code == 200
    assert gate.sign_in().status_code == 401
    assert gate.sign_in(NEW).status_code == 303
    assert gate.post(link[1], token=link[2], password=NEW).status_code == 410


FORMS = ["/session/login", "/session/code", "/session/invitation", "/session/forgotten", "/session/new-password"]


@pytest.mark.parametrize("path", FORMS)
def test_a_form_from_another_site_is_refused(gate: Gate, path: str) -> None:
    assert gate.browser.post(path, data={"token": "x"}, headers={"origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize("path", FORMS)
def test_too_many_forms_from_one_address_are_refused_for_a_while(installation: Installation, north: Person, path: str) -> None:
    gate = Gate(installation, north, per_minute=2)
    assert [gate.post(path, token="x", password=NEW).status_code == 429 for _ in range(2)] == [False, False]
    answer = gate.post(path, token="x", password=NEW)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 30


@pytest.mark.parametrize("path", [SIGN_IN, "/session/invitation", "/session/forgotten", "/session/new-password"])
def test_plain_pages_load_nothing_from_elsewhere_and_cannot_be_framed(gate: Gate, path: str) -> None:
    answer = gate.browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in re.search(r"script-src[^;]*", policy)[0]
    assert answer.headers["cache-control"] == "no-store"
    assert "://" not in answer.text


def test_every_answer_has_the_headers_that_keep_browsers_careful(gate: Gate) -> None:
    gate.sign_in()
    headers = gate.browser.get("/machines").headers
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "object-src 'none'" in headers["content-security-policy"]
    assert "strict-transport-security" not in headers


def test_where_there_is_tls_browsers_are_told_to_stay_with_it(installation: Installation, north: Person) -> None:
    gate = Gate(installation, north, app_url="https://plant.example")
    assert "max-age" in gate.browser.get(SIGN_IN).headers["strict-transport-security"]
    assert gate.browser.cookies.get(COOKIE) is None
