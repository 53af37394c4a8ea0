"""A fortnight of both plants holds together as machines do."""

from collections.abc import Mapping

import numpy as np
import pytest

from ingest.simulator.plant import PARAMETERS, Kind, Regime
from ingest.simulator.shifts import local_time_s, production_clock, scheduled, shift_number
from tests.ingest.simulator.conftest import STEP_S, Fortnight

# Bounds that no machine may leave, faults included.
RANGES: dict[str, tuple[float, float]] = {
    "power": (0, 75_000), "metered_power": (1_000, 250_000), "voltage": (210, 240), "current": (0, 400), "power_factor": (0.5, 1.0),
    "spindle_speed": (0, 12_000), "spindle_load": (0, 130), "spindle_temp": (15, 125), "vibration": (0, 18), "coolant_flow": (0, 20),
    "good_parts": (0, 1_500), "rejected_parts": (0, 150), "barrel_temp": (15, 250), "mould_temp": (15, 65),
    "hydraulic_oil_temp": (15, 85), "injection_pressure": (0, 1_500), "cycle_time": (0, 60), "belt_speed": (0, 0.7),
    "belt_load": (0, 180), "motor_temp": (15, 95), "motor_speed": (0, 3_100), "flow": (0, 45), "discharge_pressure": (0, 8.5),
    "bearing_temp": (15, 95), "discharge_temp": (15, 125), "oil_temp": (15, 100), "air_flow": (0, 10), "fan_speed": (0, 1_250),
    "filter_pressure": (0, 600), "supply_temp": (10, 40), "room_temp": (15, 37), "humidity": (15, 95), "chamber_temp": (40, 235),
    "setpoint_temp": (55, 225), "temp_deviation": (-45, 10), "heater_output": (0, 100), "exhaust_temp": (20, 150),
    "energy_today": (0, 6_000), "reactive_power": (0, 200_000), "frequency": (49.9, 50.1), "voltage_thd": (1, 6),
}  # fmt: skip


def test_every_value_is_a_number(fortnight: Fortnight) -> None:
    for found in fortnight.metrics.values():
        assert np.isfinite(found.values).all()


def test_every_value_stays_in_its_physical_range(fortnight: Fortnight) -> None:
    for kind in Kind:
        for parameter in PARAMETERS[kind]:
            low, high = RANGES[parameter.key]
            values = fortnight.of(kind, parameter.key)
            assert low <= values.min(), (kind, parameter.key, values.min())
            assert values.max() <= high, (kind, parameter.key, values.max())


def test_every_value_moves(fortnight: Fortnight) -> None:
    for kind in Kind:
        for parameter in PARAMETERS[kind]:
            assert (fortnight.of(kind, parameter.key).std(axis=0) > 0).all(), (kind, parameter.key)


@pytest.mark.parametrize("kind", [Kind.PUMP, Kind.COMPRESSOR])
def test_power_is_three_times_voltage_times_current_times_power_factor(fortnight: Fortnight, kind: Kind) -> None:
    product = 3 * fortnight.of(kind, "voltage") * fortnight.of(kind, "current") * fortnight.of(kind, "power_factor")
    assert np.allclose(product, fortnight.of(kind, "power"), rtol=0.01, atol=10)


def test_current_follows_power_on_every_machine(fortnight: Fortnight) -> None:
    for kind in set(Kind) - {Kind.ENERGY_METER}:
        power, current = fortnight.of(kind, "power"), fortnight.of(kind, "current")
        for machine in range(power.shape[1]):
            assert np.corrcoef(power[:, machine], current[:, machine])[0, 1] > 0.97


def test_a_meter_measures_its_region(fortnight: Fortnight) -> None:
    for column, meter in enumerate(fortnight.factory.of_kind(Kind.ENERGY_METER)):
        total = np.zeros(len(fortnight.time_s))
        for kind in set(Kind) - {Kind.ENERGY_METER}:
            inside = [machine.region == meter.region for machine in fortnight.factory.of_kind(kind)]
            total += fortnight.of(kind, "power")[:, inside].sum(axis=1)
        beyond = fortnight.of(Kind.ENERGY_METER, "metered_power")[:, column] - 1.015 * total
        assert (beyond > 400).all()  # the hall's light
        assert (beyond < 1_900).all()


def test_energy_today_is_the_integral_of_the_metered_power(fortnight: Fortnight) -> None:
    added = np.diff(fortnight.of(Kind.ENERGY_METER, "energy_today"), axis=0)
    expected = fortnight.of(Kind.ENERGY_METER, "metered_power")[1:] * STEP_S / 3.6e6
    same_day = added > -1
    assert np.allclose(added[same_day], expected[same_day], atol=0.011)
    assert (~same_day).sum(axis=0).tolist() == [14] * added.shape[1]  # one local midnight a day


def test_a_spindle_is_warmer_while_it_works(fortnight: Fortnight) -> None:
    load, warmth = fortnight.of(Kind.CNC_MILL, "spindle_load"), fortnight.of(Kind.CNC_MILL, "spindle_temp")
    healthy = fortnight.healthy(Kind.CNC_MILL)
    for machine in range(load.shape[1]):
        recent = np.convolve(load[:, machine], np.ones(10) / 10)[: len(load)]
        chosen = healthy[:, machine]
        assert np.corrcoef(recent[chosen], warmth[chosen, machine])[0, 1] > 0.8


def test_vibration_follows_the_speed(fortnight: Fortnight) -> None:
    speed, vibration = fortnight.of(Kind.CNC_MILL, "spindle_speed"), fortnight.of(Kind.CNC_MILL, "vibration")
    healthy = fortnight.healthy(Kind.CNC_MILL)
    assert np.corrcoef(speed[healthy], vibration[healthy])[0, 1] > 0.7


def test_pump_power_follows_the_cube_of_the_speed(fortnight: Fortnight) -> None:
    healthy = fortnight.healthy(Kind.PUMP)
    for machine in range(healthy.shape[1]):
        chosen = healthy[:, machine]
        speed, power = (fortnight.of(Kind.PUMP, key)[chosen, machine] for key in ("motor_speed", "power"))
        assert np.polyfit(np.log(speed), np.log(power), 1)[0] == pytest.approx(3.0, abs=0.1)


def test_the_filters_pressure_drop_follows_the_square_of_the_fan_speed(fortnight: Fortnight) -> None:
    healthy = fortnight.healthy(Kind.HVAC)
    for machine in range(healthy.shape[1]):
        chosen = healthy[:, machine]
        if chosen.sum() > 1_000:
            fan, drop = (fortnight.of(Kind.HVAC, key)[chosen, machine] for key in ("fan_speed", "filter_pressure"))
            assert np.corrcoef(fan**2, drop)[0, 1] > 0.6


def test_counters_only_grow_within_a_shift_and_start_at_zero(fortnight: Fortnight) -> None:
    shift = shift_number(local_time_s(fortnight.time_s, fortnight.factory.zone))
    same = np.diff(shift) == 0
    for kind in (Kind.CNC_MILL, Kind.INJECTION_MOULDER):
        for key in ("good_parts", "rejected_parts"):
            counter = fortnight.of(kind, key)
            assert (np.diff(counter, axis=0)[same] >= 0).all()
            assert (counter[1:][~same] <= 3).all()


def test_few_parts_are_rejected(fortnight: Fortnight) -> None:
    shift = shift_number(local_time_s(fortnight.time_s, fortnight.factory.zone))
    ends = np.flatnonzero(np.diff(shift))
    for kind in (Kind.CNC_MILL, Kind.INJECTION_MOULDER):
        good, bad = (fortnight.of(kind, key)[ends].sum() for key in ("good_parts", "rejected_parts"))
        assert 0.003 < bad / (good + bad) < 0.06


def test_machines_are_off_outside_their_shifts(fortnight: Fortnight) -> None:
    local = local_time_s(fortnight.time_s, fortnight.factory.zone)
    for kind in set(Kind) - {Kind.ENERGY_METER, Kind.OVEN}:
        for column, machine in enumerate(fortnight.factory.of_kind(kind)):
            if machine.regime is Regime.CONTINUOUS:
                continue
            late = scheduled(local - 1_800.0, machine.regime, fortnight.factory.workdays)  # half an hour of stagger and run-down
            off = ~(scheduled(local, machine.regime, fortnight.factory.workdays) | late)
            assert (fortnight.of(kind, "power")[off, column] < 0.02 * machine.rated_w).all()


def test_the_plant_draws_less_on_a_sunday(fortnight: Fortnight) -> None:
    weekday, _ = production_clock(local_time_s(fortnight.time_s, fortnight.factory.zone))
    power = sum(fortnight.of(kind, "power").sum(axis=1) for kind in set(Kind) - {Kind.ENERGY_METER})
    assert power[weekday == 6].mean() < 0.8 * power[weekday == 1].mean()


def test_machines_stop_and_go_within_a_shift(fortnight: Fortnight) -> None:
    pressure = fortnight.of(Kind.INJECTION_MOULDER, "injection_pressure")
    for column, machine in enumerate(fortnight.factory.of_kind(Kind.INJECTION_MOULDER)):
        if machine.regime is Regime.CONTINUOUS:
            assert 0.85 < (pressure[:, column] > 0).mean() < 0.97


def test_the_same_seed_gives_the_same_plant(fortnights: Mapping[str, Fortnight]) -> None:
    again = Fortnight(fortnights["nordwerk"].factory)
    for kind, found in fortnights["nordwerk"].metrics.items():
        assert np.array_equal(found.values, again.metrics[kind].values)
