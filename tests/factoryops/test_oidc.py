"""Signing in through an identity provider that runs on this machine."""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from factoryops.guard import COOKIE, SessionCache, SessionGuard
from factoryops.oidc_pages import MEMORY, OidcPages
from factoryops.sign_in_page import SignInPage
from tests.fixtures.people import Person, add_person
from warehouse.access.limits import RateLimit
from warehouse.clock import SystemClock
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.people import User
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session

HOST = "http://plant.example"


class Provider:
    """A small OpenID Connect provider. `says` is what it signs beyond the rest; it checks client, code and PKCE."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
        self.signs_with: RSAKey | None = self.key
        """None: its public key as a shared secret."""
        self.says: dict[str, Any] = {"email_verified": True}
        self.asked: dict[str, str] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, provider.keys() if self.path == "/keys" else provider.discovery())

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                found = provider.token({k: v[0] for k, v in form.items()}, self.headers["authorization"] or "")
                self._answer(200 if "id_token" in found else 400, found)

            def _answer(self, status: int, body: dict[str, Any]) -> None:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def discovery(self) -> dict[str, Any]:
        ends = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        return {"issuer": self.issuer, **{name: self.issuer + path for name, path in ends.items()}}

    def keys(self) -> dict[str, Any]:
        return dict(KeySet([self.key]).as_dict(private=False))

    def authorize(self, url: str, email: str) -> str:
        """What the person's browser does at the provider; gives the address it is sent back to."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.says["email"] = email
        return f"{urlsplit(self.asked['redirect_uri']).path}?code=the-code&state={self.asked['state']}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        client = base64.b64encode(b"factoryops:the-secret").decode()
        if challenge != self.asked["code_challenge"] or form["code"] != "the-code" or authorization != f"Basic {client}":
            return {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "factoryops", "sub": "u1", "iat": now, "exp": now + 60, "nonce": self.asked["nonce"]}
        said = {**claims, **self.says}
        token = (
            jwt.encode({"alg": "RS256", "kid": "one"}, said, self.signs_with) if self.signs_with else signed_with_public_key(self.key, said)
        )
        return {"access_token": "x", "token_type": "Bearer", "id_token": token}

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.says, running.signs_with = {"email_verified": True}, running.key
    return running


async def _behind(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"behind the wall: {request.scope['state']['identity'].email}")


class Browser:
    """A browser before our sign-in page."""

    def __init__(self, installation: Installation, person: Person, provider: Provider) -> None:
        self.person, self.provider, self.installation = person, provider, installation
        sessions, limit = SessionCache(installation), RateLimit(0)
        routes = [
            *SignInPage(installation, sessions, limit).routes(),
            *OidcPages(installation, limit).routes(),
            Route("/{path:path}", _behind),
        ]
        app = Starlette(routes=routes, middleware=[Middleware(SessionGuard, sessions=sessions)])
        self.client = TestClient(app, base_url=HOST, follow_redirects=False)

    def leave(self) -> str:
        form = {"factory": str(self.person.factory_id), "next": "/machines"}
        answer = self.client.post("/session/oidc/start", data=form, headers={"origin": HOST})
        assert answer.status_code == 200, answer.text
        found = re.search(r'content="0;url=([^"]+)"', answer.text)
        assert found
        return found[1].replace("&amp;", "&")

    def sign_in(self, email: str | None = None) -> httpx.Response:
        return self.client.get(self.provider.authorize(self.leave(), email or self.person.email))


@pytest.fixture
def browser(settings: Settings, sqlite_database: Database, password_hash: str, provider: Provider) -> Iterator[Browser]:
    with_provider = settings.model_copy(update={
        "app_url": HOST, "oidc_issuer": provider.issuer, "oidc_client_id": "factoryops",
        "oidc_client_secret": type(settings.jwt_secret_key)("the-secret"), "oidc_label": "<Plant>",
    })  # fmt: skip
    installation = Installation(with_provider, sqlite_database, Lake(with_provider), SystemClock())
    yield Browser(installation, add_person(sqlite_database, password_hash, "north"), provider)
    installation.lake.close()


def test_whoever_the_provider_vouches_for_is_let_in_to_where_they_wanted_to_go(browser: Browser) -> None:
    answer = browser.sign_in(browser.person.email.upper())
    assert (answer.status_code, answer.headers["location"]) == (303, "/machines")
    assert browser.client.get("/machines").text == f"behind the wall: {browser.person.email}"
    assert browser.provider.asked["code_challenge_method"] == "S256"


def test_the_sign_in_page_offers_the_provider(browser: Browser) -> None:
    assert "Sign in with &lt;Plant&gt;" in browser.client.get("/session/login").text


def refused(browser: Browser, answer: httpx.Response) -> None:
    assert answer.status_code == 401, answer.text
    assert COOKIE not in browser.client.cookies


def test_who_has_no_account_here_is_not_let_in(browser: Browser) -> None:
    refused(browser, browser.sign_in("stranger@north.example"))


def test_who_was_deactivated_is_not_let_in(browser: Browser) -> None:
    with tenant_session(browser.installation.db, browser.person.factory_id) as session:
        session.get_one(User, browser.person.user_id).is_active = False
    refused(browser, browser.sign_in())


@pytest.mark.parametrize(
    "says",
    [
        {"email_verified": False},
        {"aud": "another client"},
        {"iss": "https://evil.example"},
        {"nonce": "another"},
        {"exp": 1},
    ],
    ids=lambda says: next(iter(says)),
)
def test_what_is_not_for_us_or_not_of_now_opens_nothing(browser: Browser, says: dict[str, Any]) -> None:
    browser.provider.says = {"email_verified": True, **says}
    refused(browser, browser.sign_in())


def signed_with_public_key(key: RSAKey, claims: dict[str, Any]) -> str:
    """A token signed with the public key as if it were a shared secret: the oldest attack on such tokens. No library makes one."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "one"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mark = hmac.digest(key.as_pem(private=False), text, "sha256")
    return (text + b"." + base64.urlsafe_b64encode(mark).rstrip(b"=")).decode()


def test_another_key_or_a_shared_secret_as_key_opens_nothing(browser: Browser) -> None:
    browser.provider.signs_with = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    refused(browser, browser.sign_in())
    browser.provider.signs_with = None
    refused(browser, browser.sign_in())


def test_an_answer_that_this_browser_did_not_ask_for_opens_nothing(browser: Browser) -> None:
    back = browser.provider.authorize(browser.leave(), browser.person.email)
    refused(browser, browser.client.get(re.sub("state=.*", "state=another", back)))
    browser.client.cookies.delete(MEMORY)
    refused(browser, browser.client.get(back))


def test_a_start_from_another_site_is_refused(browser: Browser) -> None:
    assert browser.client.post("/session/oidc/start", data={}, headers={"origin": "http://evil.example"}).status_code == 403
