"""Facts about readings that checks are made of."""

import polars as pl

from tests.warehouse.frames import START, at, readings
from warehouse.lake import Lake
from warehouse.lake_checks import reading_facts


def test_repeats_and_wrong_clocks_are_counted(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0), (2, "power", 0, 1.0)))
    lake.append(pl.concat([readings((1, "power", 0, 2.0)), readings((3, "power", 600, 1.0), received_s=0)]), ("main", 1))
    found = reading_facts(lake, START, at(3600))
    assert (found.readings, found.repeated) == (4, 1)
    assert (found.machines, found.machines_ahead, found.ahead_of_time) == (3, 1, 1)
