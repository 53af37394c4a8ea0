"""A machine that measures power in kW counts in kW wherever power is added up, and shows its own unit everywhere else."""

from datetime import timedelta

import polars as pl
import pytest
from sqlalchemy import update

from tests.fixtures.two_plants import NOW, TwoPlants
from warehouse.models.devices import DeviceParameter
from warehouse.power_units import in_watts, watts_a_unit
from warehouse.queries.availability import slots
from warehouse.queries.devices import device_list
from warehouse.queries.energy import energy_kwh, power_by_device, typical_power_w
from warehouse.queries.energy_overview import energy_overview
from warehouse.queries.energy_performance import energy_and_output
from warehouse.queries.history import history
from warehouse.queries.states import power_minutes
from warehouse.queries.summary import dashboard_summary
from warehouse.tenancy import tenant_session

HOUR = timedelta(hours=1)


def test_units_that_are_not_watts() -> None:
    assert watts_a_unit({1: "kW", 2: "W", 3: None, 4: "MW", 5: "hp"}) == {1: 1000.0, 4: 1_000_000.0}


def test_only_those_machines_are_turned() -> None:
    frame = pl.DataFrame({"device_id": [1, 2], "power_w": [1.5, 1.5], "kwh": [None, 2.0]}, schema_overrides={"device_id": pl.Int32})
    assert in_watts(frame, {1: 1000.0}, "power_w", "kwh").rows() == [(1, 1500.0, None), (2, 1.5, 2.0)]


@pytest.mark.slow
def test_one_machine_in_kw_beside_two_in_w(two_plants: TwoPlants) -> None:
    """Each says 1000 for an hour: 1000 kW, 1 kW and 1 kW."""
    inst, plant = two_plants.installation, two_plants.north
    factory_id, ids = plant.person.factory_id, list(plant.devices.values())
    first, second, third = ids
    with tenant_session(inst.db, factory_id, write=True) as session:
        session.execute(
            update(DeviceParameter).where(DeviceParameter.device_id == first, DeviceParameter.parameter_key == "power").values(unit="kW")
        )
    lake, start = inst.lake, NOW - HOUR
    energy = energy_kwh(lake, factory_id, start, NOW)
    assert energy == pytest.approx({first: 1000.0, second: 1.0, third: 1.0})
    assert typical_power_w(lake, factory_id, start, NOW) == pytest.approx({first: 1e6, second: 1e3, third: 1e3})
    assert power_by_device(lake, factory_id, start, NOW, HOUR)["power_w"].to_list() == pytest.approx([1e6, 1e3, 1e3])
    assert power_minutes(lake, factory_id, ids, start, NOW).filter(pl.col("device_id") == first)["kwh"].sum() == pytest.approx(1000.0)
    reader, watts = lake.reader(factory_id), lake.watts_a_unit(factory_id)
    found = slots(reader, ids, start, NOW, watts).group_by("device_id").agg(pl.col("power_w").mean()).sort("device_id")
    assert found["power_w"].to_list() == pytest.approx([1e6, 1e3, 1e3])
    assert energy_and_output(reader, ids, start, NOW, watts)["kwh"].sum() == pytest.approx(1002 * 59 / 60)
    rows = {row.id: row.power_w for row in device_list(inst.db, factory_id, NOW, timedelta(minutes=5))}
    assert rows == {first: 1e6, second: 1e3, third: None}
    summary = dashboard_summary(inst.db, lake, factory_id, NOW, timedelta(minutes=5))
    assert (summary.current_energy_kw, summary.energy_today_kwh) == pytest.approx((1001.0, 1002.0))
    overview = energy_overview(inst.db, lake, factory_id, NOW)
    assert (overview.kw_now, overview.periods["today"].factory.kwh) == pytest.approx((1001.0, 1002.0))
    assert history(lake, factory_id, [first], ["power"], start, NOW, interval=HOUR)["mean"].to_list() == [1000.0]
    assert lake.watts_a_unit(two_plants.south.person.factory_id) == {}
