"""EMQX's questions, as its documentation has them and as deploy/emqx/emqx.conf makes it ask, over a real HTTP connection."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.testclient import TestClient

from api.app import create_app
from api.routers.mqtt import AUTHENTICATION_FIELDS, AUTHORIZATION_FIELDS
from ingest.registration import register, revoke_key, rotate_key
from tests.fixtures.two_plants import TwoPlants
from tests.helpers import REPOSITORY, free_port, wait_until
from warehouse.access.audit import Actor
from warehouse.device_list import DeviceEntry
from warehouse.installation import Installation

SECRET = "what EMQX and we know"
CONFIGURATION = (REPOSITORY / "deploy" / "emqx" / "emqx.conf").read_text()


class Emqx:
    """Asks as EMQX does: it fills in the body of its configuration, and keeps what the answer says of the connection."""

    def __init__(self, inst: Installation, url: str) -> None:
        self.inst, self._url = inst, url
        self.client_attrs: dict[str, str] = {}

    def connect(self, username: str, password: str) -> bool:
        """CONNECT of an MQTT client."""
        answer = self._ask("authenticate", {"username": username, "password": password})
        assert answer["is_superuser"] is False
        self.client_attrs = answer["client_attrs"]
        return answer["result"] == "allow"

    def may(self, username: str, action: str, topic: str) -> bool:
        """PUBLISH or SUBSCRIBE of a client that is connected."""
        marks = {f"client_attrs.{name}": value for name, value in self.client_attrs.items()}
        return self._ask("authorize", {"username": username, "action": action, "topic": topic, **marks})["result"] == "allow"

    def _ask(self, what: str, known: dict[str, str]) -> dict:
        body = {name: re.sub(r"\$\{([\w.]+)\}", lambda hole: known.get(hole[1], ""), value) for name, value in body_of(what).items()}
        answer = httpx.post(
            f"{self._url}/v1/mqtt/{what}", content=json.dumps(body),
            headers={"content-type": "application/json", "authorization": f"Bearer {SECRET}"},
        )  # fmt: skip
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json()["result"] in ("allow", "deny")
        return answer.json()


def body_of(what: str) -> dict[str, str]:
    """The template of a request's body in the configuration that we ship."""
    block = CONFIGURATION[CONFIGURATION.index(f"/v1/mqtt/{what}") :]
    return dict(re.findall(r'(\w+) = "(.*)"', block[block.index("body {") : block.index("request_timeout")]))


@pytest.fixture
def installation(two_plants: TwoPlants) -> Installation:
    inst = two_plants.installation
    told = {"mqtt_auth_secret": SecretStr(SECRET), "mqtt_username": "reader", "mqtt_password": SecretStr("reader's own")}
    return Installation(inst.settings.model_copy(update=told), inst.db, inst.lake, inst.clock)


@pytest.fixture
def emqx(installation: Installation) -> Iterator[Emqx]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(installation), host="127.0.0.1", port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, 10, "the server listens")
    yield Emqx(installation, f"http://127.0.0.1:{port}")
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def north(two_plants: TwoPlants) -> Actor:
    return Actor(two_plants.north.person.factory_id)


USER, TOPIC = "north/devices/NEW", "factories/north/devices/NEW/telemetry"


def registered(emqx: Emqx, north: Actor) -> str:
    return register(emqx.inst.db, emqx.inst.clock, north, DeviceEntry("NEW")).credentials.password


def test_a_device_with_its_key_may_publish_its_own_telemetry_and_nothing_else(emqx: Emqx, north: Actor) -> None:
    assert emqx.connect(USER, registered(emqx, north))
    assert emqx.may(USER, "publish", TOPIC)
    for action, topic in (
        ("subscribe", TOPIC), ("publish", "factories/north/devices/NOR-01/telemetry"), ("publish", "factories/south/devices/NEW/telemetry"),
        ("subscribe", "#"), ("publish", f"{TOPIC}/more"), ("publish", "$SYS/x"), ("publish", ""),
    ):  # fmt: skip
        assert not emqx.may(USER, action, topic)


def test_without_the_right_key_nobody_gets_in(emqx: Emqx, north: Actor) -> None:
    password = registered(emqx, north)
    for user, key in (
        (USER, "wrong"), (USER, ""), ("north/devices/NOR-01", password), ("south/devices/NEW", password), ("", ""), ("reader", ""),
        ("north/devices/NEW/telemetry", password), ("reader", password), (USER, "x" * 2000), ("north/devices/\x00", password),
    ):  # fmt: skip
        assert not emqx.connect(user, key)


def test_a_rotated_key_ends_the_connection_that_was_made_with_the_old_one(emqx: Emqx, north: Actor) -> None:
    old = registered(emqx, north)
    assert emqx.connect(USER, old)
    new = rotate_key(emqx.inst.db, emqx.inst.clock, north, "NEW").password
    assert not emqx.may(USER, "publish", TOPIC)
    assert not emqx.connect(USER, old)
    assert emqx.connect(USER, new)
    assert emqx.may(USER, "publish", TOPIC)


def test_a_revoked_key_ends_its_connection(emqx: Emqx, north: Actor) -> None:
    assert emqx.connect(USER, registered(emqx, north))
    revoke_key(emqx.inst.db, emqx.inst.clock, north, "NEW")
    assert not emqx.may(USER, "publish", TOPIC)


def test_the_ingester_may_read_all_telemetry_and_nothing_else(emqx: Emqx) -> None:
    assert emqx.connect("reader", "reader's own")
    assert emqx.may("reader", "subscribe", "factories/+/devices/+/telemetry")
    assert emqx.may("reader", "subscribe", "$share/ingest/factories/+/devices/+/telemetry")
    for action, topic in (
        ("subscribe", "#"),
        ("publish", TOPIC),
        ("subscribe", "$share/ingest/#"),
        ("publish", "factories/+/devices/+/telemetry"),
    ):
        assert not emqx.may("reader", action, topic)


def test_who_does_not_know_the_secret_is_told_no(installation: Installation) -> None:
    client = TestClient(create_app(installation))
    asked = {"username": "reader", "password": "reader's own"}
    right = {"authorization": f"Bearer {SECRET}"}
    assert client.post("/v1/mqtt/authenticate", json=asked, headers=right).json()["result"] == "allow"
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": f"Basic {SECRET}"}, {"authorization": "Bearer wrong"}):
        answer = client.post("/v1/mqtt/authenticate", json=asked, headers=headers)
        assert (answer.status_code, answer.json()["result"]) == (200, "deny")


def test_without_a_secret_in_the_settings_everybody_is_told_no(two_plants: TwoPlants) -> None:
    client = TestClient(create_app(two_plants.installation))
    answer = client.post("/v1/mqtt/authenticate", json={"username": "", "password": ""}, headers={"authorization": "Bearer "})
    assert (answer.status_code, answer.json()["result"]) == (200, "deny")


OTHER_FORMS = [
    b"", b"nonsense", b"[]", b"{}", b'{"username":1,"password":2}', b"\xff", b"[" * 50_000, b'{"a":"' + b"x" * 70_000 + b'"}',
]  # fmt: skip


def test_a_question_in_another_form_is_answered_no_and_not_with_an_error(installation: Installation) -> None:
    """EMQX would take an error for "ask the next", which may allow."""
    client = TestClient(create_app(installation))
    for path in ("authenticate", "authorize"):
        for body in OTHER_FORMS:
            answer = client.post(f"/v1/mqtt/{path}", content=body, headers={"authorization": f"Bearer {SECRET}"})
            assert (answer.status_code, answer.json()["result"]) == (200, "deny"), (path, body[:40])


def test_our_configuration_asks_for_what_we_read_and_denies_without_an_answer() -> None:
    assert tuple(body_of("authenticate")) == AUTHENTICATION_FIELDS
    assert tuple(body_of("authorize")) == AUTHORIZATION_FIELDS
    assert "no_match = deny" in CONFIGURATION
    ttl_s = int(re.search(r"ttl = (\d+)s", CONFIGURATION)[1])  # type: ignore[index]
    assert ttl_s < 10


def test_the_shipped_file_holds_no_secret() -> None:
    assert set(re.findall(r"Bearer ([^\"]+)", Path(REPOSITORY / "deploy/emqx/emqx.conf").read_text())) == {"REPLACE_WITH_MQTT_AUTH_SECRET"}
