"""Without room on the disk or in the landing log nothing is landed, it is said why, and nothing is lost."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from ingest.admission import Admission, log_problem
from ingest.consumer import Ingester
from tests.helpers import wait_until
from tests.ingest.conftest import Machine, Plant
from tests.warehouse.frames import START, readings
from warehouse import landing
from warehouse.db import Database
from warehouse.disk import disk_problem
from warehouse.heartbeat import heartbeats
from warehouse.housekeeping import trim_some
from warehouse.landing import LogSize
from warehouse.settings import Settings
from warehouse.tenancy import system_session

NO_DISK_HAS_SO_MUCH_MB = 10**12


@contextmanager
def running(settings: Settings) -> Iterator[Ingester]:
    ingester, stop = Ingester(settings), threading.Event()
    thread = threading.Thread(target=ingester.run, args=(stop,))
    thread.start()
    try:
        yield ingester
    finally:
        stop.set()
        thread.join(20)


def landed_batches(db: Database) -> int:
    with system_session(db, "count in a test") as session:
        return landing.size(session).batches


def test_enough_room_is_no_problem(plant: Plant) -> None:
    assert Admission(plant.db, plant.settings.home, disk_floor_mb=1, landing_max_mb=1).problem() == ""


def test_a_full_disk_is_said_with_what_to_do(plant: Plant) -> None:
    said = disk_problem(plant.settings.home, NO_DISK_HAS_SO_MUCH_MB)
    assert "MB free, below the floor" in said
    assert "DISK_FLOOR_MB" in said


def test_a_full_log_is_said_with_what_to_do() -> None:
    assert log_problem(LogSize(10, 999_999, START), 1) == ""
    assert "LANDING_MAX_MB" in log_problem(LogSize(10, 1_000_000, START), 1)


@pytest.mark.parametrize("lacking", ["disk_floor_mb", "landing_max_mb"])
def test_messages_wait_in_the_broker_until_there_is_room(plant: Plant, machine: Callable[..., Machine], lacking: str) -> None:
    wrong = {"disk_floor_mb": NO_DISK_HAS_SO_MUCH_MB, "landing_max_mb": 0}[lacking]
    with running(plant.settings.model_copy(update={lacking: wrong})) as ingester:
        wait_until(lambda: not ingester.connection.problem)
        sender = machine("M01")
        for number in range(5):
            sender.publish(b'{"metrics":{"n":%d}}' % number)
        wait_until(lambda: lacking.upper() in ingester.lander.problem, message="it says why nothing lands")
        wait_until(lambda: any(lacking.upper() in beat.problem for beat in heartbeats(plant.db)), 15, "health shows it")
        assert landed_batches(plant.db) == 0
    with running(plant.settings) as ingester:
        wait_until(lambda: ingester.figures.landed() == 5, 15, "all of them land")
        assert ingester.lander.problem == ""


def test_a_log_past_half_of_its_bound_does_not_keep_what_everybody_has_passed(database: Database) -> None:
    with system_session(database, "append in a test", write=True) as session:
        position = landing.append(session, readings((1, "power", 0, 1.0)), 1, START)
        landing.move_cursor(session, "evaluator", 0, position)
    young = START - timedelta(hours=1)
    trim_some(database, young, ["evaluator"], position)
    assert landed_batches(database) == 1
    trim_some(database, young, ["evaluator"], position, most_bytes=1)
    assert landed_batches(database) == 0


def test_a_full_log_keeps_what_somebody_still_needs(database: Database) -> None:
    with system_session(database, "append in a test", write=True) as session:
        position = landing.append(session, readings((1, "power", 0, 1.0)), 1, START)
        landing.move_cursor(session, "evaluator", 0, position)
    trim_some(database, START, ["evaluator"], position - 1, most_bytes=1)
    trim_some(database, START, ["somebody who never ran"], position, most_bytes=1)
    assert landed_batches(database) == 1
