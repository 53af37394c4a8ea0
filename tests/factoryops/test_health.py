"""GET /health and GET /metrics, while parts of the installation are away."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from factoryops import health
from factoryops.health import SystemRoutes
from warehouse import landing
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.heartbeat import Heartbeat, beat
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.streams import ConsumerCursor
from warehouse.readings import empty_readings
from warehouse.settings import Settings
from warehouse.tenancy import system_session


class Doctor:
    """Asks a running installation how it is."""

    def __init__(self, installation: Installation, clock: ManualClock) -> None:
        self.installation, self.clock = installation, clock
        self.client = TestClient(Starlette(routes=SystemRoutes(installation).routes()))

    def ask(self, status: int = 200) -> dict:
        answer = self.client.get("/health")
        assert answer.status_code == status, answer.text
        return answer.json()

    def land(self) -> int:
        with system_session(self.installation.db, "set up a test", write=True) as session:
            return landing.append(session, empty_readings(), 1, self.clock.now())


@pytest.fixture
def doctor(settings: Settings, sqlite_database: Database, lake: Lake, manual_clock: ManualClock) -> Doctor:
    lake.loader_position("main")  # makes the lake
    return Doctor(Installation(settings, sqlite_database, lake, manual_clock), manual_clock)


def test_a_fresh_installation_is_healthy(doctor: Doctor) -> None:
    found = doctor.ask()
    assert found["status"] == "healthy"
    assert set(found["dependencies"].values()) == {"ok"}


def test_without_the_lake_it_is_degraded_and_goes_on(doctor: Doctor) -> None:
    doctor.installation.lake.close()
    home = doctor.installation.settings.home
    (home / "lake").rename(home / "lake-away")
    found = doctor.ask()
    assert (found["status"], found["dependencies"]["database"]) == ("degraded", "ok")
    assert found["dependencies"]["lake"] == "cannot be reached; ingest and alerts go on"


def test_without_the_database_it_is_not_serving(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("the secret host db.internal refused"))

    monkeypatch.setattr(health, "system_figures", away)
    found = doctor.ask(503)
    assert found["status"] == "unhealthy"
    assert "db.internal" not in str(found)


def test_batches_that_wait_too_long_are_named_with_their_consumer(doctor: Doctor) -> None:
    with system_session(doctor.installation.db, "set up a test") as session:
        session.add(ConsumerCursor(name="evaluator", position=0, updated_at=doctor.clock.now()))
    doctor.land()
    assert doctor.ask()["status"] == "healthy"
    doctor.clock.advance(timedelta(seconds=40))
    found = doctor.ask()
    assert found["dependencies"]["evaluator"] == "1 batches wait, the oldest for 40 s"
    assert found["dependencies"]["loader"] == "1 batches wait, the oldest for 40 s"
    assert found["figures"]["evaluator_waiting_s"] == 40


def test_silence_of_all_machines_is_told(doctor: Doctor) -> None:
    doctor.land()
    doctor.clock.advance(timedelta(minutes=12))
    assert doctor.ask()["dependencies"]["ingest"] == "no message for 12 min"


def test_a_process_without_a_sign_of_life_is_told(doctor: Doctor) -> None:
    beat(doctor.installation.db, Heartbeat("ingester", doctor.clock.now(), "the broker refuses the password"))
    assert doctor.ask()["dependencies"]["ingester"] == "the broker refuses the password"
    doctor.clock.advance(timedelta(minutes=1))
    assert doctor.ask()["dependencies"]["ingester"] == "no sign of life for 60 s"


def test_an_answer_never_takes_longer_than_its_time(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ANSWER_WITHIN_S", 0)
    assert doctor.ask(503)["status"] == "unhealthy"


def test_metrics_hold_what_other_processes_count(doctor: Doctor) -> None:
    samples = [{"name": "messages", "help": "Messages", "type": "counter", "samples": [["messages_total", {}, 7.0]]}]
    beat(doctor.installation.db, Heartbeat("ingester", doctor.clock.now(), "", samples))
    text = doctor.client.get("/metrics").text
    assert 'messages_total{process="ingester"} 7.0' in text
    assert 'factoryops_dependency_up{dependency="lake"} 1.0' in text
