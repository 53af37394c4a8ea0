"""Energy, states and effectiveness of a factory's day, kept and read again, against figures worked out by hand."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from tests.warehouse.frames import START, at, readings, series
from tests.warehouse.queries.conftest import plant
from warehouse.day_figures import (
    day_figures,
    factory_days,
    fault_times,
    record_availability,
    record_energy,
    record_oee,
)
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.lake import Lake
from warehouse.maintenance import expire_readings
from warehouse.queries.energy_overview import energy_indicators, energy_overview
from warehouse.queries.energy_use import Band, Tariff, shift_periods
from warehouse.rollups import all_marks, roll_up
from warehouse.shifts import FactoryClock
from warehouse.tariffs import set_tariff
from warehouse.upkeep import EventRow, maintenance_events, reliability, save_events

__all__ = ["plant"]
NOW = at(2 * 3600)
MIDNIGHT = START - timedelta(hours=15)
"""Of Monday in Vietnam: it is 15:00 there at START."""
ALL = (START - timedelta(days=9), START + timedelta(days=9))


def rows(lake: Lake, table: str, factory_id: int = 1) -> list[dict[str, object]]:
    return day_figures(lake, factory_id, table, *ALL).rows(named=True)


@pytest.fixture
def running(plant: Database, lake: Lake) -> Lake:
    """Machine 3 (oven) at 2 kW for an hour, then 10 minutes of idling at 0.2 kW; it made 40 good and 10 bad parts."""
    hour = series(3, "power", [2000.0] * 61, start_s=0)
    idle = series(3, "power", [200.0] * 10, start_s=3661)
    lake.append(pl.concat([hour, idle]))
    lake.append(pl.concat([series(3, "good_parts", [0, 20, 40], step_s=1800), series(3, "rejected_parts", [0, 5, 10], step_s=1800)]))
    return lake


def test_energy_of_a_day_with_its_idle_part_and_price(plant: Database, running: Lake) -> None:
    set_tariff(plant, 1, Tariff("EUR", 0.5, (Band("afternoon", 1.0, begin_hour=15, end_hour=16),), 0.4))
    for _ in range(2):
        record_energy(plant, running, NOW, days=1)
    (oven,) = [row for row in rows(running, "energy_days") if row["device_id"] == 3]
    # 2 kWh from 15:00 to 16:00; after that 0.2 kW for 9 minutes and the 5 minutes for which the last reading holds.
    idle = 0.2 * 14 / 60
    assert oven["ts"] == MIDNIGHT
    assert oven["kwh"] == pytest.approx(2 + idle, abs=0.02)
    assert oven["idle_kwh"] == pytest.approx(idle, abs=0.03)
    assert oven["cost"] == pytest.approx(2 * 1.0 + idle * 0.5, abs=0.02)
    assert oven["carbon_kg"] == pytest.approx(oven["kwh"] * 0.4)  # type: ignore[operator]  # a number
    assert rows(running, "energy_days", 2) == []


def test_without_a_tariff_there_is_no_price(plant: Database, running: Lake) -> None:
    record_energy(plant, running, NOW, days=1)
    assert {(row["cost"], row["carbon_kg"]) for row in rows(running, "energy_days")} == {(None, None)}


def test_states_of_a_day_with_alerts_and_recorded_failures(plant: Database, running: Lake) -> None:
    record_availability(plant, running, NOW, days=1)
    before = {row["device_id"]: row for row in rows(running, "availability_days")}
    assert before[3]["running_s"] == pytest.approx(3660, abs=61)
    assert before[3]["idle_s"] == pytest.approx(600, abs=61)
    assert (before[3]["fault_s"], before[3]["failures"], before[3]["stops"]) == (0, 0, 1)
    assert before[2]["nodata_s"] == (NOW - MIDNIGHT).total_seconds(), "nothing was heard of the pump"
    save_events(plant, 1, "cmms", [EventRow("F1", 3, "failure", at(600), at(1200))], NOW)
    record_availability(plant, running, NOW, days=1)
    after = {row["device_id"]: row for row in rows(running, "availability_days")}
    assert (after[3]["fault_s"], after[3]["failures"]) == (600, 1)
    assert after[3]["availability"] == pytest.approx(after[3]["running_s"] / (after[3]["running_s"] + after[3]["idle_s"] + 600))  # type: ignore[operator]  # numbers
    assert len(after) == len(before)


def test_effectiveness_of_machines_that_count_parts(plant: Database, running: Lake) -> None:
    record_oee(plant, running, NOW, days=1)
    (oven,) = rows(running, "oee_days")
    assert (oven["device_id"], oven["good_parts"], oven["rejected_parts"], oven["quality"]) == (3, 40, 10, 0.8)
    assert oven["oee"] == pytest.approx(oven["availability"] * oven["performance"] * 0.8)  # type: ignore[operator]  # numbers


def test_a_late_reading_opens_the_day_that_it_touches_again_and_no_other(plant: Database, running: Lake) -> None:
    later, zones = NOW + timedelta(days=5), {1: "Asia/Ho_Chi_Minh"}
    roll_up(running, later, zones)
    record_energy(plant, running, later, days=1)
    before = {row["ts"]: row["kwh"] for row in rows(running, "energy_days")}
    assert set(before) == {MIDNIGHT}, "loaded after its day had passed, and made all the same"
    with running.writer() as cursor:
        cursor.execute("INSERT INTO lake.energy_days VALUES (1, 3, ?, 7, 0, NULL, NULL)", [MIDNIGHT + timedelta(days=1)])
    running.append(series(3, "power", [2000.0] * 11, start_s=3 * 3600), ("main", 1))
    roll_up(running, later, zones)
    for _ in range(2):
        record_energy(plant, running, later, days=1)
    after = {row["ts"]: row["kwh"] for row in rows(running, "energy_days")}
    # 10 minutes, and the 5 for which the last reading holds.
    assert after == {MIDNIGHT: pytest.approx(before[MIDNIGHT] + 2 * 15 / 60), MIDNIGHT + timedelta(days=1): 7}
    assert set(all_marks(running).rows["level"]) == {"availability_days", "oee_days"}, "each table takes its own marks"


def test_a_day_of_which_the_readings_have_expired_keeps_its_figures(plant: Database, running: Lake) -> None:
    later = NOW + timedelta(days=5)
    roll_up(running, later, {})
    record_oee(plant, running, later, days=1)
    expire_readings(running, later)
    running.append(readings((3, "good_parts", 60, 9.0)), ("main", 1))
    roll_up(running, later, {})
    record_oee(plant, running, later, days=1)
    (oven,) = rows(running, "oee_days")
    assert (oven["good_parts"], oven["rejected_parts"]) == (40, 10)
    assert "oee_days" not in set(all_marks(running).rows["level"])


def test_days_are_the_factorys(plant: Database) -> None:
    days = factory_days(plant, 1, NOW, 3)
    assert days == [
        (MIDNIGHT - timedelta(days=2), MIDNIGHT - timedelta(days=1)), (MIDNIGHT - timedelta(days=1), MIDNIGHT), (MIDNIGHT, NOW),
    ]  # fmt: skip
    with pytest.raises(NotFoundError):
        factory_days(plant, 99, NOW, 1)


def test_an_alert_and_a_failure_that_last_go_on_to_the_end(plant: Database) -> None:
    save_events(plant, 1, "cmms", [EventRow("F1", 3, "failure", at(60)), EventRow("P1", 3, "planned", at(60))], NOW)
    found = fault_times(plant, 1, MIDNIGHT, NOW).filter(pl.col("device_id") == 3)
    assert found.rows() == [(3, at(60), NOW)]


def test_reliability_from_recorded_failures(plant: Database) -> None:
    save_events(plant, 1, "cmms", [
        EventRow("F1", 3, "failure", at(0), at(600)), EventRow("F2", 3, "failure", at(300), at(900)),
        EventRow("F3", 3, "failure", at(3600)),
        EventRow("R1", 3, "repair", at(0), at(600)),
    ], NOW)  # fmt: skip
    found = reliability(maintenance_events(plant, 1, START, NOW), START, NOW)
    # Down for 900 s and, going on, 3600 s of 7200 s.
    assert (found[3].failures, found[3].down_s, found[3].mtbf_s, found[3].mttr_s) == (3, 4500, 900, 600)


def test_overview_by_machine_region_and_period(plant: Database, running: Lake) -> None:
    running.append(
        readings((1, "power", -86_400, 1000.0), (1, "power", -86_400 + 60, 1000.0), (4, "power", 0, 9000.0), (4, "power", 60, 9000.0))
    )
    set_tariff(plant, 1, Tariff("EUR", 0.5, (), 0.4))
    found = energy_overview(plant, running, 1, NOW)
    today = found.periods["today"]
    assert today.factory.kwh == pytest.approx(today.by_device[3].kwh), "the energy meter measures what others draw"
    assert today.by_device[4].kwh > 0
    assert today.by_device[1].before_kwh == pytest.approx(0.1, rel=0.01), "a minute, and 5 for which the last reading holds"
    assert today.factory.before_kwh == pytest.approx(0.1, rel=0.01)
    assert today.by_region[""].kwh == pytest.approx(today.factory.kwh)
    assert today.cost == {"otherwise": pytest.approx(today.factory.kwh * 0.5)}
    assert today.carbon_kg == pytest.approx(today.factory.kwh * 0.4)
    assert found.periods["week"].factory.kwh == pytest.approx(today.factory.kwh)
    assert set(found.periods) == {"shift", "today", "week", "month"}
    assert energy_overview(plant, running, 2, NOW).periods["today"].by_device == {}


@pytest.mark.parametrize(
    ("local", "begin", "before", "before_end"),
    [
        ("2026-01-07T10:00", "2026-01-07T06:00", "2026-01-06T22:00", "2026-01-07T02:00"),
        ("2026-01-07T01:00", "2026-01-06T22:00", "2026-01-06T14:00", "2026-01-06T17:00"),
        # The night on which the clock goes from 3 back to 2 is an hour longer than the shift before it.
        ("2026-10-25T05:30", "2026-10-24T22:00", "2026-10-24T14:00", "2026-10-24T22:00"),
    ],
)
def test_a_shift_beside_the_one_before(local: str, begin: str, before: str, before_end: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    now, *expected = (datetime.fromisoformat(text).replace(tzinfo=berlin) for text in (local, begin, before, before_end))
    found = shift_periods(now, FactoryClock("Europe/Berlin"))
    assert [found["shift"][0], *found["before_shift"]] == expected
    assert found["shift"][1] == now


def test_indicators_are_judged_by_a_baseline(plant: Database, lake: Lake) -> None:
    """20 days of 10 kWh and 0.5 kWh a part; then two days that need a tenth more."""
    days = [(START + timedelta(days=n), 10.0 * (n % 5), 1.0 if n < 20 else 1.1) for n in range(22)]
    energy = [(1, 3, ts, (10 + 0.5 * parts) * factor, 0.0, None, None) for ts, parts, factor in days]
    made = [(1, 3, ts, 1.0, 1.0, 1.0, parts, 0.0) for ts, parts, _ in days]
    states = [(1, 3, ts, 36_000.0, 0.0, 0.0, 0.0, 0.0, 0, 0) for ts, _, _ in days]
    with lake.writer() as cursor:
        for table, found in (("energy_days", energy), ("oee_days", made), ("availability_days", states)):
            cursor.executemany(f"INSERT INTO lake.{table} VALUES ({', '.join('?' * len(found[0]))})", found)
    split, end = START + timedelta(days=20), START + timedelta(days=22)
    found = energy_indicators(lake, 1, split, end, baseline=(START, split))
    assert found.baseline is not None
    assert (found.baseline.base_kwh, found.baseline.kwh_per_part, found.baseline.days) == (pytest.approx(10), pytest.approx(0.5), 20)
    assert found.deviation == pytest.approx(0.1)
    assert (found.kwh_per_running_h, found.kwh_per_part) == (pytest.approx(found.kwh / 20), pytest.approx(found.kwh / 10))
    assert energy_indicators(lake, 2, split, end, baseline=(START, split)).deviation is None
