"""The compose file's services as plain processes: a machine's message goes in at the broker and comes out of the proxy, over TLS."""

import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.stack import Stack
from tests.fixtures.object_store import Bucket
from tests.fixtures.postgres import create_database, drop_database, sqlalchemy_url
from tests.helpers import port_is_open, require_program, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def stack(tmp_path: Path, postgres_url: str, bucket: Bucket) -> Iterator[Stack]:
    require_program("mosquitto", package="mosquitto")
    made = {name: create_database(postgres_url) for name in ("database_url", "lake_catalog_url", "dagster_database_url")}
    running = Stack(tmp_path, made | {"database_url": sqlalchemy_url(made["database_url"])}, bucket)
    yield running
    running.stop()
    for url in made.values():
        drop_database(postgres_url, url)
    shutil.rmtree(tmp_path / "home", ignore_errors=True)


class Api:
    """A client outside, who trusts the proxy's authority."""

    def __init__(self, stack: Stack) -> None:
        self._address = f"https://localhost:{stack.ports['https']}"
        self._trust = ssl.create_default_context(cafile=str(stack.authority))
        self._token = ""

    def __call__(self, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self._token}"} if self._token else {})
        content = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._address + path, content, headers)  # noqa: S310  # an https address of this machine
        with urllib.request.urlopen(request, timeout=20, context=self._trust) as answer:  # noqa: S310  # as above
            assert answer.headers["strict-transport-security"]
            return json.load(answer)

    def is_there(self) -> bool:
        """Whether the proxy passes requests on."""
        try:
            return bool(self("/health"))
        except urllib.error.HTTPError:
            return False

    def sign_in(self, factory_id: int, email: str, password: str) -> None:
        self._token = self("/api/v1/auth/login", {"factory_id": factory_id, "email": email, "password": password})["access_token"]


def test_a_reading_goes_from_the_broker_through_the_proxy_to_a_client(stack: Stack) -> None:
    publish = require_program("mosquitto_pub", package="mosquitto-clients")
    caddy = require_program("caddy", package="caddy")
    stack.once("setup")
    stack.once("setup")
    said = stack.once("setup", "init", "--factory", "Plant", "--email", "me@plant.example")
    password = said.split("Password")[1].split()[0]
    key = _key_in(stack.once("setup", "devices", "add", "M01", "--factory", "plant"))
    stack.start("broker", "loader", "web", "code")
    stack.start_proxy(caddy)
    wait_until(lambda: port_is_open(stack.ports["broker"]) or stack.dead(), 30, "the broker listens")
    stack.start("ingester-1", "ingester-2")
    for name in ("web", "code", "https"):
        wait_until(lambda name=name: port_is_open(stack.ports[name]) or stack.dead(), 60, f"{name} listens")
    # As the compose file says: the UI makes Dagster's tables, then the daemon starts.
    stack.start("dagster")
    wait_until(lambda: port_is_open(stack.ports["dagster"]) or stack.dead(), 60, "Dagster's UI listens")
    stack.start("daemon")
    assert not stack.dead()
    api = Api(stack)
    # Until the proxy has seen that the web process is well it answers 503.
    wait_until(lambda: api.is_there() or stack.dead(), 30, "the proxy lets through")
    api.sign_in(1, "me@plant.example", password)
    machine = ["-u", "plant/devices/M01", "-P", key, "-t", "factories/plant/devices/M01/telemetry"]
    address = ["-h", "127.0.0.1", "-p", str(stack.ports["broker"]), "-q", "1"]
    subprocess.run([publish, *address, *machine, "-m", '{"metrics": {"temperature": 71.5}}'], check=True, timeout=10)
    wait_until(lambda: "71.5" in json.dumps(api("/api/v1/devices/1/kpis/live")), 20, "the value is there")
    history = "/api/v1/devices/1/kpis/history?parameter=temperature&start=2020-01-01T00:00:00Z&end=2100-01-01T00:00:00Z&interval=1d"
    wait_until(lambda: "71.5" in json.dumps(api(history)), 20, "the loader brought it into the lake")
    # A process gives its first sign some seconds after its start.
    for part in ("ingester ingest-1", "ingester ingest-2", "loader", "daemon"):
        wait_until(lambda part=part: stack.dead() or _is_well(stack, part), 60, f"{part} is well")
    assert not stack.dead()
    codes = stack.stop()
    assert {name: code for name, code in codes.items() if code not in {0, -15, 143}} == {}


def _key_in(said: str) -> str:
    """The key that `devices add` printed."""
    return max((word for word in said.split() if "/" not in word), key=len)


def _is_well(stack: Stack, part: str) -> bool:
    return (
        subprocess.run(
            [*stack.command("daemon")[:3], "status", "--part", part], env=stack.environment("daemon"), capture_output=True, check=False
        ).returncode
        == 0
    )
