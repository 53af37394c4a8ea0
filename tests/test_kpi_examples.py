"""The worked examples of docs/kpis.md, computed by the code that computes the figures."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from tests.helpers import REPOSITORY
from tests.warehouse.frames import START, at, readings
from tests.warehouse.queries.conftest import NOW, OFFLINE_AFTER, filled
from warehouse.db import Database
from warehouse.health import device_health, factory_health
from warehouse.lake import Lake
from warehouse.power_units import in_watts, watts_a_unit
from warehouse.queries.energy_overview import EnergyIndicators
from warehouse.queries.energy_performance import Baseline, fit_baseline
from warehouse.queries.energy_use import Band, Comparison, Tariff, by_group, by_shift, carbon_kg, cost, shift_periods
from warehouse.queries.oee import Oee, oee, parts_by_hour
from warehouse.queries.states import TIMELINE, Availability, availability, energy_by_state, pareto, timeline
from warehouse.queries.summary import dashboard_summary
from warehouse.readings import UTC_TIME
from warehouse.shifts import FactoryClock
from warehouse.summaries import summarised
from warehouse.upkeep import EVENTS, Reliability, reliability
from warehouse.usual_intervals import stale_after_s, usual_intervals_s

PAGE = REPOSITORY / "docs" / "kpis.md"
HOURS = {"device_id": pl.Int32, "bucket": UTC_TIME, "kwh": pl.Float64}
UTC_CLOCK = FactoryClock("UTC")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
NO_FIGURE = {"all of these together"}
"""Rows of the page that put other figures together."""


def hour(*rows: tuple[int, float, float]) -> pl.DataFrame:
    """Energy a machine and hour, from (machine, hour of Monday, kWh)."""
    return pl.DataFrame([(device, MONDAY + timedelta(hours=at_hour), kwh) for device, at_hour, kwh in rows], schema=HOURS, orient="row")


def state_of(power_w: float | None, *, is_fault: bool = False) -> str:
    """The state of a minute of a machine that draws 10 kW while it works."""
    minutes = [] if power_w is None else [(1, at(60 * minute), power_w) for minute in range(10)]
    power = pl.DataFrame(minutes, schema={"device_id": pl.Int32, "bucket": UTC_TIME, "power_w": pl.Float64}, orient="row")
    told = pl.DataFrame(schema={"device_id": pl.Int32, "bucket": UTC_TIME, "state": pl.String})
    broken = pl.DataFrame(
        [(1, START, at(600))] if is_fault else [], schema={"device_id": pl.Int32, "begin": UTC_TIME, "end": UTC_TIME}, orient="row"
    )
    [state] = timeline(power, told, [1], START, at(600), typical_w={1: 10_000}, faults=broken)["state"].unique().to_list()
    return str(state)


def day() -> Availability:
    """The day that the page describes above its table."""
    spans, begin = [], MONDAY
    for minutes, state in ((120, "running"), (20, "fault"), (120, "running"), (60, "idle"), (120, "running"), (40, "fault"), (960, "off")):
        spans.append((1, begin, begin + timedelta(minutes=minutes), state))
        begin += timedelta(minutes=minutes)
    return availability(pl.DataFrame(spans, schema=TIMELINE, orient="row"))[1]


def effectiveness() -> Oee:
    made = [(1, name, MONDAY, parts) for name, parts in (("good_parts", 513.0), ("rejected_parts", 27.0))]
    parts = pl.DataFrame(
        made, schema={"device_id": pl.Int32, "parameter": pl.String, "bucket": UTC_TIME, "parts": pl.Float64}, orient="row"
    )
    return oee(parts, {1: day()}, {1: 120})[1]


def two_readings() -> dict[str, float]:
    frame = readings((1, "power", 0, 6_000), (1, "power", 300, 12_000)).select("factory_id", "device_id", "parameter", "ts", "value")
    return summarised(frame, timedelta(hours=1)).row(0, named=True)


def usual(*counted: tuple[float, int]) -> float:
    """Seconds between readings, from (hour, number of readings)."""
    rows = [(1, "power", MONDAY + timedelta(hours=at_hour), number) for at_hour, number in counted]
    return usual_intervals_s(
        pl.DataFrame(rows, schema={"device_id": pl.Int32, "parameter": pl.String, "bucket": UTC_TIME, "count": pl.Int64}, orient="row")
    )[1]


def baseline() -> Baseline:
    found = fit_baseline(pl.DataFrame({"parts": [100.0 * n for n in range(1, 11)], "kwh": [50 + 20.0 * n for n in range(1, 11)]}))
    assert found is not None
    return found


def wasted() -> float:
    minutes = [(1, at(60 * n), 10 / 60 if n < 10 else 1 / 60) for n in range(40)]
    power = pl.DataFrame(minutes, schema={"device_id": pl.Int32, "bucket": UTC_TIME, "kwh": pl.Float64}, orient="row")
    states = pl.DataFrame([(1, START, at(600), "running"), (1, at(600), at(2400), "idle")], schema=TIMELINE, orient="row")
    return float(energy_by_state(power, states).filter(pl.col("state") == "idle")["kwh"].item())


def maintained() -> Reliability:
    failures = [(1, MONDAY + timedelta(hours=begin), MONDAY + timedelta(hours=end)) for begin, end in ((2, 3), (10, 13))]
    events = pl.DataFrame(
        [{"device_id": device, "kind": "failure", "began_at": began, "ended_at": ended} for device, began, ended in failures],
        schema_overrides=EVENTS,
    )
    return reliability(events, MONDAY, MONDAY + timedelta(days=1))[1]


def night_of() -> str:
    [(of_day, name, _)] = by_shift(hour((1, 26, 1.0)), UTC_CLOCK).rows()
    assert isinstance(of_day, date)
    return f"{name} of {of_day}"


def part_of_the_shift_before() -> str:
    begin, end = shift_periods(MONDAY + timedelta(hours=10), UTC_CLOCK)["before_shift"]
    return f"{begin:%H:%M} to {end:%H:%M}"


def biggest_reason() -> float:
    stops = [("tool change", 3600.0), ("tool change", 1800.0), ("no material", 1800.0)]
    return float(pareto(pl.DataFrame(stops, schema=["reason", "lost_s"], orient="row"))["share"][0])


def percent(share: float | None, digits: int = 0) -> str:
    assert share is not None
    return f"{share * 100:.{digits}f} %"


TARIFF = Tariff("EUR", 0.30, (Band("night", 0.20, begin_hour=0, end_hour=6),), 0.4)
INDICATORS = EnergyIndicators(120.0, 10.0, 600.0, None, None)
COMPUTED: dict[str, Callable[[], str]] = {
    "time-weighted mean": lambda: f"{two_readings()['integral'] / two_readings()['covered_s']:,.0f} W",
    "energy in kWh": lambda: f"{two_readings()['integral'] / 3.6e6:.2f} kWh",
    "power in W": lambda: (
        f"{in_watts(pl.DataFrame({'device_id': [1], 'power': [7.5]}), watts_a_unit({1: 'kW'}), 'power')['power'].item():,.0f} W"
    ),
    "energy of a region or factory": lambda: (
        f"{by_group(hour((1, 0, 2), (2, 0, 3), (3, 0, 4), (4, 0, 9)), {1: 'A', 2: 'A', 3: 'B'})['A']:.0f} kWh"
    ),
    "against the period before": lambda: f"+{percent(Comparison(110, 100).change)}",
    "shift": night_of,
    "idle waste": lambda: f"{wasted():.2f} kWh",
    "cost": lambda: f"{sum(cost(hour((1, 3, 8), (1, 12, 2)), TARIFF, 'UTC').values()):.2f} EUR",
    "carbon": lambda: f"{carbon_kg(hour((1, 3, 8), (1, 12, 2)), TARIFF):.1f} kg",
    "shift against the one before": part_of_the_shift_before,
    "energy performance indicator": lambda: f"{INDICATORS.kwh_per_running_h:.1f} kWh an hour, {INDICATORS.kwh_per_part:.2f} kWh a part",
    "baseline": lambda: f"{baseline().base_kwh:.0f} kWh + {baseline().kwh_per_part:.2f} kWh a part",
    "deviation from the baseline": lambda: (
        f"+{percent(EnergyIndicators(165.0, 1, 500, baseline(), baseline().expected_kwh(500)).deviation)}"
    ),
    "nodata": lambda: state_of(None),
    "fault": lambda: state_of(8_000, is_fault=True),
    "off": lambda: state_of(200),
    "idle": lambda: state_of(2_000),
    "running": lambda: state_of(4_000),
    "planned time": lambda: f"{day().planned_s / 3600:.0f} h",
    "availability": lambda: percent(day().availability),
    "stops": lambda: str(day().stops),
    "failures": lambda: str(day().failures),
    "MTBF": lambda: f"{(day().mtbf_s or 0) / 3600:.1f} h",
    "MTTR": lambda: f"{(day().mttr_s or 0) / 60:.0f} min",
    "Pareto": lambda: percent(biggest_reason()),
    "performance": lambda: percent(effectiveness().performance),
    "quality": lambda: percent(effectiveness().quality),
    "OEE": lambda: percent(effectiveness().oee, 1),
    "health score of a factory": lambda: str(
        factory_health([({"critical": 2, "high": 1}, False, 1.0), *(({}, True, 1.0) for _ in range(3))]).score
    ),
    "health score with importance": lambda: str(factory_health([({"critical": 1}, False, 2.0)]).score),
    "health score of a machine": lambda: str(device_health({"critical": 1, "medium": 1})),
    "usual interval": lambda: f"{usual((0, 360), (1, 360), (2, 20), (3, 360), (4, 360)):,.0f} s",
    "usual interval of a slow machine": lambda: f"{usual((0, 1), (2, 1), (4, 1)):,.0f} s",
    "stale after": lambda: f"{stale_after_s(10, 300):,.0f} s",
    "stale after, slow": lambda: f"{stale_after_s(7200, 300):,.0f} s",
    "MTBF from maintenance alone": lambda: f"{(maintained().mtbf_s or 0) / 3600:.1f} h",
    "MTTR from maintenance alone": lambda: f"{(maintained().mttr_s or 0) / 3600:.1f} h",
}
FROM_STORAGE = {"power now", "counter that begins anew"}


def tables() -> tuple[dict[str, str], set[str]]:
    """Result by figure of the worked examples, and the figures that the page defines."""
    defined_in, examples_in = PAGE.read_text(encoding="utf-8").split("## Worked examples")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in examples_in.splitlines() if line.startswith("| ")]
    names = set(re.findall(r"^\| ([^|]+?) \|", defined_in, re.MULTILINE)) - {"figure", "state"}
    return {name: result for name, _, result in rows if name != "figure"}, names - NO_FIGURE


def test_every_figure_has_an_example_and_every_example_is_computed() -> None:
    examples, defined = tables()
    assert defined - set(examples) == set()
    assert set(examples) == set(COMPUTED) | FROM_STORAGE


@pytest.mark.parametrize("figure", COMPUTED)
def test_an_example_is_what_the_code_computes(figure: str) -> None:
    assert COMPUTED[figure]() == tables()[0][figure]


def test_examples_that_need_storage(sqlite_database: Database, lake: Lake) -> None:
    examples, _ = tables()
    found = dashboard_summary(filled(sqlite_database), lake, 1, NOW, OFFLINE_AFTER)
    assert f"{found.current_energy_kw:.1f} kW" == examples["power now"]
    lake.append(readings((1, "good_parts", 0, 95), (1, "good_parts", 60, 100), (1, "good_parts", 120, 4)))
    assert f"{parts_by_hour(lake, 1, [1], START, NOW)['parts'].sum():.0f} parts" == examples["counter that begins anew"]
