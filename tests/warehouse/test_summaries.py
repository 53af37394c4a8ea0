"""Summaries of a bucket against figures worked out by hand, and coarser ones against the readings themselves."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.frames import START, readings, series
from warehouse.summaries import STEPS, SUMMARIES, by_local_day, coarser, summarised

MINUTE = timedelta(minutes=1)


def summary(frame: pl.DataFrame, step: timedelta = STEPS["1h"]) -> dict[str, float]:
    return summarised(frame, step).row(0, named=True)


def test_each_reading_counts_until_the_next_one() -> None:
    found = summary(readings((1, "power", 0, 10.0), (1, "power", 60, 20.0), (1, "power", 120, 20.0)))
    assert found["covered_s"] == 60 + 60 + 300, "the last one counts for five minutes"
    assert found["integral"] == 15 * 60 + 20 * 60 + 20 * 300


def test_before_a_long_silence_a_reading_counts_for_five_minutes() -> None:
    found = summary(readings((1, "power", 0, 10.0), (1, "power", 1800, 99.0)))
    assert (found["covered_s"], found["integral"]) == (600, 10 * 300 + 99 * 300)


def test_time_counts_in_the_bucket_in_which_the_reading_began() -> None:
    found = summarised(readings((1, "power", 50, 10.0), (1, "power", 70, 10.0)), MINUTE)
    assert found.select("bucket", "covered_s").rows() == [(START, 20.0), (START + MINUTE, 300.0)]


def test_machines_and_parameters_do_not_touch() -> None:
    frame = pl.concat([readings((1, "a", 0, 1.0)), readings((1, "b", 10, 2.0)), readings((2, "b", 20, 3.0))])
    assert summarised(frame, MINUTE)["covered_s"].to_list() == [300.0] * 3


def test_days_follow_the_time_zone() -> None:
    found = by_local_day(summarised(series(1, "power", [1.0] * 24, step_s=3600), STEPS["1h"]), "Asia/Ho_Chi_Minh")
    assert found["count"].to_list() == [9, 15]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20_000), st.floats(-1e6, 1e6)), min_size=1, max_size=80, unique_by=lambda row: row[0]))
def test_levels_compose(rows: list[tuple[int, float]]) -> None:
    """What comes by way of minutes and five minutes is what the readings give at once."""
    frame = readings(*((1, "power", seconds, value) for seconds, value in sorted(rows)))
    by_way = coarser(coarser(summarised(frame, MINUTE), STEPS["5m"]), STEPS["1h"])
    at_once = summarised(frame, STEPS["1h"])
    assert by_way.columns == SUMMARIES.names()
    for column in ("count", "min", "max", "sum", "first", "last", "covered_s", "integral"):
        assert by_way[column].to_list() == pytest.approx(at_once[column].to_list(), rel=1e-9, abs=1e-3)
