"""Faults as functions of time: they grow over minutes, hours or days, are found, and are gone after the repair.

```
severity 1 |                    ______
           |                 .-'      |         grows with (elapsed / develops) ^ exponent,
         0 |______......---''         |______   stays until the repair, which resets it
                  ^ starts       ^ full  ^ repaired
```
Natural faults come from the seed alone, so history and live simulation agree. A `Script` adds faults that
are arranged: the ones that people see in a running demo, and the ones of its last hours.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

import numpy as np

from ingest.simulator.noise import Floats, chance, seeds_of, uniform
from ingest.simulator.plant import Kind, Machine, PlantFactory, Regime

DAY_S = 86_400.0


class Fault(StrEnum):
    """What can go wrong."""

    BEARING_WEAR = "bearing wear"
    IMBALANCE = "imbalance"
    COOLANT_LEAK = "coolant leak"
    HYDRAULIC_LEAK = "hydraulic leak"
    BELT_JAM = "belt jam"
    CAVITATION = "cavitation"
    CLOGGED_FILTER = "clogged filter"
    OIL_AGEING = "oil ageing"
    HEATER_BREAK = "heater break"
    CAPACITOR_LOSS = "capacitor loss"
    LINK_LOSS = "link loss"


@dataclass(frozen=True)
class FaultProfile:
    """How a fault behaves. It may occur once in every period of about `every_days`, with `probability`."""

    kinds: tuple[Kind, ...]
    every_days: float
    probability: float
    develops_h: tuple[float, float]
    repaired_after_min: tuple[float, float]
    exponent: float


PROFILES: dict[Fault, FaultProfile] = {
    Fault.BEARING_WEAR: FaultProfile((Kind.CNC_MILL, Kind.CONVEYOR, Kind.PUMP, Kind.COMPRESSOR), 45, 0.8, (48, 120), (30, 90), 5.0),
    Fault.IMBALANCE: FaultProfile((Kind.CNC_MILL, Kind.COMPRESSOR), 30, 0.8, (0.3, 1.5), (10, 25), 1.5),
    Fault.COOLANT_LEAK: FaultProfile((Kind.CNC_MILL,), 21, 0.8, (3, 9), (20, 50), 1.8),
    Fault.HYDRAULIC_LEAK: FaultProfile((Kind.INJECTION_MOULDER,), 26, 0.8, (8, 30), (25, 60), 4.0),
    Fault.BELT_JAM: FaultProfile((Kind.CONVEYOR,), 9, 0.9, (0.05, 0.2), (6, 15), 1.0),
    Fault.CAVITATION: FaultProfile((Kind.PUMP,), 15, 0.8, (1, 4), (20, 45), 1.5),
    Fault.CLOGGED_FILTER: FaultProfile((Kind.HVAC, Kind.COMPRESSOR), 18, 0.9, (96, 200), (120, 240), 3.0),
    Fault.OIL_AGEING: FaultProfile((Kind.COMPRESSOR,), 24, 0.8, (60, 120), (60, 120), 4.0),
    Fault.HEATER_BREAK: FaultProfile((Kind.OVEN,), 16, 0.9, (0.1, 0.6), (30, 60), 1.0),
    Fault.CAPACITOR_LOSS: FaultProfile((Kind.ENERGY_METER,), 12, 0.9, (0.5, 3), (90, 240), 1.0),
    Fault.LINK_LOSS: FaultProfile(tuple(Kind), 22, 0.9, (0.001, 0.002), (4, 45), 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Episode:
    """A scripted fault: begins at `start_s`, is full after `rise_s`, is repaired `hold_s` later (epoch seconds, seconds)."""

    device_key: str
    fault: Fault
    start_s: float
    rise_s: float
    hold_s: float

    @property
    def end_s(self) -> float:
        """When the machine is repaired."""
        return self.start_s + self.rise_s + self.hold_s


class Script(Protocol):
    """Faults that are arranged, in addition to the natural ones."""

    def active(self, time_s: float) -> tuple[Episode, ...]:
        """The episodes that run at that moment (UTC epoch seconds)."""
        ...


# Rise and hold in seconds. Quick ones show at once; the others follow a temperature that needs minutes.
_QUICK = {Fault.IMBALANCE: (45.0, 150.0), Fault.BELT_JAM: (30.0, 150.0), Fault.CAVITATION: (45.0, 200.0)}
_SLOW = {Fault.COOLANT_LEAK: (90.0, 540.0), Fault.HEATER_BREAK: (30.0, 480.0), Fault.HYDRAULIC_LEAK: (120.0, 780.0)}
_FIRST_AFTER_S, _SECOND_AFTER_S, _GAP_S, _JITTER_S = 40.0, 240.0, 900.0, 240.0
# Hours before the end of the history, so that the first page of a fresh demo has alerts of all severities, some open.
_PAST = {
    Fault.CAPACITOR_LOSS: (15.0, 3_600.0, 36_000.0),
    Fault.COOLANT_LEAK: (11.3, 5_400.0, 1_500.0),
    Fault.HEATER_BREAK: (6.2, 600.0, 1_800.0),
    Fault.CAVITATION: (4.4, 2_400.0, 1_200.0),
    Fault.IMBALANCE: (2.6, 900.0, 600.0),
    Fault.HYDRAULIC_LEAK: (1.7, 1_500.0, 1_500.0),
    Fault.BELT_JAM: (0.8, 120.0, 420.0),
}


@dataclass(frozen=True)
class LiveScript:
    """What goes wrong in one factory while people watch.

    First a quick fault 40 s after `start_s`, then a slow one, then one about every quarter of an hour.
    The order changes with `start_s`, so that a restarted demo does not fall into the cooldown of the rule that it tripped before.
    """

    factory: PlantFactory
    start_s: float

    def active(self, time_s: float) -> tuple[Episode, ...]:
        """The episodes that run at `time_s`, none before the start."""
        if time_s < self.start_s:
            return ()
        newest = 1 + int(max(0.0, time_s - self.start_s - _SECOND_AFTER_S) // _GAP_S)
        nearby = (_episode(self.factory, self.start_s, number) for number in range(max(0, newest - 2), newest + 1))
        return _running(nearby, time_s)


@dataclass(frozen=True)
class PastScript:
    """What went wrong in one factory in the hours before `end_s`; all of it is repaired by then."""

    factory: PlantFactory
    end_s: float

    def active(self, time_s: float) -> tuple[Episode, ...]:
        """The episodes that run at `time_s`, none from `end_s` on."""
        if not self.end_s - DAY_S < time_s < self.end_s:
            return ()
        return _running(_past_episodes(self.factory, self.end_s), time_s)


def _running(episodes: Iterable[Episode], time_s: float) -> tuple[Episode, ...]:
    return tuple(episode for episode in episodes if episode.start_s <= time_s < episode.end_s)


def _able(factory: PlantFactory, fault: Fault) -> list[Machine]:
    """The machines that a script may use: those that work round the clock, so that it also works on a Sunday night."""
    kinds = PROFILES[fault].kinds
    return [m for m in factory.machines if m.kind in kinds and m.regime is Regime.CONTINUOUS and not m.under_overhaul]


@lru_cache(maxsize=64)
def _episode(factory: PlantFactory, start_s: float, number: int) -> Episode:
    first, drawn = (chance(factory.slug, "script", str(start_s), what) for what in ("order", str(number)))
    kinds = tuple((_QUICK if number % 2 == 0 else _SLOW).items())
    fault, (rise_s, hold_s) = kinds[(number // 2 + int(first * 3)) % 3]
    able = _able(factory, fault)
    after_s = _FIRST_AFTER_S if number == 0 else _SECOND_AFTER_S + (number - 1) * _GAP_S + (drawn * _JITTER_S if number > 1 else 0.0)
    return Episode(able[int(drawn * len(able))].device_key, fault, start_s + after_s, rise_s, hold_s)


@lru_cache(maxsize=4)
def _past_episodes(factory: PlantFactory, end_s: float) -> tuple[Episode, ...]:
    return tuple(
        Episode(able[int(chance(factory.slug, fault) * len(able))].device_key, fault, end_s - before_h * 3600.0, rise_s, hold_s)
        for fault, (before_h, rise_s, hold_s) in _PAST.items()
        for able in [_able(factory, fault)]
    )


class FaultPlan:
    """The severity of each fault of some machines of one kind, as a function of time."""

    def __init__(self, factory: PlantFactory, machines: tuple[Machine, ...], script: Script | None = None) -> None:
        """Prepares the natural faults; all machines must be of one kind."""
        self._machines, self._script = machines, script
        names = [f"{factory.slug}/{machine.device_key}" for machine in machines]
        faults = [fault for fault, profile in PROFILES.items() if machines and machines[0].kind in profile.kinds]
        once = np.zeros(1, dtype=np.int64)
        self._rhythm = {
            fault: (
                PROFILES[fault].every_days * DAY_S * (0.7 + 0.6 * uniform(seeds_of(names, f"{fault}/period"), once)),
                uniform(seeds_of(names, f"{fault}/phase"), once),
            )
            for fault in faults
        }
        self._seeds = {
            fault: tuple(seeds_of(names, f"{fault}/{topic}") for topic in ("occurs", "start", "develops", "repair")) for fault in faults
        }

    def severities(self, time_s: Floats) -> dict[Fault, Floats]:
        """Severity 0 to 1 of every fault that the kind can have, shape (times, machines)."""
        severities = {fault: self._natural(fault, time_s) for fault in self._seeds}
        for index, column, episode in self._scripted(time_s):
            grown = min(1.0, (float(time_s[index]) - episode.start_s) / episode.rise_s)
            severities[episode.fault][index, column] = max(grown, float(severities[episode.fault][index, column]))
        return severities

    def forced(self, time_s: Floats) -> Floats:
        """1 where a scripted episode keeps the machine running, else 0; shape (times, machines)."""
        forced = np.zeros((len(time_s), len(self._machines)))
        for index, column, _ in self._scripted(time_s):
            forced[index, column] = 1.0
        return forced

    def _scripted(self, time_s: Floats) -> list[tuple[int, int, Episode]]:
        if self._script is None:
            return []
        columns = {machine.device_key: column for column, machine in enumerate(self._machines)}
        return [
            (index, columns[episode.device_key], episode)
            for index, time in enumerate(time_s.tolist())
            for episode in self._script.active(time)
            if episode.device_key in columns
        ]

    def _natural(self, fault: Fault, time_s: Floats) -> Floats:
        profile = PROFILES[fault]
        occurs_seed, start_seed, develops_seed, repair_seed = self._seeds[fault]
        period_s, phase = self._rhythm[fault]
        position = time_s[:, None] / period_s + phase
        number = np.floor(position).astype(np.int64)
        elapsed_s = (position - number - 0.45 * uniform(start_seed, number)) * period_s
        develops_s = 3600.0 * _between(profile.develops_h, uniform(develops_seed, number))
        repaired_s = develops_s + 60.0 * _between(profile.repaired_after_min, uniform(repair_seed, number))
        happens = (uniform(occurs_seed, number) < profile.probability) & (elapsed_s > 0.0) & (elapsed_s < repaired_s)
        return np.where(happens, np.clip(elapsed_s / develops_s, 0.0, 1.0) ** profile.exponent, 0.0)


def _between(bounds: tuple[float, float], share: Floats) -> Floats:
    low, high = bounds
    return low + (high - low) * share
