"""Reports over the API: order, follow, download, sign, verify, delete; nothing of another factory."""

import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from pydantic import SecretStr
from starlette.testclient import TestClient

from api.app import create_app
from assets.reporting.logo import logo_of
from assets.reporting.render import render_pdf
from assets.reporting.run import save, seal
from tests.assets.reporting.conftest import Plant, make_plant, one_page, picture
from tests.fixtures.object_store import Bucket
from tests.fixtures.people import PASSWORD, add_person
from warehouse import reports
from warehouse.access.passwords import hash_password
from warehouse.access.sign_in import sign_in
from warehouse.clock import ManualClock

PERIOD = {"date_range_start": "2026-03-02T17:00:00Z", "date_range_end": "2026-03-04T17:00:00Z"}
FACTS = {"run": "RPT-DONGA-1", "snapshot_id": 1, "data_sha256": "0" * 64, "factory": {"name": "North"}}
pytestmark = pytest.mark.slow


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    found = make_plant(tmp_path / "home", with_data=False)
    yield found
    found.installation.close()


@pytest.fixture
def client(plant: Plant) -> TestClient:
    inst = plant.installation
    token = sign_in(inst.db, inst.settings, inst.clock, factory_id=1, email="linh@donga.example", password=PASSWORD).token
    found = TestClient(create_app(inst), headers={"origin": "http://testserver"}, follow_redirects=False)
    found.cookies.set("factoryops_session", token)
    return found


def stored(plant: Plant) -> tuple[str, bytes]:
    report = plant.order()
    pdf = seal(plant.installation, render_pdf(one_page()), FACTS)
    assert pdf is not None
    save(plant.installation, report, {"pdf": pdf}, "report.made", {}, FACTS)
    return report.id, pdf


def test_an_ordered_report_waits_until_it_is_made(client: TestClient) -> None:
    made = client.post("/v1/reports", json={**PERIOD, "format": "pdf", "also": ["excel"], "device_ids": [1, 2], "title": "Weekly"})
    assert made.status_code == 201, made.text
    found = client.get(f"/v1/reports/{made.json()['id']}").json()
    assert (found["status"], found["title"], found["device_ids"]) == ("pending", "Weekly", [1, 2])
    assert client.get("/v1/reports").json()["total"] == 1


def test_a_machine_of_another_factory_does_not_exist(client: TestClient) -> None:
    assert client.post("/v1/reports", json={**PERIOD, "device_ids": [99]}).status_code == 404


@pytest.mark.parametrize(
    "wrong", [{"format": "doc"}, {"date_range_end": "2026-03-01T00:00:00Z"}, {"surprise": 1}, {"date_range_start": "2026-03-02T17:00:00"}]
)
def test_what_is_not_allowed_is_refused(client: TestClient, wrong: dict[str, object]) -> None:
    assert client.post("/v1/reports", json={**PERIOD, **wrong}).status_code == 422


def test_download_leads_to_the_sealed_file(client: TestClient, plant: Plant) -> None:
    report_id, pdf = stored(plant)
    answer = client.get(f"/v1/reports/{report_id}/download")
    assert answer.status_code == 302
    file = client.get(answer.headers["location"])
    assert file.content == pdf
    assert file.headers["content-disposition"] == 'attachment; filename="RPT-DONGA-1.pdf"'


def test_a_download_from_a_bucket_leads_to_a_presigned_address(client: TestClient, plant: Plant, bucket: Bucket) -> None:
    secret = SecretStr(bucket.settings["s3_secret_access_key"])
    in_s3 = {**bucket.settings, "s3_secret_access_key": secret, "object_store_url": f"s3://{bucket.name}/files"}
    in_s3["s3_public_endpoint_url"] = bucket.endpoint_url
    object.__setattr__(plant.installation, "settings", plant.installation.settings.model_copy(update=in_s3))
    report_id, pdf = stored(plant)
    answer = client.get(f"/v1/reports/{report_id}/download")
    assert (answer.status_code, answer.headers["location"].startswith(bucket.endpoint_url)) == (302, True)
    with urllib.request.urlopen(answer.headers["location"], timeout=5) as file:  # noqa: S310  # the address of the test's own store
        assert file.read() == pdf
    # The store refuses it afterwards: the time is part of what is signed.
    assert parse_qs(urlsplit(answer.headers["location"]).query)["X-Amz-Expires"] == ["300"]


def test_a_link_to_a_file_dies_with_the_sign_in_and_opens_for_no_other_factory(client: TestClient, plant: Plant) -> None:
    report_id, _ = stored(plant)
    link = client.get(f"/v1/reports/{report_id}/download").headers["location"]
    stranger = TestClient(client.app)
    assert stranger.get(link).status_code == 401
    other = add_person(plant.installation.db, hash_password(PASSWORD), "elsewhere")
    inst = plant.installation
    asked = {"factory_id": other.factory_id, "email": other.email, "password": PASSWORD}
    stranger.cookies.set("factoryops_session", sign_in(inst.db, inst.settings, inst.clock, **asked).token)
    assert stranger.get("/v1/auth/me").json()["factory_id"] == other.factory_id
    assert stranger.get(link).status_code == 404
    assert stranger.get(f"/v1/reports/{report_id}/download").status_code == 404
    assert client.get(link).status_code == 200
    assert isinstance(inst.clock, ManualClock)
    inst.clock.advance(timedelta(hours=inst.settings.jwt_expiry_hours, seconds=1))
    assert client.get(link).status_code == 401


def test_the_verify_endpoint_tells_genuine_from_altered(client: TestClient, plant: Plant) -> None:
    _, pdf = stored(plant)
    assert client.post("/v1/reports/verify", content=pdf).json()["verdict"] == "genuine"
    assert client.post("/v1/reports/verify", content=pdf + b" ").json()["verdict"] == "altered"
    assert client.post("/v1/reports/verify", content=b"something").json()["verdict"] == "unknown"
    assert client.post("/v1/reports/verify", content=render_pdf(one_page())).json()["verdict"] == "unsigned"


def test_only_pending_and_failed_reports_can_be_deleted(client: TestClient, plant: Plant) -> None:
    report_id, _ = stored(plant)
    assert client.delete(f"/v1/reports/{report_id}").status_code == 409
    waiting = plant.order().id
    assert client.delete(f"/v1/reports/{waiting}").status_code == 204
    assert client.get(f"/v1/reports/{waiting}").status_code == 404


def test_signing_needs_the_password(client: TestClient, plant: Plant) -> None:
    report_id, _ = stored(plant)
    refused = client.post(f"/v1/reports/{report_id}/signatures", json={"password": "wrong", "meaning": "reviewed"})
    assert refused.status_code == 403
    assert reports.signatures(plant.installation.db, 1, report_id) == []


SCHEDULE = {"name": "Mondays", "recipients": ["boss@donga.example"], "cron": "0 6 * * 1", "formats": ["pdf", "excel"], "language": "vi"}


def test_a_schedule_is_made_paused_and_deleted(client: TestClient) -> None:
    made = client.post("/v1/report-schedules", json={**SCHEDULE, "catches_up": False, "device_ids": [1]})
    assert made.status_code == 201, made.text
    found = client.get(f"/v1/report-schedules/{made.json()['id']}").json()
    assert (found["language"], found["catches_up"], found["formats"], found["is_active"]) == ("vi", False, ["pdf", "excel"], True)
    assert found["next_due_at"] == "2026-03-08T23:00:00Z"  # Monday at six in Ho Chi Minh City
    assert client.patch(f"/v1/report-schedules/{found['id']}", json={"is_active": False}).json()["is_active"] is False
    page = client.get("/v1/report-schedules").json()
    assert ([row["name"] for row in page["data"]], page["total"], page["page"], page["per_page"]) == (["Mondays"], 1, 1, 20)
    assert client.delete(f"/v1/report-schedules/{found['id']}").status_code == 204
    assert client.get(f"/v1/report-schedules/{found['id']}").status_code == 404


@pytest.mark.parametrize(
    "wrong", [{"cron": "every monday"}, {"recipients": ["nobody"]}, {"formats": ["doc"]}, {"next_due_at": "2020-01-01"}]
)
def test_a_schedule_that_cannot_work_is_refused(client: TestClient, wrong: dict[str, object]) -> None:
    assert client.post("/v1/report-schedules", json={**SCHEDULE, **wrong}).status_code == 422


def test_the_first_page_can_be_seen_before_the_report_is_made(client: TestClient) -> None:
    seen = client.post("/v1/reports/preview", json={**PERIOD, "title": "Weekly"})
    assert seen.status_code == 200, seen.text
    assert seen.content.startswith(b"\x89PNG")
    assert Image.open(BytesIO(seen.content)).height > 900
    assert client.get("/v1/reports").json()["total"] == 0


def test_a_preview_of_a_foreign_machine_does_not_exist(client: TestClient) -> None:
    assert client.post("/v1/reports/preview", json={**PERIOD, "device_ids": [99]}).status_code == 404


def test_a_logo_is_kept_and_what_is_no_picture_is_refused(client: TestClient, plant: Plant) -> None:
    assert client.put("/v1/reports/logo", content=b"<svg onload='x'/>").status_code == 422
    assert client.put("/v1/reports/logo", content=b"x" * (4 * 1024**2 + 1)).status_code == 413
    assert client.put("/v1/reports/logo", content=picture()).status_code == 204
    assert logo_of(plant.installation.settings, 1) is not None
    assert client.delete("/v1/reports/logo").status_code == 204
    assert logo_of(plant.installation.settings, 1) is None
