"""When people and machines work: shifts, weekends, breaks and small stops, as functions of time in the factory's own zone.

```
local   06:00          14:00          22:00          06:00
        |--- early ----|---- late ----|--- night ----|      a production day starts at 06:00, so the night that
              ^ break                                       begins on Friday still belongs to Friday
```
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from ingest.simulator.noise import Floats, Ints, seed_of, seeds_of, smooth, uniform
from ingest.simulator.plant import PRODUCING, Machine, PlantFactory, Regime

DAY_S = 86_400.0
SHIFT_S = 28_800.0
SHIFT_START_S = 21_600.0
_BREAK_FROM_S, _BREAK_S, _HANDOVER_S = 3.5 * 3600, 1800.0, 480.0
_MONDAY_OFFSET_DAYS = 3  # 1970-01-01 was a Thursday
_REGIME_HOURS = {Regime.THREE_SHIFTS: 24.0, Regime.TWO_SHIFTS: 16.0}

Flags = NDArray[np.bool_]


def utc_offset_s(time_s: Floats, zone: ZoneInfo) -> Floats:
    """Seconds to add to UTC epoch seconds to read the zone's clock; right at both ends of summer time (they change on a whole hour)."""
    hours, where = np.unique(np.floor(time_s / 3600.0), return_inverse=True)
    offsets = [datetime.fromtimestamp(hour * 3600.0, UTC).astimezone(zone).utcoffset() for hour in hours.tolist()]
    seconds: Floats = np.array([0.0 if offset is None else offset.total_seconds() for offset in offsets])
    return seconds[where.reshape(time_s.shape)]


def local_time_s(time_s: Floats, zone: ZoneInfo) -> Floats:
    """Epoch seconds of the zone's wall clock, for arithmetic with hours and weekdays only."""
    return time_s + utc_offset_s(time_s, zone)


def local_day(local_s: Floats) -> Ints:
    """The number of the calendar day; changes at local midnight."""
    return np.floor(local_s / DAY_S).astype(np.int64)


def shift_number(local_s: Floats) -> Ints:
    """A number that grows by one at every shift change (06:00, 14:00, 22:00)."""
    return np.floor((local_s - SHIFT_START_S) / SHIFT_S).astype(np.int64)


def production_clock(local_s: Floats) -> tuple[Ints, Floats]:
    """Weekday (Monday = 0) of the production day, and seconds since it began at 06:00."""
    since = local_s - SHIFT_START_S
    day = np.floor(since / DAY_S)
    return ((day + _MONDAY_OFFSET_DAYS) % 7).astype(np.int64), since - day * DAY_S


@dataclass(frozen=True)
class Duty:
    """What machines are asked to do, shape (times, machines).

    `on`: the machine is switched on (else off). `run`: it produces (else it idles or is off). `load` 0.5 to 1: how hard the present job is.
    `job`: a number that names the present job; changes every few hours.
    """

    on: Floats
    run: Floats
    load: Floats
    job: Ints


def scheduled(local_s: Floats, regime: Regime, workdays: int) -> Flags:
    """Whether the regime has the machine switched on."""
    if regime is Regime.CONTINUOUS:
        return np.ones(local_s.shape, dtype=np.bool_)
    weekday, since_s = production_clock(local_s)
    return (weekday < workdays) & (since_s < _REGIME_HOURS[regime] * 3600.0)


def _on_break(local_s: Floats) -> Flags:
    into_shift_s = (local_s - SHIFT_START_S) % SHIFT_S
    return (into_shift_s < _HANDOVER_S) | ((into_shift_s >= _BREAK_FROM_S) & (into_shift_s < _BREAK_FROM_S + _BREAK_S))


class DutyPlan:
    """The duty of some machines of one factory as a function of time. Hashes are prepared once: the live simulator asks every second."""

    def __init__(self, factory: PlantFactory, machines: tuple[Machine, ...]) -> None:
        """Prepares the machines' own habits: how late they start, how often they stop."""
        names = [f"{factory.slug}/{machine.device_key}" for machine in machines]
        self._zone, self._workdays = factory.zone, factory.workdays
        self._regimes = tuple(machine.regime for machine in machines)
        self._stagger_s = uniform(seeds_of(names, "stagger"), np.zeros(1, np.int64)) * 900.0
        self._job_s = 4 * 3600.0 + uniform(seeds_of(names, "job length"), np.zeros(1, np.int64)) * 5 * 3600.0
        self._short, self._long, self._load, self._jobs = (seeds_of(names, topic) for topic in ("short stop", "long stop", "load", "job"))

    def at(self, time_s: Floats) -> Duty:
        """The duty at UTC epoch seconds `time_s`, shape (times,)."""
        local = local_time_s(time_s, self._zone)[:, None] - self._stagger_s
        on = np.stack([scheduled(local[:, i], regime, self._workdays) for i, regime in enumerate(self._regimes)], axis=1)
        attended = np.array([regime is not Regime.CONTINUOUS for regime in self._regimes])
        time = time_s[:, None]
        stopped = uniform(self._short, np.floor(local / 480.0).astype(np.int64)) < 0.05
        stopped |= uniform(self._long, np.floor(local / 2700.0).astype(np.int64)) < 0.03
        stopped |= attended & _on_break(local)
        job = np.floor((time + self._stagger_s * 20.0) / self._job_s).astype(np.int64)
        level = 0.62 + 0.22 * uniform(self._jobs, job) + 0.14 * smooth(self._load, time, 2400.0)
        return Duty(on.astype(np.float64), (on & ~stopped).astype(np.float64), level, job)


@dataclass(frozen=True)
class Weather:
    """Outdoor and hall temperature in degrees Celsius and relative humidity of the hall in percent, shape (times,)."""

    outdoor_c: Floats
    hall_c: Floats
    humidity_percent: Floats


def weather(factory: PlantFactory, time_s: Floats, local_s: Floats, activity: Floats) -> Weather:
    """The weather at the factory; `activity` (0 to 1, how much of the plant produces) warms the hall."""
    climate, seed = factory.climate, np.array(seed_of(factory.slug, "weather"), dtype=np.uint64)
    year = np.cos(2 * np.pi * (time_s / (365.25 * DAY_S) - 0.54))  # warmest in mid July
    day = np.cos(2 * np.pi * (local_s / DAY_S - 14.5 / 24))  # warmest at half past two
    front = smooth(seed, time_s, 2 * DAY_S) - 0.5
    outdoor = climate.outdoor_mean_c + climate.season_swing_c * year + climate.day_swing_c * day + 5.0 * front
    hall = climate.hall_mean_c + 0.10 * (outdoor - climate.outdoor_mean_c) + 1.6 * activity
    return Weather(outdoor, hall, 0.75 * climate.humidity_percent - 4.0 * day + 10.0 * front)


def plant_activity(factory: PlantFactory, time_s: Floats, local_s: Floats) -> Floats:
    """How much of the plant is at work, 0 to 1, shape (times,): what cooling water, compressed air and ventilation have to serve."""
    shifts = [scheduled(local_s, machine.regime, factory.workdays) for machine in factory.machines if machine.kind in PRODUCING]
    staffed = np.mean(np.stack(shifts), axis=0) * (1.0 - 0.25 * _on_break(local_s))
    wander = smooth(np.array(seed_of(factory.slug, "activity"), dtype=np.uint64), time_s, 1500.0) - 0.5
    activity: Floats = np.clip(0.88 * staffed + 0.16 * wander, 0.0, 1.0)
    return activity
