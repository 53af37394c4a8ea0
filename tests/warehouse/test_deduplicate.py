"""Each reading counts once, in whatever order and however often it arrives.

device time ->      complete_from          watermark
-------- late ----------|---- remembered ------|------ always new ------>
"""

from collections import Counter
from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.warehouse.frames import START, at, readings
from warehouse.readings import KEY, DeduplicationState, Window, deduplicate, empty_readings, learn, unknown


def test_newer_readings_are_new() -> None:
    first = deduplicate(unknown(), readings((1, "power", 0, 1.0)))
    second = deduplicate(first.state, readings((1, "power", 5, 2.0)))
    assert (first.fresh.height, second.fresh.height, second.repeated_rows) == (1, 1, 0)


def test_a_redelivered_batch_is_dropped_whole() -> None:
    batch = readings((1, "power", 0, 1.0), (2, "power", 0, 1.0))
    again = deduplicate(deduplicate(unknown(), batch).state, batch)
    assert (again.fresh.height, again.late.height, again.repeated_rows) == (0, 0, 2)


def test_a_repeat_inside_one_batch_counts_once_and_the_first_wins() -> None:
    found = deduplicate(unknown(), readings((1, "power", 0, 1.0), (1, "power", 0, 9.0)))
    assert found.fresh["value"].to_list() == [1.0]


def test_two_parameters_of_the_same_moment_are_two_readings() -> None:
    first = deduplicate(unknown(), readings((1, "power", 0, 1.0)))
    assert deduplicate(first.state, readings((1, "voltage", 0, 230.0))).fresh["parameter"].to_list() == ["voltage"]


def test_a_reading_out_of_order_within_the_window_is_new_once() -> None:
    first = deduplicate(unknown(), readings((1, "power", 0, 1.0), (1, "power", 60, 1.0)))
    late = deduplicate(first.state, readings((1, "power", 30, 1.0)))
    again = deduplicate(late.state, readings((1, "power", 30, 1.0)))
    assert (late.fresh.height, again.fresh.height) == (1, 0)


def test_a_reading_older_than_what_is_remembered_is_late() -> None:
    first = deduplicate(unknown(), readings((1, "power", 1000, 1.0)))
    found = deduplicate(first.state, readings((1, "power", 0, 1.0)))
    assert (found.fresh.height, found.late.height) == (0, 1)


def test_devices_do_not_influence_each_other() -> None:
    first = deduplicate(unknown(), readings((1, "power", 1000, 1.0)))
    assert deduplicate(first.state, readings((2, "power", 0, 1.0))).fresh.height == 1


def test_what_storage_knows_is_not_new_again() -> None:
    known = readings((1, "power", 50, 1.0))
    watermarks = pl.DataFrame({"device_id": [1], "watermark": [at(60)], "complete_from": [at(0)]})
    state = learn(unknown(), watermarks, known.select(KEY), START)
    found = deduplicate(state, readings((1, "power", 50, 1.0), (1, "power", 55, 1.0), (1, "power", -5, 1.0)))
    assert (found.fresh["ts"].to_list(), found.late["ts"].to_list(), found.repeated_rows) == ([at(55)], [at(-5)], 1)


def test_an_empty_batch_changes_nothing() -> None:
    state = deduplicate(unknown(), readings((1, "power", 0, 1.0))).state
    found = deduplicate(state, empty_readings())
    assert (found.fresh.height, found.state) == (0, state)


def test_memory_is_bounded_and_the_answer_stays_right() -> None:
    window, state = Window(most_rows=100), unknown()
    for second in range(0, 2000, 10):
        rows = tuple((1, f"p{i}", second + i / 100, 1.0) for i in range(10))
        state = deduplicate(state, readings(*rows), window).state
    # Small neighbours are merged up to a bound of their own, so the memory may hold a little more than was asked for.
    assert state.remembered_rows <= 500
    old = deduplicate(state, readings((1, "p0", 0, 1.0)), window)
    assert (old.fresh.height, old.late.height) == (0, 1)


def test_a_silent_device_does_not_hold_the_memory_of_all_others() -> None:
    state = deduplicate(unknown(), readings((1, "power", 0, 1.0))).state
    for minute in range(60):
        state = deduplicate(state, readings((2, "power", minute * 60, 1.0))).state
    assert state.remembered_rows < 40
    # Its last reading, sent once more an hour later, must still not count as new.
    again = deduplicate(state, readings((1, "power", 0, 1.0), received_s=3700))
    assert again.fresh.height == 0


events = st.lists(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["a", "b"]), st.integers(0, 400)), min_size=1, max_size=8),
    min_size=1,
    max_size=15,
)


@settings(max_examples=60, deadline=None)
@given(arrivals=events, crash_after=st.integers(0, 15))
def test_any_order_any_repeats_and_a_crash_give_each_reading_once(arrivals: list[list[tuple[int, str, int]]], crash_after: int) -> None:
    """The loader's use of it, against a set as the model: late ones are asked of the store, a restart learns from the store."""
    window = Window(device_time=timedelta(seconds=60))
    stored: set[tuple[int, str, int]] = set()
    kept: list[tuple[int, str, int]] = []
    state = unknown()
    for number, batch in enumerate(arrivals):
        if number == crash_after:
            state = _relearned(stored, window)
        found = deduplicate(state, readings(*((d, p, s, 0.0) for d, p, s in batch)), window)
        fresh = _keys(found.fresh) + [key for key in _keys(found.late) if key not in stored]
        state = found.state
        kept += fresh
        stored |= set(fresh)
    assert Counter(kept) == Counter({event for batch in arrivals for event in batch})


def _keys(frame: pl.DataFrame) -> list[tuple[int, str, int]]:
    return [(d, p, int((ts - START).total_seconds())) for d, p, ts in frame.select(KEY).rows()]


def _relearned(stored: set[tuple[int, str, int]], window: Window) -> DeduplicationState:
    if not stored:
        return unknown()
    frame = readings(*((d, p, s, 0.0) for d, p, s in stored)).select(KEY)
    marks = (
        frame.group_by("device_id").agg(watermark=pl.col("ts").max()).with_columns(complete_from=pl.col("watermark") - window.device_time)
    )
    recent = frame.join(marks, on="device_id").filter(pl.col("ts") >= pl.col("complete_from")).select(KEY)
    return learn(unknown(), marks, recent, START)


def test_order_of_arrival_is_kept() -> None:
    batch = readings((2, "b", 7, 1.0), (1, "a", 3, 2.0), (2, "a", 5, 3.0))
    assert_frame_equal(deduplicate(unknown(), batch).fresh, batch)
