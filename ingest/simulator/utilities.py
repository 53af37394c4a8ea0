"""The physics of what serves the machines: pump, compressor, HVAC, energy meter. Conventions as in `production`."""

import numpy as np

from ingest.simulator.faults import Fault
from ingest.simulator.noise import Floats
from ingest.simulator.physics import Tape
from ingest.simulator.production import STANDBY_W, Severities, Site, electrics, motor_power_factor
from ingest.simulator.shifts import Duty

METER_LOSSES = 1.015
LIGHTING_W = 1_800.0


def pump(tape: Tape, site: Site, duty: Duty, fault: Severities) -> tuple[Floats, ...]:
    """Affinity laws: flow with the speed, pressure with its square, power with its cube. Cavitation costs flow and shakes."""
    cavity, bearing = fault[Fault.CAVITATION], fault[Fault.BEARING_WEAR]
    demand = np.clip(0.68 + 0.24 * site.activity + 0.08 * tape.wander("demand", 900.0) + 0.05 * tape.trait("size"), 0.6, 1.0)
    ratio = tape.lag("ratio", duty.on * demand, 20.0)
    turning = np.clip(ratio * 2.0, 0.0, 1.0)
    flow = 42.0 * ratio * (1.0 - 0.58 * cavity) * (1.0 + 0.01 * tape.noise("flow"))
    pressure = 5.2 * ratio**2 * (1.0 - 0.35 * cavity) * (1.0 + (0.008 + 0.05 * cavity) * tape.noise("pressure"))
    heat = 9.0 * turning + 11.0 * ratio + 34.0 * bearing * turning
    bearing_temp = tape.lag("bearing_temp", site.hall_c + heat, 600.0) + 0.15 * tape.noise("bearing_temp")
    vibration = turning * (0.9 + 0.9 * ratio) * (1.0 + 0.06 * tape.noise("vibration")) + turning * (4.4 * cavity + 6.4 * bearing)
    share = 0.86 * ratio**3 * (1.0 - 0.18 * cavity + 0.05 * bearing)
    power_factor = motor_power_factor(share)
    electric = electrics(tape, site, STANDBY_W * 0.5 + tape.rated_w * share, power_factor)
    return (*electric, power_factor, 1_475.0 * ratio, flow, np.maximum(0.0, pressure), bearing_temp, np.maximum(0.02, vibration))


def compressor(tape: Tape, site: Site, duty: Duty, fault: Severities) -> tuple[Floats, ...]:
    """A speed-controlled screw compressor keeps the net at 7.2 bar; old oil and a clogged intake make it hot."""
    oil, clogged = fault[Fault.OIL_AGEING], fault[Fault.CLOGGED_FILTER]
    shake = 6.2 * fault[Fault.BEARING_WEAR] + 6.4 * fault[Fault.IMBALANCE]
    demand = np.clip(0.22 + 0.62 * site.activity + 0.22 * tape.wander("demand", 420.0), 0.12, 1.0)
    ratio = tape.lag("ratio", duty.on * (0.35 + 0.65 * demand), 30.0)
    turning = np.clip(ratio * 2.5, 0.0, 1.0)
    swing = 0.18 * np.sin(2 * np.pi * (tape.time_s[:, None] / 95.0 + tape.trait("swing")))
    pressure = tape.lag("net", 7.2 * turning, 240.0) + turning * (swing - 0.5 * (demand - 0.6)) + 0.02 * tape.noise("pressure")
    heat = 38.0 * turning + 16.0 * ratio + (27.0 * oil + 7.0 * clogged) * turning
    discharge = tape.lag("discharge_temp", 0.7 * site.hall_c + 8.0 + heat, 480.0) + 0.25 * tape.noise("discharge_temp")
    oil_temp = tape.lag("oil_temp", site.hall_c + 26.0 * turning + 8.0 * ratio + 22.0 * oil * turning, 720.0) + 0.2 * tape.noise("oil_temp")
    air = tape.rated_w / 5_400.0 * ratio * (1.0 - 0.16 * clogged) * (1.0 + 0.01 * tape.noise("air_flow"))
    vibration = turning * (1.0 + 0.9 * ratio) * (1.0 + 0.06 * tape.noise("vibration")) + turning * shake
    share = turning * (0.16 + 0.74 * ratio) * (1.0 + 0.06 * clogged + 0.04 * oil)
    power_factor = motor_power_factor(share)
    electric = electrics(tape, site, STANDBY_W + tape.rated_w * share, power_factor)
    return (*electric, power_factor, 3_000.0 * ratio, np.maximum(0.0, pressure), discharge, oil_temp, air, np.maximum(0.02, vibration))


def hvac(tape: Tape, site: Site, duty: Duty, fault: Severities) -> tuple[Floats, ...]:
    """The fan follows the hall's need; the filter's pressure drop follows the fan squared, and a clogged filter leaves the hall warm."""
    clogged = fault[Fault.CLOGGED_FILTER]
    need = np.clip(0.30 + 0.55 * site.activity + np.abs(site.outdoor_c - 20.0) / 60.0 + 0.1 * tape.wander("need", 1_800.0), 0.2, 1.0)
    fan = duty.on * (560.0 + 520.0 * np.clip(need * (1.0 + 0.2 * clogged), 0.0, 1.12)) * (1.0 + 0.004 * tape.noise("fan"))
    dust = (tape.time_s[:, None] / (45.0 * 86_400.0) + tape.trait("dust")) % 1.0
    drop = 104.0 * (fan / 1_000.0) ** 2 * (1.0 + 0.22 * dust + 2.0 * clogged) * (1.0 + 0.01 * tape.noise("filter"))
    room = tape.lag("room_temp", site.hall_c + 5.2 * clogged * need + 0.8 * tape.wander("room", 5_400.0), 1_500.0) + 0.06 * tape.noise(
        "room_temp"
    )
    cooling = site.outdoor_c > site.hall_c - 6.0
    supply = tape.lag("supply_temp", np.where(cooling, site.hall_c - 9.0 * need, site.hall_c + 7.0 * need), 300.0) + 0.12 * tape.noise(
        "supply_temp"
    )
    share = 0.45 * (fan / 1_100.0) ** 3 + 0.38 * need * duty.on * (1.0 - 0.25 * clogged)
    electric = electrics(tape, site, STANDBY_W + tape.rated_w * share, motor_power_factor(share))
    humidity = np.clip(site.humidity_percent + 3.0 * tape.wander("humidity", 7_200.0) + 0.2 * tape.noise("humidity"), 15.0, 95.0)
    return (*electric, fan, drop, supply, room, humidity)


def energy_meter(tape: Tape, site: Site, region_w: Floats, fault: Severities) -> tuple[Floats, ...]:
    """Measures what the machines of its region draw (`region_w`, shape (times, meters)) with cable losses and the hall's light."""
    power = region_w * METER_LOSSES + LIGHTING_W * (0.25 + 0.75 * np.clip(site.activity * 1.5, 0.0, 1.0)) * (
        1.0 + 0.002 * tape.noise("metered")
    )
    energy_kwh = tape.count("energy", power / 3_600_000.0, site.day)
    factor = np.clip(
        0.945 + 0.02 * tape.wander("factor", 3_600.0) - 0.15 * fault[Fault.CAPACITOR_LOSS] + 0.0015 * tape.noise("factor"), 0.5, 1.0
    )
    voltage = site.voltage_v + 0.2 * tape.noise("voltage")
    frequency = 50.0 + 0.05 * tape.wander("frequency", 120.0) + 0.004 * tape.noise("frequency")
    distortion = 2.4 + 1.1 * site.activity + 0.6 * tape.wander("distortion", 3_600.0) + 0.03 * tape.noise("distortion")
    return (
        power, energy_kwh, voltage, power / (3.0 * voltage * factor), factor, power * np.tan(np.arccos(factor)), frequency, distortion,
    )  # fmt: skip
