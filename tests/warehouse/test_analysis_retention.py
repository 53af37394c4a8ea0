"""Files of analyses end after ANALYSIS_RETENTION_DAYS; rows and their sentence stay."""

from datetime import timedelta

import pytest

from tests.fixtures.people import Person, add_person
from warehouse import job_runs
from warehouse.access.audit import Actor
from warehouse.analysis_retention import EXPIRED, expire_results
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.jobs import NewJob, find_job, order_job
from warehouse.models.devices import Device
from warehouse.objects import ObjectStore
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session


class Results:
    """Analyses of both factories, with files."""

    def __init__(self, db: Database, settings: Settings, clock: ManualClock) -> None:
        self.db, self.settings, self.clock = db, settings, clock
        self.store = ObjectStore(settings)

    def complete(self, person: Person, *names: str) -> str:
        now, actor = self.clock.now(), Actor(person.factory_id, person.user_id)
        with tenant_session(self.db, person.factory_id) as session:
            device = Device(device_key=f"M{now.timestamp()}")
            session.add(device)
            session.flush()
        job_id = order_job(self.db, self.clock, actor, NewJob("anomaly", "standard", [device.id], now - timedelta(hours=1), now)).id
        job = job_runs.claim(self.db, self.clock, job_id, "run")
        assert job is not None
        folder = f"factories/{person.factory_id}/analytics/{job_id}"
        for name in ("result.json", *names):
            self.store.write(f"{folder}/{name}", b"{}")
        job_runs.complete(
            self.db, self.clock, job, f"{folder}/result.json", "All well.", [{"name": name} for name in ("result.json", *names)]
        )
        return job_id

    def is_there(self, person: Person, job_id: str, name: str) -> bool:
        try:
            return bool(self.store.read(f"factories/{person.factory_id}/analytics/{job_id}/{name}"))
        except NotFoundError:
            return False


@pytest.fixture
def results(one_database: Database, settings: Settings, manual_clock: ManualClock) -> Results:
    own = {"analysis_retention_days": 90, "object_store_url": ""}
    return Results(one_database, settings.model_copy(update=own), manual_clock)


@pytest.fixture
def north_and_south(one_database: Database, password_hash: str) -> tuple[Person, Person]:
    return add_person(one_database, password_hash, "north"), add_person(one_database, password_hash, "south")


def test_files_end_with_their_time_and_rows_stay(results: Results, north_and_south: tuple[Person, Person]) -> None:
    north, south = north_and_south
    old = [results.complete(north, "anomalies.parquet", "pump.svg"), results.complete(south)]
    results.clock.advance(timedelta(days=30))
    young = results.complete(north, "pump.svg")
    results.clock.advance(timedelta(days=60, seconds=1))
    assert expire_results(results.db, results.settings, results.clock) == 2
    assert not any(results.is_there(north, old[0], name) for name in ("result.json", "anomalies.parquet", "pump.svg"))
    assert not results.is_there(south, old[1], "result.json")
    assert results.is_there(north, young, "pump.svg")
    row = find_job(results.db, north.factory_id, old[0])
    assert (row.status, row.stage, row.headline, row.result_url, row.files) == ("complete", EXPIRED, "All well.", None, None)
    assert find_job(results.db, north.factory_id, young).result_url


def test_again_does_nothing_and_files_that_are_gone_already_are_no_error(results: Results, north_and_south: tuple[Person, Person]) -> None:
    north, _ = north_and_south
    job_id = results.complete(north, "pump.svg")
    results.store.delete(f"factories/{north.factory_id}/analytics/{job_id}/pump.svg")
    results.clock.advance(timedelta(days=91))
    assert expire_results(results.db, results.settings, results.clock) == 1
    assert expire_results(results.db, results.settings, results.clock) == 0
