"""States, availability and OEE against figures worked out by hand; minutes are numbered from 08:00."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from tests.warehouse.frames import START, at, series
from warehouse.lake import Lake
from warehouse.queries.oee import oee, parts_by_hour
from warehouse.queries.states import Availability, availability, energy_by_state, pareto, state_timeline, timeline
from warehouse.readings import UTC_TIME

NO_FAULTS = pl.DataFrame(schema={"device_id": pl.Int32, "begin": UTC_TIME, "end": UTC_TIME})
TOLD = {"device_id": pl.Int32, "bucket": UTC_TIME, "state": pl.String}


def minute(number: float) -> datetime:
    return at(number * 60)


def power(*watts: float | None) -> pl.DataFrame:
    rows = [(1, minute(i), w) for i, w in enumerate(watts) if w is not None]
    return pl.DataFrame(rows, schema={"device_id": pl.Int32, "bucket": UTC_TIME, "power_w": pl.Float64}, orient="row")


def spans(frame: pl.DataFrame) -> list[tuple[float, float, str]]:
    return [((b - START) / timedelta(minutes=1), (e - START) / timedelta(minutes=1), s) for _, b, e, s in frame.rows()]


def lines(seen: pl.DataFrame, end: float, faults: pl.DataFrame = NO_FAULTS, told: pl.DataFrame | None = None) -> pl.DataFrame:
    return timeline(
        seen, pl.DataFrame(schema=TOLD) if told is None else told, [1], START, minute(end), typical_w={1: 1000.0}, faults=faults
    )


def test_power_against_what_is_typical_tells_the_state() -> None:
    assert spans(lines(power(900, 900, 200, 10, 800), 5)) == [(0, 2, "running"), (2, 3, "idle"), (3, 4, "off"), (4, 5, "running")]


def test_a_silence_is_not_a_state() -> None:
    found = lines(power(900, *[None] * 9, 900), 11)
    assert spans(found) == [(0, 1, "running"), (1, 10, "nodata"), (10, 11, "running")]


def test_a_fault_counts_while_the_machine_was_meant_to_run() -> None:
    faults = pl.DataFrame({"device_id": [1], "begin": [minute(1.5)], "end": [minute(9)]}, schema=NO_FAULTS.schema)
    assert spans(lines(power(900, 900, 900, 5), 4, faults)) == [(0, 1.5, "running"), (1.5, 3, "fault"), (3, 4, "off")]


def test_what_a_machine_says_itself_goes_before_power() -> None:
    told = pl.DataFrame([(1, minute(1), "idle")], schema=TOLD, orient="row")
    assert spans(lines(power(900, 900, 900), 3, told=told)) == [(0, 1, "running"), (1, 3, "idle")]


def test_availability_and_its_kin() -> None:
    faults = pl.DataFrame({"device_id": [1, 1], "begin": [minute(2), minute(6)], "end": [minute(4), minute(7)]}, schema=NO_FAULTS.schema)
    found = availability(lines(power(*[900.0] * 8, 100, 5), 10, faults))[1]
    assert (found.running_s, found.fault_s, found.idle_s, found.off_s) == (300, 180, 60, 60)
    assert (found.stops, found.failures) == (3, 2)
    assert found.availability == pytest.approx(300 / 540)
    assert (found.mtbf_s, found.mttr_s) == (150, 90)


def test_a_machine_that_was_off_has_no_availability() -> None:
    found = availability(lines(power(5, 5), 2))[1]
    assert (found.availability, found.mtbf_s, found.mttr_s) == (None, None, None)


def test_reasons_are_ordered_by_lost_time() -> None:
    found = pareto(pl.DataFrame({"reason": ["jam", "tool", "jam"], "lost_s": [60.0, 300.0, 40.0]}))
    assert found.select("reason", "stops", "lost_s", "cumulative").rows() == [("tool", 1, 300.0, 0.75), ("jam", 2, 100.0, 1.0)]


def test_the_timeline_of_a_lake(lake: Lake) -> None:
    lake.append(series(1, "power", [900.0] * 10 + [100.0] * 10))
    found = state_timeline(lake, 1, [1], START, minute(20), typical_w={1: 1000.0}, faults=NO_FAULTS)
    assert spans(found) == [(0, 10, "running"), (10, 20, "idle")]


def test_counters_that_begin_anew_lose_no_part(lake: Lake) -> None:
    lake.append(series(1, "good_parts", [0.0, 10.0, 20.0, 5.0, 15.0], step_s=600))
    found = parts_by_hour(lake, 1, [1], START, at(3600))
    assert found["parts"].to_list() == [35.0]


def test_oee_is_the_product_of_its_factors() -> None:
    parts = pl.DataFrame(
        [(1, "good_parts", START, 81.0), (1, "rejected_parts", START, 9.0)],
        schema={"device_id": pl.Int32, "parameter": pl.String, "bucket": UTC_TIME, "parts": pl.Float64},
        orient="row",
    )
    times = Availability(running_s=2880, idle_s=720, fault_s=0, off_s=0, nodata_s=0, stops=1, failures=0)
    found = oee(parts, {1: times}, {1: 150.0})[1]
    assert (found.availability, found.performance, found.quality) == (0.8, 0.75, 0.9)
    assert found.oee == pytest.approx(0.54)


def test_without_counters_there_is_no_oee() -> None:
    parts = pl.DataFrame(schema={"device_id": pl.Int32, "parameter": pl.String, "bucket": UTC_TIME, "parts": pl.Float64})
    assert oee(parts, {1: Availability(60, 0, 0, 0, 0, 0, 0)})[1].oee is None


def test_energy_of_idling_is_what_was_drawn_meanwhile() -> None:
    seen = power(900, 900, 200, 10, 800)
    minutes = seen.with_columns(kwh=pl.col("power_w") / 60_000)
    found = energy_by_state(minutes, lines(seen, 5))
    assert dict(found.select("state", "kwh").rows()) == pytest.approx({"running": 2.6 / 60, "idle": 0.2 / 60, "off": 0.01 / 60})


def test_energy_of_no_machine_is_none() -> None:
    assert energy_by_state(power().with_columns(kwh=pl.col("power_w")), lines(power(900), 1)).height == 0
