"""The energy and the availability page: their pure parts, and the pages without a browser."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from dashboards.availability_data import NO_REASON, lost
from dashboards.availability_parts import strip
from dashboards.energy_parts import amount
from tests.dashboards.conftest import Pages, words
from warehouse.queries.energy_use import Tariff
from warehouse.queries.states import TIMELINE
from warehouse.readings import UTC_TIME
from warehouse.tariffs import set_tariff

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def timeline(*spans: tuple[int, float, float, str]) -> pl.DataFrame:
    return pl.DataFrame([(device, at(begin), at(end), state) for device, begin, end, state in spans], schema=TIMELINE, orient="row")


def test_amounts_that_stand_together_have_one_unit() -> None:
    assert amount(9_999) == ("9,999", "kWh")
    assert amount(18_100) == ("18.1", "MWh")
    assert amount(5_000, most=18_100) == ("5.00", "MWh")


def test_a_strip_never_hides_a_fault() -> None:
    #          0        45 46     60 min
    # 4 steps  |running  |  running    |
    #                    ^ one minute of fault in the last quarter
    found = strip(timeline((1, 0, 45, "running"), (1, 45, 46, "fault"), (1, 46, 60, "running")), 1, START, at(60), steps=4)
    assert found.count("<i ") == 2
    assert 'class="bg-running" style="flex:3"' in found
    assert 'class="bg-fault" style="flex:1"' in found
    assert 'aria-label="running 75 %, fault 25 %"' in found


def test_where_nothing_is_known_the_strip_says_so() -> None:
    assert 'class="bg-nodata" style="flex:4"' in strip(timeline(), 1, START, at(60), steps=4)


def test_time_in_fault_is_told_by_the_alert_that_began_it() -> None:
    states = timeline((1, 0, 10, "running"), (1, 10, 25, "fault"), (2, 0, 5, "fault"), (2, 5, 9, "off"))
    schema = {"device_id": pl.Int32, "begin": UTC_TIME, "end": UTC_TIME, "reason": pl.String}
    faults = pl.DataFrame([(1, at(10), at(25), "Overheat"), (2, at(-3), at(5), None)], schema=schema, orient="row")
    assert sorted(lost(states, faults).rows()) == [("Overheat", 900.0), (NO_REASON, 300.0)]


@pytest.mark.slow
def test_energy_of_today_by_area_and_machine(seen_pages: Pages) -> None:
    # 3 machines at 1 kW from 14:00 to 14:59 factory time; the newest reading counts until now, 15:00.
    said = words(seen_pages.open(seen_pages.plants.north, "energy", range="24 h"))
    assert 'data-fact="energy-today">3.00<u>kWh</u>' in said
    assert "This shift, late" in said
    assert "North hall" in said
    assert "NOR-01" in said
    assert "SOU-" not in said
    assert "No tariff is set" in said


@pytest.mark.slow
def test_cost_and_carbon_follow_the_tariff(pages: Pages) -> None:
    plant = pages.plants.north
    set_tariff(pages.plants.installation.db, plant.person.factory_id, Tariff("EUR", 0.2, carbon_kg_a_kwh=500.0))
    said = words(pages.open(plant, "energy", range="24 h"))
    assert 'data-fact="cost">0.60<u>EUR</u></span>' in said
    assert "<span>Carbon dioxide<b>1.50 t</b></span>" in said


@pytest.mark.slow
def test_availability_counts_the_time_of_critical_alerts_as_fault(seen_pages: Pages) -> None:
    # Of 3 machines' hour NOR-01 stood 14:10 to 14:30 and 14:50 to 15:00: 150 of 180 minutes.
    said = words(seen_pages.open(seen_pages.plants.north, "availability"))
    assert 'data-fact="availability">83.3<u>%</u>' in said
    assert 'data-fact="failures">2</span>' in said
    assert "NOR overheat</b><span>30 min</span>" in said
    assert said.index("NOR-01") < said.index("NOR-02")
    assert "No machine counts parts" in said


@pytest.mark.slow
@pytest.mark.parametrize("view", ["energy", "availability"])
def test_a_factory_without_machines_says_how_the_first_one_comes(seen_pages: Pages, view: str) -> None:
    assert "No machines yet" in words(seen_pages.open(seen_pages.plants.empty, view))
