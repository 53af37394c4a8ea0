"""Nothing of one factory reaches the people of another: every page and every GET endpoint, asked for with foreign ids."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

import api
import dashboards
from api.app import create_app
from api.dependencies import SESSION_COOKIE
from assets.analytics.run import folder_of
from assets.analytics.schedules import NewSchedule
from assets.analytics.schedules import add_schedule as add_analysis_schedule
from assets.reporting.parameters import ScheduleOrder
from assets.reporting.run import save
from assets.reporting.schedules import add_schedule
from dashboards import resources
from tests.alert_work import add_alert_work
from tests.dashboards.conftest import Pages, words
from tests.fixtures.two_plants import Plant, TwoPlants
from warehouse import reports
from warehouse.access.audit import Actor
from warehouse.installation import Installation
from warehouse.jobs import NewJob, order_job
from warehouse.models.alerting import Rule
from warehouse.models.people import User
from warehouse.models.streams import DeadLetter
from warehouse.models.work import AnalyticsJob
from warehouse.objects import ObjectStore
from warehouse.tenancy import system_session, tenant_session

pytestmark = pytest.mark.slow

VIEWS = sorted(path.stem for path in (Path(dashboards.__file__).parent / "views").glob("*.py") if path.stem != "__init__")
FOREIGN = re.compile(r"SOU|South|south")
# Factories are chosen before anybody signs in: their names are for all.
OPEN_TO_ALL = {"/v1/factories"}


@pytest.fixture
def seen_pages(seen_plants: TwoPlants, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    yield Pages(seen_plants, monkeypatch)
    resources._installed.clear()


def foreign_query(plant: Plant) -> dict[str, str]:
    """Every parameter that any page takes from its address, with values of another factory."""
    active, resolved = plant.alerts
    return {
        "device": plant.hot,
        "machine": plant.hot,
        "id": str(active),
        "tab": "quality",
        "alert": str(active),
        "area": "South hall",
        "q": plant.hot,
        "status": "all",
    } | {"other": str(resolved)}


@pytest.mark.usefixtures("chief_of_north")
@pytest.mark.parametrize("view", VIEWS)
def test_a_page_shows_nothing_of_another_factory(seen_pages: Pages, view: str) -> None:
    said = words(seen_pages.open(seen_pages.plants.north, view))
    assert not FOREIGN.search(said)
    assert "North" in said or "NOR" in said or view == "machine"


@pytest.mark.usefixtures("chief_of_north")
@pytest.mark.parametrize("view", VIEWS)
def test_a_page_asked_for_with_foreign_ids_shows_nothing_of_them(seen_pages: Pages, view: str) -> None:
    query = foreign_query(seen_pages.plants.south)
    if view == "rule":
        query["id"] = str(rule_of(seen_pages.plants, seen_pages.plants.south))
    said = words(seen_pages.open(seen_pages.plants.north, view, **query))
    # What the person wrote into the address may be shown to them again; what it stands for may not.
    for known in (seen_pages.plants.south.hot, "South hall"):
        said = said.replace(known, "")
    assert not FOREIGN.search(said)


@pytest.mark.parametrize(("view", "name"), [("machine", "device"), ("alerts", "id"), ("rule", "id"), ("rule", "copy")])
def test_a_foreign_thing_and_one_that_never_was_look_the_same(seen_pages: Pages, view: str, name: str) -> None:
    foreign = {**foreign_query(seen_pages.plants.south), "copy": ""}[name]
    if view == "rule":
        foreign = str(rule_of(seen_pages.plants, seen_pages.plants.south))
    one = words(seen_pages.open(seen_pages.plants.north, view, **{name: foreign}))
    other = words(seen_pages.open(seen_pages.plants.north, view, **{name: "never-was" if name == "device" else "9999"}))
    assert one == other
    assert "There is no such" in one


def endpoints(plants: TwoPlants) -> list[str]:
    """The path of every GET endpoint. An endpoint that hides from the document would escape: there must be none."""
    hidden = [
        line for path in Path(api.__file__).parent.rglob("*.py") for line in path.read_text().splitlines() if "include_in_schema" in line
    ]
    assert hidden == []
    return sorted(path for path, methods in create_app(plants.installation).openapi()["paths"].items() if "get" in methods)


REPORTS: dict[int, str] = {}
SCHEDULES: dict[int, int] = {}
LETTERS: dict[int, int] = {}


def report_of(plant: Plant) -> str:
    return REPORTS[plant.person.factory_id]


@pytest.fixture(autouse=True)
def _each_has_a_report(seen_plants: TwoPlants) -> None:
    """A finished report of each factory, named after it, with a file."""
    inst = seen_plants.installation
    for plant in (seen_plants.north, seen_plants.south):
        who = plant.person
        asked = reports.NewReport(inst.clock.now() - timedelta(days=1), inst.clock.now(), ["json"], title=f"Week of {plant.prefix}")
        row = reports.order(inst.db, inst.clock, who.factory_id, who.user_id, asked)
        facts = {"run": f"RPT-{plant.prefix}", "snapshot_id": 1, "data_sha256": "0" * 64}
        SCHEDULES[who.factory_id] = _schedule_of(inst, plant)
        LETTERS[who.factory_id] = _letter_of(inst, plant)
        save(inst, row, {"json": f'"{plant.prefix}"'.encode()}, "report.made", {}, facts)
        REPORTS[who.factory_id] = row.id


def _schedule_of(inst: Installation, plant: Plant) -> int:
    asked = ScheduleOrder(name=f"Weeks of {plant.prefix}", recipients=(f"boss@{plant.prefix.lower()}.example",), cron="0 6 * * 1")
    return add_schedule(inst, plant.person.factory_id, plant.person.user_id, asked).id


ALERT_WORK: dict[int, dict[str, int]] = {}
"""Ids of a silence, an escalation chain, a webhook and an undelivered message, by factory."""


@pytest.fixture(autouse=True)
def _each_has_alert_work(seen_plants: TwoPlants) -> None:
    if ALERT_WORK:
        return
    for plant in (seen_plants.north, seen_plants.south):
        ALERT_WORK[plant.person.factory_id] = add_alert_work(seen_plants, plant)


def _letter_of(inst: Installation, plant: Plant) -> int:
    with system_session(inst.db, "set up a test", write=True) as session:
        letter = DeadLetter(
            factory_id=plant.person.factory_id, device_id=plant.devices[plant.hot], device_key=plant.hot, reason="not_json",
            detail="", topic=f"factories/x/devices/{plant.hot}/telemetry", payload=plant.prefix.encode(), payload_size=3,
            received_at=inst.clock.now(),
        )  # fmt: skip
        session.add(letter)
        session.flush()
        return letter.id


ANALYSES: dict[int, str] = {}
ANALYSIS_SCHEDULES: dict[int, str] = {}


@pytest.fixture(autouse=True)
def _each_has_an_analysis(seen_plants: TwoPlants) -> None:
    """A complete one of each factory, with a result that names it."""
    if ANALYSES:
        return
    inst = seen_plants.installation
    for plant in (seen_plants.north, seen_plants.south):
        who = plant.person
        new = NewJob("anomaly", "standard", list(plant.devices.values()), inst.clock.now() - timedelta(days=1), inst.clock.now())
        job = order_job(inst.db, inst.clock, Actor(who.factory_id, who.user_id), new)
        place = f"{folder_of(job)}/result.json"
        ObjectStore(inst.settings).write(place, f'"{plant.prefix}"'.encode())
        with tenant_session(inst.db, who.factory_id, write=True) as session:
            row = session.get_one(AnalyticsJob, job.id)
            row.status, row.result_url, row.headline = "complete", place, f"Of {plant.prefix}"
            row.files = [{"name": "result.json", "size_bytes": 5, "sha256": "0" * 64}]
        asked = NewSchedule(f"Weeks of {plant.prefix}", "anomaly", "0 6 * * 1", 7)
        ANALYSIS_SCHEDULES[who.factory_id] = add_analysis_schedule(inst, Actor(who.factory_id, who.user_id), asked).id
        ANALYSES[who.factory_id] = job.id


@pytest.fixture
def chief_of_north(seen_plants: TwoPlants) -> Iterator[None]:
    """The person of North may see all that North has, while a test runs."""
    inst, who = seen_plants.installation, seen_plants.north.person

    def become(role: str) -> None:
        with tenant_session(inst.db, who.factory_id, write=True) as session:
            session.get_one(User, who.user_id).role = role

    become("super_admin")
    yield
    become("admin")


def rule_of(plants: TwoPlants, plant: Plant) -> int:
    with tenant_session(plants.installation.db, plant.person.factory_id) as session:
        return session.scalars(select(Rule.id).order_by(Rule.id)).first() or 0


def filled(path: str, plant: Plant, plants: TwoPlants) -> str:
    """The path with ids of a plant in it; fails for a kind of id that this test does not know."""
    ids = {"device_id": plant.devices[plant.hot], "alert_id": plant.alerts[0], "report_id": report_of(plant), "kind": "json"}
    ids["schedule_id"] = SCHEDULES[plant.person.factory_id]
    ids["letter_id"] = LETTERS[plant.person.factory_id]
    ids |= ALERT_WORK[plant.person.factory_id]
    ids |= {"analysis_schedule_id": ANALYSIS_SCHEDULES[plant.person.factory_id], "file_name": "result.json"}
    ids |= {"job_id": ANALYSES[plant.person.factory_id], "rule_id": rule_of(plants, plant)}
    return re.sub(r"\{(\w+)\}", lambda match: str(ids[match[1]]), path)


def test_every_endpoint_answers_its_own_factory_and_tells_another_nothing(seen_plants: TwoPlants, chief_of_north: None) -> None:
    client = TestClient(create_app(seen_plants.installation))
    client.cookies.set(SESSION_COOKIE, seen_plants.token(seen_plants.north))
    query = {"parameter": "power", "start": "2026-01-05T07:00:00Z", "end": "2026-01-05T08:00:00Z", "resolved": "false", "duration_s": "1"}
    paths = endpoints(seen_plants)
    assert len(paths) >= 8, paths
    for path in paths:
        if path in OPEN_TO_ALL:
            continue
        own = client.get(filled(path, seen_plants.north, seen_plants), params=query)
        assert own.status_code == 200, (path, own.text)
        assert not FOREIGN.search(own.text), path
        if "{" in path:
            foreign = client.get(filled(path, seen_plants.south, seen_plants), params=query)
            assert foreign.status_code == 404, path
            assert not FOREIGN.search(foreign.text), path


def test_filters_with_foreign_ids_find_nothing(seen_plants: TwoPlants) -> None:
    client = TestClient(create_app(seen_plants.installation))
    client.cookies.set(SESSION_COOKIE, seen_plants.token(seen_plants.north))
    south = seen_plants.south
    assert client.get("/v1/alerts", params={"device_id": south.devices[south.hot]}).json()["total"] == 0
    assert client.get("/v1/devices", params={"search": south.hot}).json()["total"] == 0


def test_a_foreign_alert_cannot_be_resolved(seen_plants: TwoPlants) -> None:
    client = TestClient(create_app(seen_plants.installation), headers={"origin": "http://testserver"})
    client.cookies.set(SESSION_COOKIE, seen_plants.token(seen_plants.north))
    assert client.patch(f"/v1/alerts/{seen_plants.south.alerts[0]}/resolve").status_code == 404
    client.cookies.set(SESSION_COOKIE, seen_plants.token(seen_plants.south))
    assert client.get(f"/v1/alerts/{seen_plants.south.alerts[0]}").json()["resolved_at"] is None


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"is_active": False}), ("DELETE", None)])
def test_a_foreign_schedule_cannot_be_changed(seen_plants: TwoPlants, method: str, body: dict[str, bool] | None) -> None:
    client = TestClient(create_app(seen_plants.installation), headers={"origin": "http://testserver"})
    client.cookies.set(SESSION_COOKIE, seen_plants.token(seen_plants.north))
    path = f"/v1/report-schedules/{SCHEDULES[seen_plants.south.person.factory_id]}"
    assert client.request(method, path, json=body).status_code == 404
    client.cookies.set(SESSION_COOKIE, seen_plants.token(seen_plants.south))
    assert client.get(path).json()["is_active"] is True
