"""What all answers share: ids, problems, ETags, what may be kept; and the page that explains them without internet."""

import json
import re

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.dependencies import SESSION_COOKIE
from tests.fixtures.two_plants import TwoPlants


@pytest.fixture
def client(seen_plants: TwoPlants) -> TestClient:
    found = TestClient(create_app(seen_plants.installation), headers={"origin": "http://testserver"})
    found.cookies.set(SESSION_COOKIE, seen_plants.token(seen_plants.north))
    return found


def test_the_id_of_a_request_comes_back(client: TestClient) -> None:
    assert client.get("/v1/devices", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    ours = client.get("/v1/devices", headers={"x-request-id": "not plain\t"}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", ours)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/devices/999999", 404), ("GET", "/nowhere", 404), ("GET", "/v1/devices?page=0", 422), ("PUT", "/v1/devices", 405)],
)
def test_every_refusal_has_one_shape(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, headers={"x-request-id": "mine-2"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    said = answer.json()
    assert sorted(said) == ["detail", "errors", "instance", "request_id", "status", "title", "type"]
    assert (said["status"], said["request_id"], said["instance"]) == (status, "mine-2", path.partition("?")[0])
    assert answer.headers["cache-control"] == "no-store"


def test_a_refused_input_names_the_place_and_does_not_repeat_it(client: TestClient) -> None:
    answer = client.post("/v1/auth/login", json={"factory_id": "x", "email": "a@b.c", "password": ["secret-word"]})
    assert [error["path"] for error in answer.json()["errors"]] == ["body.factory_id", "body.password"]
    assert "secret-word" not in answer.text


def test_what_breaks_says_nothing_of_our_insides(seen_plants: TwoPlants) -> None:
    app = create_app(seen_plants.installation)

    async def breaks() -> None:
        raise ZeroDivisionError("password=secret-word")

    app.add_api_route("/breaks", breaks)
    answer = TestClient(app, raise_server_exceptions=False).get("/breaks", headers={"x-request-id": "mine-3"})
    assert (answer.status_code, answer.json()["request_id"], answer.headers["x-request-id"]) == (500, "mine-3", "mine-3")
    assert "secret-word" not in answer.text


def test_an_unchanged_answer_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/v1/devices")
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get("/v1/devices", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert client.get("/v1/devices?per_page=1", headers={"if-none-match": first.headers["etag"]}).status_code == 200


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_text_that_cannot_be_stored_is_refused(client: TestClient, text: str) -> None:
    body = json.dumps({"factory_id": 1, "email": text + "@b.c", "password": "x"})
    answer = client.post("/v1/auth/login", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_beyond_all_reason_is_refused(client: TestClient, moment: str) -> None:
    assert client.get(f"/v1/alerts?start={moment}").status_code == 422


def test_the_documentation_page_needs_nothing_of_another_host(seen_plants: TwoPlants) -> None:
    client = TestClient(create_app(seen_plants.installation))
    page = client.get("/docs")
    assert page.status_code == 200
    needed = re.findall(r'(?:src|href|data-document)="([^"]+)"', page.text)
    assert len(needed) == 5
    for address in needed:
        assert address.startswith("/")
        assert client.get(address).status_code == 200, address
    assert "default-src 'none'" in page.headers["content-security-policy"]
