"""Analyses have one maker at a time: claimed by compare-and-set, alive while they beat, cancelled, lost, over once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.fixtures.people import Person
from warehouse import job_runs
from warehouse.access.audit import Actor
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import ConflictError, NotFoundError
from warehouse.jobs import MOST_UNFINISHED, NewJob, cancel_job, delete_job, find_job, order_job
from warehouse.models.devices import Device
from warehouse.models.work import AnalyticsJob
from warehouse.tenancy import tenant_session

HOUR = timedelta(hours=1)


class Work:
    """A factory that orders, and one beside it."""

    def __init__(self, db: Database, clock: ManualClock, people: tuple[Person, Person]) -> None:
        self.db, self.clock = db, clock
        self.actor, self.stranger = (Actor(person.factory_id, person.user_id) for person in people)
        with tenant_session(db, self.actor.factory_id) as session:
            device = Device(device_key="M1")
            session.add(device)
            session.flush()
            self.device_id = device.id

    def order(self) -> str:
        now = self.clock.now()
        return order_job(self.db, self.clock, self.actor, NewJob("anomaly", "standard", [self.device_id], now - HOUR, now)).id

    def claim(self, job_id: str, run_id: str = "run-1") -> AnalyticsJob | None:
        return job_runs.claim(self.db, self.clock, job_id, run_id)

    def claimed(self, job_id: str) -> AnalyticsJob:
        found = self.claim(job_id)
        assert found is not None
        return found

    def row(self, job_id: str) -> AnalyticsJob:
        return find_job(self.db, self.actor.factory_id, job_id)

    def cancel(self, job_id: str) -> AnalyticsJob:
        return cancel_job(self.db, self.clock, self.actor, job_id, "Lan")


@pytest.fixture
def work(database: Database, manual_clock: ManualClock, two_people: tuple[Person, Person]) -> Work:
    return Work(database, manual_clock, two_people)


def test_of_many_runs_exactly_one_gets_an_analysis(work: Work) -> None:
    job_id = work.order()
    with ThreadPoolExecutor(4) as pool:
        got = [found for found in pool.map(lambda n: work.claim(job_id, f"run-{n}"), range(8)) if found is not None]
    assert len(got) == 1
    assert (work.row(job_id).status, work.row(job_id).run_id) == ("running", got[0].run_id)


def test_progress_is_on_the_row_at_once_and_stays_between_0_and_100(work: Work) -> None:
    job = work.claimed(work.order())
    work.clock.advance(timedelta(seconds=3))
    assert job_runs.beat(work.db, work.clock, job, 140, "x" * 300) == job_runs.Standing(is_mine=True)
    row = work.row(job.id)
    assert (row.progress_percent, row.stage, row.heartbeat_at) == (100, "x" * 100, work.clock.now())
    job_runs.beat(work.db, work.clock, job)
    assert work.row(job.id).stage == "x" * 100


def test_a_waiting_analysis_that_is_cancelled_fails_at_once_and_nobody_gets_it(work: Work) -> None:
    job_id = work.order()
    assert work.cancel(job_id).status == "failed"
    assert work.row(job_id).error_message == "cancelled by Lan"
    assert work.claim(job_id) is None
    with pytest.raises(ConflictError):
        work.cancel(job_id)
    delete_job(work.db, work.clock, work.actor, job_id)
    with pytest.raises(NotFoundError):
        work.row(job_id)


def test_a_running_analysis_learns_that_it_was_cancelled_and_cannot_complete(work: Work) -> None:
    job = work.claimed(work.order())
    work.cancel(job.id)
    assert (work.row(job.id).status, work.row(job.id).stage) == ("running", "being cancelled")
    assert job_runs.beat(work.db, work.clock, job, 50, "goes on").cancelled_by == "Lan"
    assert work.row(job.id).stage == "being cancelled"
    assert job_runs.complete(work.db, work.clock, job, "x", "done", []) is False
    assert (work.row(job.id).status, work.row(job.id).error_message) == ("failed", "cancelled by Lan")


def test_nobody_of_another_factory_cancels_an_analysis(work: Work) -> None:
    job_id = work.order()
    with pytest.raises(NotFoundError):
        cancel_job(work.db, work.clock, work.stranger, job_id, "Stranger")
    assert work.row(job_id).status == "pending"


def test_an_analysis_whose_run_is_gone_fails_in_words_and_its_late_run_writes_nothing(work: Work) -> None:
    job = work.claimed(work.order())
    work.clock.advance(job_runs.LOST_AFTER - timedelta(seconds=1))
    assert job_runs.fail_lost(work.db, work.clock) == []
    work.clock.advance(timedelta(seconds=2))
    assert job_runs.fail_lost(work.db, work.clock) == [job.id]
    assert (work.row(job.id).status, work.row(job.id).error_message) == ("failed", job_runs.LOST)
    assert job_runs.beat(work.db, work.clock, job, 10, "still here").is_mine is False
    assert job_runs.complete(work.db, work.clock, job, "x", "late", []) is False
    assert job_runs.fail(work.db, work.clock, job, "late") is False
    assert work.row(job.id).error_message == job_runs.LOST


def test_an_analysis_that_beats_is_never_lost(work: Work) -> None:
    job = work.claimed(work.order())
    for _ in range(3):
        work.clock.advance(job_runs.LOST_AFTER - timedelta(seconds=1))
        job_runs.beat(work.db, work.clock, job)
        assert job_runs.fail_lost(work.db, work.clock) == []


def test_what_waits_is_found_once_it_was_left_alone_for_a_while(work: Work) -> None:
    first = work.order()
    work.clock.advance(timedelta(seconds=20))
    second = work.order()
    assert job_runs.waiting(work.db, work.clock.now() - timedelta(seconds=10)) == [first]
    assert job_runs.waiting(work.db, work.clock.now()) == [first, second]
    work.claimed(first)
    assert job_runs.waiting(work.db, work.clock.now()) == [second]


def test_more_than_enough_waiting_analyses_are_not_taken(work: Work) -> None:
    ids = [work.order() for _ in range(MOST_UNFINISHED)]
    with pytest.raises(ConflictError, match="50 analyses wait"):
        work.order()
    work.cancel(ids[0])
    work.order()
