"""What charts and energy figures show, from the lake, against figures worked out by hand."""

from datetime import timedelta

import pytest
from polars.testing import assert_frame_equal

from tests.warehouse.frames import START, at, readings, series
from tests.warehouse.queries.conftest import NOW, OFFLINE_AFTER
from warehouse import rollups
from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.lake import Lake
from warehouse.queries.energy import energy_kwh, power_by_device, typical_power_w
from warehouse.queries.history import history, interval_for, spikes_kept, trace, with_gaps
from warehouse.queries.summaries import summaries
from warehouse.queries.summary import dashboard_summary, local_midnight

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_history_gives_mean_least_greatest_and_count_a_bucket(lake: Lake) -> None:
    lake.append(series(1, "power", [1.0, 2.0, 9.0, 5.0], step_s=30))
    found = history(lake, 1, [1], ["power"], START, at(3600), interval=MINUTE)
    assert found.rows() == [(1, "power", START, 1.5, 1.0, 2.0, 2), (1, "power", at(60), 7.0, 5.0, 9.0, 2)]


def test_history_ends_before_its_end(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0), (1, "power", 60, 2.0)))
    assert history(lake, 1, [1], ["power"], START, at(60), interval=MINUTE).height == 1


def test_history_of_several_machines_and_parameters_is_one_query(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0), (2, "power", 0, 2.0), (2, "voltage", 0, 3.0), (3, "power", 0, 4.0)))
    found = history(lake, 1, [1, 2], ["power", "voltage"], START, at(60), interval=MINUTE)
    assert [(row[0], row[1], row[3]) for row in found.rows()] == [(1, "power", 1.0), (2, "power", 2.0), (2, "voltage", 3.0)]


def test_history_of_a_foreign_machine_is_empty(lake: Lake) -> None:
    lake.append(readings((9, "power", 0, 1.0), factory_id=2))
    assert history(lake, 1, [9], ["power"], START, at(60), interval=MINUTE).is_empty()


def test_an_empty_range_is_refused(lake: Lake) -> None:
    with pytest.raises(InvalidInputError):
        history(lake, 1, [1], ["power"], START, START, interval=MINUTE)


def test_a_gap_breaks_the_line(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0), (1, "power", 60, 1.0), (1, "power", 1800, 1.0)))
    found = with_gaps(history(lake, 1, [1], ["power"], START, at(3600), interval=MINUTE), MINUTE)
    assert [(row[2], row[3]) for row in found.rows()] == [(START, 1.0), (at(60), 1.0), (at(120), None), (at(1800), 1.0)]


@pytest.mark.parametrize(("hours", "most", "expected_s"), [(1, 720, 5), (12, 720, 60), (168, 720, 1800), (720, 720, 3600), (24, 100, 1800)])
def test_the_interval_keeps_to_the_point_budget(hours: int, most: int, expected_s: int) -> None:
    assert interval_for(START, START + timedelta(hours=hours), most) == timedelta(seconds=expected_s)


def test_energy_is_the_integral_of_power(lake: Lake) -> None:
    """Power rises evenly from 0 to 3,600 W within an hour: 1.8 kWh."""
    lake.append(series(1, "power", [float(minute * 60) for minute in range(61)]))
    assert energy_kwh(lake, 1, START, at(3600))[1] == pytest.approx(1.8)


def test_energy_counts_five_minutes_of_a_long_gap(lake: Lake) -> None:
    """3.6 kW for a minute, then for five minutes of the silence; the newest reading counts for nothing yet."""
    lake.append(readings((1, "power", 0, 3600.0), (1, "power", 60, 3600.0), (1, "power", 3600, 3600.0)))
    assert energy_kwh(lake, 1, START, at(3600))[1] == pytest.approx(0.36)


@pytest.mark.parametrize("start_s", [0, 1800, 3600, 7260])
def test_answers_are_the_same_before_and_after_the_rollup(lake: Lake, start_s: int) -> None:
    """Six hours at 30 s, asked on and off the hour, with one hour marked again by a late reading."""
    lake.append(series(1, "power", [float(i % 37) for i in range(720)], step_s=30))
    asked = [(MINUTE * 5, at(start_s), at(15_000)), (HOUR, at(start_s), at(20_000)), (HOUR, at(start_s), at(86_400))]

    def ask() -> list[object]:
        return [summaries(lake, 1, begin, end, step, with_integral=True) for step, begin, end in asked]

    raw = ask()
    rollups.roll_up(lake, START + timedelta(days=3), {})
    for before, after in zip(raw, ask(), strict=True):
        assert_frame_equal(before, after, rel_tol=1e-9)  # type: ignore[arg-type]
    lake.append(readings((1, "power", 9015, 500.0)), ("main", 1))
    marked = ask()
    rollups.roll_up(lake, START + timedelta(days=3), {})
    for before, after in zip(marked, ask(), strict=True):
        assert_frame_equal(before, after, rel_tol=1e-9)  # type: ignore[arg-type]
    assert max(frame["max"].max() for frame in marked) == 500.0  # type: ignore[type-var]


def test_downsampling_keeps_every_spike_and_the_budget() -> None:
    values = [float(i % 5) for i in range(10_000)]
    values[1234], values[8765] = 99.0, -99.0
    frame = series(1, "power", values, step_s=1).select("device_id", "parameter", "ts", "value")
    found = spikes_kept(frame, 400)
    assert found.height <= 400
    assert {(at(1234), 99.0), (at(8765), -99.0)} <= set(found.select("ts", "value").rows())
    assert_frame_equal(spikes_kept(frame.head(50), 400), frame.head(50))


def test_a_trace_of_weeks_keeps_a_spike_of_a_second(lake: Lake) -> None:
    lake.append(series(1, "power", [1.0] * 3000, step_s=300))
    lake.append(readings((1, "power", 450_001, 77.0)), ("main", 1))
    rollups.roll_up(lake, START + timedelta(days=12), {})
    found = trace(lake, 1, [1], ["power"], START, at(900_000), most_points=200)
    assert (found["value"].max(), found.height <= 400) == (77.0, True)


def test_power_is_averaged_a_bucket_and_machine(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 100.0), (1, "power", 30, 300.0), (2, "power", 0, 50.0)))
    assert power_by_device(lake, 1, START, at(3600), HOUR).rows() == [(1, START, 200.0), (2, START, 50.0)]


def test_typical_power_is_near_the_upper_end(lake: Lake) -> None:
    lake.append(series(1, "power", [float(i) for i in range(100)]))
    assert typical_power_w(lake, 1, START, at(6000))[1] == pytest.approx(90, abs=2)


def test_the_day_begins_at_midnight_of_the_factory() -> None:
    assert local_midnight(START, "Asia/Ho_Chi_Minh").isoformat() == "2026-01-05T00:00:00+07:00"
    assert local_midnight(START, "America/New_York").isoformat() == "2026-01-05T00:00:00-05:00"


def test_the_summary_of_a_factory(plant: Database, lake: Lake) -> None:
    """An hour of 1 kW today and half of it yesterday; the meter measures what others draw and is not added."""
    day = 24 * 3600
    lake.append(series(1, "power", [1000.0] * 61))
    lake.append(series(1, "power", [500.0] * 61, start_s=-day))
    lake.append(series(4, "power", [1500.0] * 61))
    lake.append(series(9, "power", [7000.0] * 61, factory_id=2))
    found = dashboard_summary(plant, lake, 1, NOW + timedelta(seconds=1), OFFLINE_AFTER)
    assert (found.total_devices, found.active_devices, found.offline_devices) == (4, 3, 1)
    assert found.alerts == {"critical": 1, "high": 1, "medium": 1, "low": 0}
    assert (found.active_alerts, found.health.score) == (3, 100 - 5 - 2 - 1)
    assert found.current_energy_kw == pytest.approx(1.0)
    assert (found.energy_today_kwh, found.energy_yesterday_kwh) == (pytest.approx(1.0, rel=1e-3), pytest.approx(0.5, rel=1e-3))
    assert found.states == {"running": 2, "idle": 0, "fault": 1, "off": 0, "offline": 1}
