"""Machines are registered, get keys and parameters' names over the API; foreign ones do not exist."""

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.dependencies import SESSION_COOKIE
from ingest.device_keys import verify_device_key
from ingest.figures import IngestFigures
from ingest.lander import Lander
from tests.fixtures.two_plants import NOW, Plant, TwoPlants
from tests.ingest.messages import RETENTION, incoming
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import User
from warehouse.tenancy import tenant_session


class Client:
    """The API as the chief of the north plant uses it."""

    def __init__(self, plants: TwoPlants) -> None:
        self.plants, self.plant = plants, plants.north
        self._client = TestClient(create_app(plants.installation), headers={"origin": "http://testserver"})
        self._client.cookies.set(SESSION_COOKIE, plants.token(plants.north))

    def ask(self, method: str, path: str, status: int = 200, **body: object) -> dict:
        answer = self._client.request(method, f"/v1{path}", json=body or None)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else {}

    def land(self, topic: str, *payloads: dict | bytes) -> None:
        inst = self.plants.installation
        Lander(inst.db, IngestFigures(), inst.clock, RETENTION).land([incoming(payload, topic, received=NOW) for payload in payloads])


@pytest.fixture
def client(two_plants: TwoPlants) -> Client:
    return Client(two_plants)


def device(plants: TwoPlants, plant: Plant, device_id: int) -> Device:
    with tenant_session(plants.installation.db, plant.person.factory_id) as session:
        return session.get_one(Device, device_id)


def test_a_registered_machine_gets_a_key_and_is_offered_what_it_sent(client: Client) -> None:
    client.land("factories/north/devices/NEW/telemetry", {"metrics": {"a": 1}}, {"metrics": {"a": 2}, "timestamp": "2026-01-05T07:59:00Z"})
    made = client.ask("POST", "/devices", 201, device_key="NEW", name="New mill", region="North hall")
    assert (made["device_key"], made["name"], made["waiting_messages"], made["waiting_since"]) == (
        "NEW",
        "New mill",
        2,
        "2026-01-05T08:00:00Z",
    )
    assert made["mqtt_user_name"] == "north/devices/NEW"
    assert verify_device_key(made["mqtt_password"], device(client.plants, client.plant, made["id"]).api_key)
    assert client.ask("POST", f"/devices/{made['id']}/replay") == {"accepted": 2, "still_refused": {}}
    live = client.ask("GET", f"/devices/{made['id']}/kpis/live")["kpis"]
    assert [(kpi["parameter_key"], kpi["value"]) for kpi in live] == [("a", 1.0)]


def test_a_taken_or_impossible_key_is_refused(client: Client) -> None:
    for key in ("NOR-01", "a/b", ""):
        client.ask("POST", "/devices", 422, device_key=key)


def test_keys_are_rotated_and_revoked(client: Client) -> None:
    device_id = client.plant.devices["NOR-01"]
    password = client.ask("POST", f"/devices/{device_id}/key")["mqtt_password"]
    assert verify_device_key(password, device(client.plants, client.plant, device_id).api_key)
    client.ask("DELETE", f"/devices/{device_id}/key", 204)
    assert device(client.plants, client.plant, device_id).api_key is None


def test_a_parameter_is_renamed_and_goes_back(client: Client) -> None:
    path = f"/devices/{client.plant.devices['NOR-01']}/parameters"
    power = next(found for found in client.ask("GET", path)["data"] if found["parameter_key"] == "power")
    changed = client.ask("PATCH", f"{path}/{power['id']}", display_name="Main drive", unit="kW", is_kpi_selected=False)
    assert (changed["display_name"], changed["unit"], changed["is_kpi_selected"]) == ("Main drive", "kW", False)
    client.land("factories/north/devices/NOR-01/telemetry", {"metrics": {"power": 5}})
    assert changed in client.ask("GET", path)["data"]
    back = client.ask("PATCH", f"{path}/{power['id']}", display_name="")
    assert (back["display_name"], back["unit"]) == ("power", "kW")
    client.ask("PATCH", f"{path}/{power['id']}", 422, unit="x" * 51)
    client.ask("PATCH", f"{path}/999999", 404, unit="x")


def test_what_was_noticed_is_shown(client: Client) -> None:
    topic = "factories/north/devices/NOR-01/telemetry"
    inst = client.plants.installation
    lander = Lander(inst.db, IngestFigures(), inst.clock, RETENTION)
    for power in ("ERR", 5):
        lander.land([incoming({"metrics": {"power": power}}, topic, received=NOW)])
    (note,) = client.ask("GET", f"/devices/{client.plant.devices['NOR-01']}/notes")["data"]
    assert (note["kind"], note["parameter_key"]) == ("mixed_types", "power")
    assert "number and as a text" in note["said"]


def test_letters_are_listed_counted_shown_replayed_and_purged(client: Client) -> None:
    client.land("factories/north/devices/NOR-01/telemetry", b"\xffnonsense", b"more", {"metrics": {"a": None}})
    client.land("factories/south/devices/SOU-01/telemetry", b"foreign")
    assert client.ask("GET", "/dead-letters/counts")["data"] == {"not_json": 1, "null_value": 1, "invalid_utf8": 1}
    page = client.ask("GET", "/dead-letters?reason=invalid_utf8")
    assert (page["total"], page["data"][0]["device_key"]) == (1, "NOR-01")
    letter = client.ask("GET", f"/dead-letters/{page['data'][0]['id']}")
    assert (letter["payload"], letter["is_cut"], letter["payload_size"]) == ("\\xffnonsense", False, 9)
    assert client.ask("POST", "/dead-letters/replay", reason="not_json") == {"accepted": 0, "still_refused": {"not_json": 1}}
    assert client.ask("POST", "/dead-letters/purge", device_key="NOR-01") == {"purged": 3}
    assert client.ask("GET", "/dead-letters")["total"] == 0
    client.ask("POST", "/dead-letters/purge", 422)
    client.ask("POST", "/dead-letters/purge", 422, ids=[])


def test_what_is_another_factory_s_cannot_be_touched(client: Client) -> None:
    south, inst = client.plants.south, client.plants.installation
    foreign = south.devices["SOU-01"]
    client.land("factories/south/devices/SOU-01/telemetry", b"foreign")
    with tenant_session(inst.db, south.person.factory_id) as session:
        parameter_id = session.query(DeviceParameter.id).first()[0]
    for method, path in (("POST", "replay"), ("POST", "key"), ("DELETE", "key"), ("GET", "notes"), ("GET", "parameters")):
        client.ask(method, f"/devices/{foreign}/{path}", 404)
    client.ask("PATCH", f"/devices/{foreign}/parameters/{parameter_id}", 404, unit="x")
    client.ask("PATCH", f"/devices/{client.plant.devices['NOR-01']}/parameters/{parameter_id}", 404, unit="x")
    client.ask("GET", "/dead-letters/1", 404)
    assert client.ask("POST", "/dead-letters/purge", ids=[1]) == {"purged": 0}
    assert client.ask("POST", "/dead-letters/replay", ids=[1]) == {"accepted": 0, "still_refused": {}}


def test_a_viewer_changes_nothing(client: Client) -> None:
    with tenant_session(client.plants.installation.db, client.plant.person.factory_id) as session:
        session.get_one(User, client.plant.person.user_id).role = "viewer"
    device_id = client.plant.devices["NOR-01"]
    for method, path in (
        ("POST", "/devices"), ("POST", f"/devices/{device_id}/key"), ("DELETE", f"/devices/{device_id}/key"),
        ("POST", f"/devices/{device_id}/replay"), ("POST", "/dead-letters/purge"), ("POST", "/dead-letters/replay"),
    ):  # fmt: skip
        client.ask(method, path, 403, **({"device_key": "X"} if method == "POST" else {}))
