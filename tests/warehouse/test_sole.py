"""A job that only one process may do: taken once, and free as soon as its holder is gone."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.helpers import wait_until
from warehouse.db import Database
from warehouse.errors import LeaseLostError
from warehouse.settings import Settings
from warehouse.sole import SoleProcess

HOLD = """
import sys, time
from pathlib import Path
from warehouse.db import Database
from warehouse.settings import Settings
from warehouse.sole import SoleProcess
sole = SoleProcess(Database(sys.argv[1]), Settings(factoryops_home=Path(sys.argv[2])), "job")
print(sole.acquire(), flush=True)
time.sleep(60)
"""


Sole = Callable[[Database, str], SoleProcess]


@pytest.fixture
def sole_of(settings: Settings) -> Iterator[Sole]:
    """Locks that are given back however the test ends: a connection left open would fail some other test."""
    with ExitStack() as undo:

        def make(db: Database, name: str) -> SoleProcess:
            sole = SoleProcess(db, settings, name)
            undo.callback(sole.release)
            return sole

        yield make


def test_one_at_a_time(database: Database, sole_of: Sole) -> None:
    first, second = sole_of(database, "job"), sole_of(database, "job")
    assert first.acquire()
    assert not second.acquire()
    first.check()
    first.release()
    assert second.acquire()


def test_given_back_all_of_it_however_often_it_was_taken(database: Database, sole_of: Sole) -> None:
    first, second = sole_of(database, "job"), sole_of(database, "job")
    assert first.acquire()
    assert first.acquire()
    first.release()
    assert second.acquire()


def test_jobs_of_other_names_do_not_wait(database: Database, sole_of: Sole) -> None:
    assert sole_of(database, "job").acquire()
    assert sole_of(database, "other-job").acquire()


@pytest.mark.slow
def test_free_when_its_holder_was_killed(database: Database, settings: Settings, sole_of: Sole) -> None:
    sole = sole_of(database, "job")
    url = database.engine.url.render_as_string(hide_password=False)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, url, str(settings.home)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"True\n"
        assert not sole.acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    wait_until(sole.acquire, 60, "the job is free")


def test_a_lost_connection_is_noticed(postgresql_database: Database, sole_of: Sole) -> None:
    sole = sole_of(postgresql_database, "job")
    assert sole.acquire()
    assert sole._connection is not None
    sole._connection.driver_connection.close()  # type: ignore[union-attr]
    with pytest.raises(LeaseLostError):
        sole.check()
    assert sole.acquire()
