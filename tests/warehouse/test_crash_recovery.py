"""kill -9 at random moments of a rollup: nothing is lost, and the next pass mends what is left."""

import multiprocessing
import os
import random
import signal
import time
from datetime import timedelta

import pytest

from tests.warehouse.frames import START, at, series
from warehouse import rollups
from warehouse.lake import Lake
from warehouse.settings import Settings

pytestmark = pytest.mark.slow
LATER = START + timedelta(days=5)


def _roll(settings: Settings) -> None:
    rollups.roll_up(Lake(settings), LATER, {})


def test_a_rollup_that_is_killed_again_and_again_ends_complete(settings: Settings) -> None:
    lake = Lake(settings)
    for number in range(8):
        lake.append(series(number % 3, "power", [float(i) for i in range(900)], step_s=30, start_s=number * 27_000), ("main", number))
    lake.close()
    context = multiprocessing.get_context("spawn")
    for _ in range(4):
        worker = context.Process(target=_roll, args=(settings,))
        worker.start()
        time.sleep(random.uniform(0.9, 2.5))
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()
    lake = Lake(settings)
    rollups.roll_up(lake, LATER, {})
    for level in ("1m", "5m", "1h", "1d"):
        assert rollups.missing_readings(lake, level, START - timedelta(hours=8), at(300_000)) == 0
    assert rollups.all_marks(lake).rows.is_empty()
    lake.close()
