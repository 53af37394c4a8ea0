"""A job that only one process may do: taken once, and free as soon as its holder is gone."""

import signal
import subprocess
import sys

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


def test_one_at_a_time(database: Database, settings: Settings) -> None:
    first, second = SoleProcess(database, settings, "job"), SoleProcess(database, settings, "job")
    assert first.acquire()
    assert not second.acquire()
    first.check()
    first.release()
    assert second.acquire()
    second.release()


def test_jobs_of_other_names_do_not_wait(database: Database, settings: Settings) -> None:
    first, second = SoleProcess(database, settings, "job"), SoleProcess(database, settings, "other-job")
    assert first.acquire()
    assert second.acquire()
    first.release()
    second.release()


@pytest.mark.slow
def test_free_when_its_holder_was_killed(database: Database, settings: Settings) -> None:
    sole = SoleProcess(database, settings, "job")
    url = database.engine.url.render_as_string(hide_password=False)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, url, str(settings.home)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"True\n"
        assert not sole.acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    wait_until(sole.acquire, 5, "the job is free")
    sole.release()


def test_a_lost_connection_is_noticed(postgresql_database: Database, settings: Settings) -> None:
    sole = SoleProcess(postgresql_database, settings, "job")
    assert sole.acquire()
    assert sole._connection is not None
    sole._connection.driver_connection.close()  # type: ignore[union-attr]
    with pytest.raises(LeaseLostError):
        sole.check()
    assert sole.acquire()
    sole.release()
