"""The wall round the pages, and the way through it. Streamlit is left out: whatever is behind the guard must not matter."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from factoryops import guard
from factoryops.account_pages import AccountPages
from factoryops.guard import COOKIE, SIGN_IN, SessionCache, SessionGuard, safe_next
from factoryops.sign_in_page import SignInPage
from tests.fixtures.people import PASSWORD, Person, add_person
from warehouse.access.limits import RateLimit
from warehouse.access.sessions import revoke_session, session_id_of
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.settings import Settings

PAGE = {"accept": "text/html"}


async def _behind(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"behind the wall: {request.scope['state']['identity'].email}")


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        return


class Wall:
    """The guarded application, a person who may pass, and a browser."""

    def __init__(self, installation: Installation, clock: ManualClock, person: Person) -> None:
        self.installation, self.clock, self.person = installation, clock, person
        self.sessions, self.limit = SessionCache(installation), RateLimit(0)
        routes = [
            *SignInPage(installation, self.sessions, self.limit).routes(),
            *AccountPages(installation, self.limit).routes(),
            Route("/{path:path}", _behind),
            WebSocketRoute("/_stcore/stream", _echo),
        ]
        app = Starlette(routes=routes, middleware=[Middleware(SessionGuard, sessions=self.sessions)])
        self.browser = TestClient(app, base_url="http://plant.example", follow_redirects=False)

    def sign_in(self, password: str = PASSWORD, **fields: str) -> httpx.Response:
        form = {"factory": str(self.person.factory_id), "email": self.person.email, "password": password, **fields}
        return self.browser.post(SIGN_IN, data=form, headers={"origin": "http://plant.example"})

    @property
    def token(self) -> str:
        return self.browser.cookies[COOKIE]


@pytest.fixture
def wall(settings: Settings, sqlite_database: Database, manual_clock: ManualClock, password_hash: str) -> Iterator[Wall]:
    person = add_person(sqlite_database, password_hash, "north")
    made = Wall(Installation(settings, sqlite_database, Lake(settings), manual_clock), manual_clock, person)
    with made.browser:
        yield made


def test_a_page_without_a_session_leads_to_sign_in_and_remembers_where_to_go(wall: Wall) -> None:
    answer = wall.browser.get("/machine?device=A%20B&x=1", headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/session/login?next=/machine%3Fdevice%3DA%2520B%26x%3D1"


@pytest.mark.parametrize(
    "path", ["/", "/machines", "/_stcore/host-config", "/_stcore/agent/mcp", "/media/x", "/app/static/x", "/session/alive"]
)
def test_nothing_behind_the_wall_answers_without_a_session(wall: Wall, path: str) -> None:
    assert wall.browser.get(path).status_code == 401
    assert "behind" not in wall.browser.get(path, headers=PAGE).text


@pytest.mark.parametrize("path", ["//machines", "/static/../machines", "/assets/../", "/SESSION/login", "/healthx", "/session/login/x"])
def test_a_path_that_only_looks_public_is_not(wall: Wall, path: str) -> None:
    # In the class of the client's own addresses: which httpx the test client uses depends on what is installed.
    url = type(wall.browser.base_url)("http://plant.example", raw_path=path.encode())
    answer = wall.browser.request("GET", url)
    assert "behind the wall: " not in answer.text


def test_the_right_password_opens_the_way_with_a_cookie_that_scripts_cannot_read(wall: Wall) -> None:
    answer = wall.sign_in(next="/machine?device=M1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/machine?device=M1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert wall.browser.get("/machines", headers=PAGE).text == f"behind the wall: {wall.person.email}"


def test_the_cookie_is_for_encrypted_connections_only_where_there_are_any(wall: Wall) -> None:
    form = {"factory": str(wall.person.factory_id), "email": wall.person.email, "password": PASSWORD}
    answer = wall.browser.post("https://plant.example/session/login", data=form, headers={"origin": "https://plant.example"})
    assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_password_is_refused_in_words_and_keeps_the_e_mail(wall: Wall) -> None:
    answer = wall.sign_in("wrong")
    assert answer.status_code == 401
    assert "is not right" in answer.text
    assert f'value="{wall.person.email}"' in answer.text
    assert "set-cookie" not in answer.headers


def test_with_several_factories_none_is_chosen_until_somebody_signed_in(wall: Wall, password_hash: str) -> None:
    chosen = f'value="{wall.person.factory_id}" selected'
    assert "Choose your factory" not in wall.browser.get(SIGN_IN).text
    add_person(wall.installation.db, password_hash, "another")
    first = wall.browser.get(SIGN_IN).text
    assert "Choose your factory" in first
    assert chosen not in first
    wall.sign_in()
    wall.browser.post("/session/logout", headers={"origin": "http://plant.example"})
    again = wall.browser.get(SIGN_IN).text
    assert "Choose your factory" not in again
    assert chosen in again


@pytest.mark.parametrize(
    "fields",
    [{"factory": "abc"}, {"factory": "99999999999999"}, {"factory": ""}, {"email": '"><script>'}, {"password": "x" * 5000}, {"email": ""}],
)
def test_nonsense_in_the_form_is_refused_like_a_wrong_password(wall: Wall, fields: dict[str, str]) -> None:
    answer = wall.sign_in(**{"password": "wrong", **fields})
    assert answer.status_code == 401
    assert "<script>" not in answer.text


def test_a_form_that_is_far_too_large_is_not_read(wall: Wall) -> None:
    assert wall.sign_in(email="x" * 50_000).status_code == 413
    pieces = (b"email=" if number == 0 else b"x" * 5_000 for number in range(10))
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": "http://plant.example"}
    assert wall.browser.post("/session/login", content=pieces, headers=headers).status_code == 413


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://plant.example.evil.example"])
def test_another_site_cannot_sign_somebody_in_or_out(wall: Wall, origin: str) -> None:
    form = {"factory": str(wall.person.factory_id), "email": wall.person.email, "password": PASSWORD}
    assert wall.browser.post(SIGN_IN, data=form, headers={"origin": origin}).status_code == 403
    wall.sign_in()
    assert wall.browser.post("/session/logout", headers={"origin": origin}).status_code == 403
    assert wall.browser.get("/machines").status_code == 200


@pytest.mark.parametrize(
    "next_",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\nSet-Cookie: x",
        "/session/logout",
        "",
        "x",
        "/\t/evil",
    ],
)
def test_signing_in_leads_nowhere_else(wall: Wall, next_: str) -> None:
    assert safe_next(next_) == "/"
    assert wall.sign_in(next=next_).headers["location"] == "/"


def test_somebody_who_is_signed_in_does_not_see_the_form_again(wall: Wall) -> None:
    wall.sign_in()
    assert wall.browser.get("/session/login?next=/alerts").headers["location"] == "/alerts"


def test_the_sign_in_page_loads_nothing_from_elsewhere_and_cannot_be_framed(wall: Wall) -> None:
    answer = wall.browser.get(SIGN_IN)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "://" not in answer.text
    assert "<option" in answer.text
    assert "Plant North" in answer.text


def test_signing_out_ends_the_session_for_the_secret_too(wall: Wall) -> None:
    wall.sign_in()
    token = wall.token
    answer = wall.browser.post("/session/logout", headers={"origin": "http://plant.example"})
    assert (answer.status_code, answer.headers["location"]) == (303, SIGN_IN)
    assert wall.browser.get("/machines").status_code == 401
    assert wall.browser.get("/machines", headers={"cookie": f"{COOKIE}={token}"}).status_code == 401


def test_an_expired_session_no_longer_opens_the_way(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CACHE_S", 0)
    wall.sign_in()
    wall.clock.advance(timedelta(hours=24, seconds=1))
    assert wall.browser.get("/machines").status_code == 401
    assert wall.browser.get("/session/state").status_code == 401


def test_asking_for_the_state_does_not_keep_a_session_awake_but_a_touch_does(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CACHE_S", 0)
    wall.sign_in()
    for _ in range(2):
        wall.clock.advance(timedelta(hours=7))
        assert wall.browser.get("/session/state").status_code == 204
        assert wall.browser.post("/session/alive", headers={"origin": "http://plant.example"}).status_code == 204
    wall.clock.advance(timedelta(hours=7))
    assert wall.browser.get("/session/state").status_code == 204
    wall.clock.advance(timedelta(hours=1, seconds=1))
    assert wall.browser.get("/session/state").status_code == 401


def test_a_websocket_without_a_session_is_refused(wall: Wall) -> None:
    with pytest.raises(WebSocketDisconnect), wall.browser.websocket_connect("/_stcore/stream"):
        pytest.fail("the handshake went through")


@pytest.mark.parametrize("cookie", ["", "x", f"{COOKIE}=", f"{COOKIE}=wrong", f"{COOKIE}={'x' * 4000}", f'{COOKIE}="; other=1', "=;;=\x01"])
def test_a_websocket_with_a_wrong_cookie_is_refused(wall: Wall, cookie: str) -> None:
    with pytest.raises(WebSocketDisconnect), wall.browser.websocket_connect("/_stcore/stream", headers={"cookie": cookie}):
        pytest.fail("the handshake went through")


def test_a_websocket_ends_with_its_session(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CACHE_S", 0)
    wall.sign_in()
    with wall.browser.websocket_connect("/_stcore/stream", headers={"cookie": f"{COOKIE}={wall.token}"}) as socket:
        socket.send_text("one")
        assert socket.receive_text() == "one"
        revoke_session(wall.installation.db, wall.clock, session_id_of(wall.token))
        socket.send_text("two")
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()


def test_a_session_is_asked_for_at_most_once_in_five_seconds(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = guard.check_session
    monkeypatch.setattr(guard, "check_session", lambda *a, **k: asked.append("asked") or real(*a, **k))
    wall.sign_in()
    for _ in range(20):
        assert wall.browser.get("/machines").status_code == 200
    assert asked == ["asked"]
    assert guard.CACHE_S <= 5
