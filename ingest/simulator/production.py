"""The physics of the machines that make things: CNC mill, injection moulder, conveyor, oven.

Each function takes a stretch of time for all machines of its kind and returns one array (times, machines) for each parameter, in the
order of `plant.PARAMETERS`. Power in W, temperatures in degrees Celsius. `fault` holds severities from 0 to 1.
"""

from dataclasses import dataclass

import numpy as np

from ingest.simulator.faults import Fault
from ingest.simulator.noise import Floats, Ints
from ingest.simulator.physics import Tape
from ingest.simulator.shifts import Duty

Severities = dict[Fault, Floats]
STANDBY_W = 65.0


@dataclass(frozen=True)
class Site:
    """What all machines of a factory share, shape (times, 1), and the counters' periods, shape (1 + times,)."""

    outdoor_c: Floats
    hall_c: Floats
    humidity_percent: Floats
    activity: Floats
    voltage_v: Floats
    shift: Ints
    day: Ints


def electrics(tape: Tape, site: Site, power_w: Floats, power_factor: Floats) -> tuple[Floats, Floats, Floats]:
    """Power, phase voltage and current of a balanced three-phase machine: P = 3 U I cos(phi)."""
    voltage = site.voltage_v + 0.3 * tape.noise("voltage")
    power = np.maximum(0.0, power_w * (1.0 + 0.006 * tape.noise("power")))
    return power, voltage, power / (3.0 * voltage * power_factor)


def motor_power_factor(share: Floats) -> Floats:
    """The power factor of an induction motor at a share of its rated load."""
    return 0.52 + 0.36 * np.clip(share, 0.0, 1.0) ** 0.6


def _job_share(job: Ints, salt: int) -> Floats:
    """A number in [0, 1) that belongs to a job."""
    return ((job * 2654435761 + salt * 40503) % 1009) / 1009.0


def cnc_mill(tape: Tape, site: Site, duty: Duty, fault: Severities) -> tuple[Floats, ...]:
    """A cycle of loading, roughing, tool change and finishing heats the spindle; coolant takes the heat away."""
    leak, bearing, imbalance = fault[Fault.COOLANT_LEAK], fault[Fault.BEARING_WEAR], fault[Fault.IMBALANCE]
    cycle_s = 240.0 + 300.0 * _job_share(duty.job, 1)
    part = (tape.time_s[:, None] / cycle_s + tape.trait("cycle")) % 1.0
    cut = np.select([part < 0.08, part < 0.55, part < 0.60, part < 0.95], [0.0, 1.0, 0.1, 0.55], 0.0)
    turning = duty.run * (part >= 0.06) * (part < 0.96)
    tool_wear = (tape.time_s[:, None] / (18_000.0 + 12_000.0 * tape.trait("tool life")) + tape.trait("tool age")) % 1.0
    speed = turning * (6_000.0 + 5_000.0 * _job_share(duty.job, 2)) * np.where(part < 0.58, 0.8, 1.0)
    chatter = 1.0 + 0.05 * tape.noise("chatter")
    load = duty.run * cut * duty.load * 88.0 * (1.0 + 0.12 * tool_wear + 0.10 * bearing) * chatter + 3.0 * turning
    flow = duty.run * (17.5 + 1.2 * tape.wander("filter", 7_200.0)) * (1.0 - 0.88 * leak) + 0.08 * duty.run * tape.noise("flow")
    heat = 0.40 * load * (1.0 + 1.55 * leak) + 6.0 * duty.on + 9.0 * bearing * duty.run + 9.0 * leak * duty.run
    spindle = tape.lag("spindle_temp", site.hall_c + heat, 300.0) + 0.15 * tape.noise("spindle_temp")
    shake = duty.run * (6.4 * bearing + 8.4 * imbalance) * (0.85 + 0.15 * turning)
    vibration = 0.25 * duty.on + turning * (0.7 + 0.9 * speed / 11_000.0) + 0.012 * load + 0.5 * tool_wear * (cut > 0) * duty.run
    vibration = np.maximum(0.02, vibration * (1.0 + 0.06 * tape.noise("vibration")) + shake)
    share = duty.on * 0.11 + duty.run * 0.22 + 0.60 * load / 100.0
    made = duty.run / cycle_s
    rejects = made * np.clip(0.012 + 0.035 * tool_wear**3 + 0.10 * leak + 0.08 * bearing + 0.10 * imbalance, 0.0, 0.5)
    good, bad = tape.count("good", made - rejects, site.shift), tape.count("bad", rejects, site.shift)
    electric = electrics(tape, site, STANDBY_W + tape.rated_w * share, motor_power_factor(share))
    return (*electric, speed, np.clip(load, 0.0, 130.0), spindle, vibration, np.maximum(0.0, flow), np.floor(good), np.floor(bad))


def injection_moulder(tape: Tape, site: Site, duty: Duty, fault: Severities) -> tuple[Floats, ...]:
    """Heaters hold the barrel, hydraulics press: a leak costs pressure and cycle time and heats the oil."""
    leak = fault[Fault.HYDRAULIC_LEAK]
    usual_s = 24.0 + 12.0 * _job_share(duty.job, 1)
    cycle_s = usual_s * (1.0 + 0.35 * leak) * (1.0 + 0.008 * tape.noise("cycle"))
    material_c = 205.0 + 35.0 * _job_share(duty.job, 2)
    barrel = tape.lag("barrel_temp", np.where(duty.on > 0, material_c, site.hall_c), 1_500.0) + 0.5 * tape.noise("barrel_temp")
    mould = tape.lag("mould_temp", site.hall_c + 8.0 * duty.on + 20.0 * duty.run * duty.load, 700.0) + 0.3 * tape.noise("mould_temp")
    oil_heat = duty.on * 9.0 + duty.run * (12.0 * duty.load + 27.0 * leak) - 0.6 * (site.hall_c - 24.0)
    oil = tape.lag("oil_temp", site.hall_c + oil_heat, 420.0) + 0.2 * tape.noise("oil_temp")
    pressure = duty.run * (1_080.0 + 260.0 * duty.load) * (1.0 - 0.36 * leak) * (1.0 + 0.012 * tape.noise("pressure"))
    share = duty.on * (0.10 + 0.08 * (barrel < material_c - 15.0)) + duty.run * (0.18 + 0.42 * duty.load) * (1.0 + 0.12 * leak)
    share = share * (1.0 + 0.05 * tape.noise("stroke") * duty.run)
    made = duty.run / usual_s / (1.0 + 0.35 * leak)
    rejects = made * np.clip(0.009 + 0.12 * leak + 0.02 * (barrel < material_c - 8.0), 0.0, 0.5)
    good, bad = tape.count("good", made - rejects, site.shift), tape.count("bad", rejects, site.shift)
    electric = electrics(tape, site, STANDBY_W + tape.rated_w * share, motor_power_factor(share))
    return (*electric, barrel, mould, oil, pressure, duty.run * cycle_s, np.floor(good), np.floor(bad))


def conveyor(tape: Tape, site: Site, duty: Duty, fault: Severities) -> tuple[Floats, ...]:
    """What lies on the belt decides the motor's current; a jam brakes the belt and heats the motor."""
    jam, bearing = fault[Fault.BELT_JAM], fault[Fault.BEARING_WEAR]
    filling = np.clip(duty.load * 0.8 + 0.5 * tape.wander("filling", 240.0) * duty.load, 0.05, 1.0)
    speed = duty.run * (0.60 + 0.004 * tape.noise("speed")) * (1.0 - 0.55 * jam)
    load = np.maximum(0.0, duty.on * (18.0 + 92.0 * filling + 45.0 * jam) + 0.6 * tape.noise("load"))
    share = 0.03 * duty.on + duty.run * (0.16 + 0.46 * filling + 0.85 * jam + 0.06 * bearing)
    motor = tape.lag("motor_temp", site.hall_c + 4.0 * duty.on + 38.0 * share + 9.0 * bearing * duty.run, 540.0) + 0.2 * tape.noise(
        "motor_temp"
    )
    vibration = (
        0.1 * duty.on + duty.run * (1.1 + 0.9 * filling + 1.4 * jam) * (1.0 + 0.06 * tape.noise("vibration")) + 6.6 * bearing * duty.run
    )
    electric = electrics(tape, site, STANDBY_W * 0.4 + tape.rated_w * share, motor_power_factor(share))
    return (*electric, np.maximum(0.0, speed), load, motor, np.maximum(0.02, vibration))


def oven(tape: Tape, site: Site, duty: Duty, fault: Severities) -> tuple[Floats, ...]:
    """A programmed set temperature, held by the heater against losses and cold batches; a broken element leaves it short of heat."""
    broken = fault[Fault.HEATER_BREAK]
    program_c = np.where(duty.on > 0, 175.0 + 45.0 * _job_share(duty.job, 1), 60.0)
    setpoint = tape.lag("setpoint_temp", program_c, 1_800.0)
    batch = (tape.time_s[:, None] / 2_700.0 + tape.trait("batch")) % 1.0
    door = duty.run * (batch < 0.05)
    sag = tape.lag("sag", -7.0 * door - 34.0 * broken * duty.on, 240.0)
    deviation = sag + 2.4 * tape.wander("control", 600.0) + 0.25 * tape.noise("chamber_temp")
    chamber = setpoint + deviation
    losses = (chamber - site.hall_c) / 420.0 + 0.22 * duty.run * duty.load * np.exp(-4.0 * batch) + 0.30 * door
    demand = np.clip(losses - 0.022 * deviation * duty.on, 0.0, 1.0)
    share = demand * (1.0 - 0.45 * broken) * (1.0 + 0.02 * tape.noise("heater"))
    exhaust = tape.lag("exhaust_temp", site.hall_c + 0.55 * (chamber - site.hall_c), 300.0) + 0.4 * tape.noise("exhaust_temp")
    power = STANDBY_W + 400.0 * duty.on + tape.rated_w * share
    return (*electrics(tape, site, power, np.full_like(power, 0.985)), chamber, setpoint, deviation, 100.0 * demand, exhaust)
