"""Bearing wear of every kind of machine that wears: hours before the failure at which it is flagged, false alarms a machine-week.

As in the product a model is learned from the 21 days before and judges what follows; every second night, to save half of the time.
Wear, duty, weather and all other faults are the simulator's own; the failure is the moment at which the wear is complete.
"""

import dataclasses
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from assets.analytics.anomaly_models import LEARNED_FROM
from assets.models.anomaly.detector import learn, score
from assets.models.anomaly.episodes import spans
from assets.models.anomaly.grid import Floats, Grid, on_grid
from bench.runner import Progress
from ingest.simulator.faults import DAY_S, PROFILES, Fault, FaultPlan
from ingest.simulator.plant import PARAMETERS, VPC, Kind, Machine, PlantFactory
from ingest.simulator.simulation import Simulation
from warehouse.readings import UTC_TIME

SEEDS: Final = 10
KINDS: Final = PROFILES[Fault.BEARING_WEAR].kinds
PROCESSES: Final = 2
READINGS_EVERY_S: Final = 10
STEP_S: Final = 60
LEARNED_S: Final = LEARNED_FROM.total_seconds()
HEALTHY_BEFORE_S: Final = 10 * DAY_S
LEARNED_EVERY_S: Final = 2 * DAY_S
FROM_S: Final = 1_767_225_600.0
"""2026-01-01; the wear of a seed is its first one after learning and healthy days from here."""
EARLY_H: Final = 24.0
AFTERMATH_S: Final = 2 * 3600
"""After a fault a machine cools down and smoothing still remembers it: what is flagged then is no false alarm."""


@dataclass(frozen=True)
class Life:
    """One machine from the beginning of learning to its failure."""

    grid: Grid
    faulty: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """Rows in which any fault was at work, or had just been."""
    worn_from_s: float
    failed_at_s: float


@dataclass(frozen=True)
class Judged:
    """What became of one life."""

    lead_h: float
    """From the first flag within the wear to the failure; 0 when there was none."""
    false_alarms: int
    healthy_weeks: float


def run(progress: Progress) -> dict[str, Any]:
    """Ten lives of each kind, two at a time; what they find does not depend on how busy the computer is."""
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {kind: [pool.submit(lived, kind, seed) for seed in range(SEEDS)] for kind in KINDS}
        figures: dict[str, Any] = {}
        for kind, lives in waiting.items():
            found = [each.result() for each in lives]
            leads = ", ".join(f"{each.lead_h:.0f}" for each in found)
            progress(f"{kind.value}: {leads} h before, {sum(each.false_alarms for each in found)} false alarms")
            figures |= figures_of(kind, found)
    return {
        "figures": figures,
        "budgets": [
            budget
            for kind in KINDS
            for budget in (
                {"figure": f"{kind.value.lower()}: seeds flagged 24 h before", "limit": f">= {0.9 * SEEDS:g}"},
                {"figure": f"{kind.value.lower()}: false alarms a machine-week", "limit": "< 1"},
            )
        ],
        "notes": f"{SEEDS} seeds a kind; models of every second night from {LEARNED_S / DAY_S:.0f} days before it, judged from "
        f"{HEALTHY_BEFORE_S / DAY_S:.0f} days before the wear begins to the failure; a reading every {READINGS_EVERY_S} s",
    }


def figures_of(kind: Kind, lives: list[Judged]) -> dict[str, float]:
    """What is told of a kind; pure."""
    leads, weeks = sorted(each.lead_h for each in lives), sum(each.healthy_weeks for each in lives)
    told = {
        "seeds flagged 24 h before": float(sum(lead >= EARLY_H for lead in leads)),
        "least hours before": leads[0],
        "median hours before": float(np.median(leads)),
        "most hours before": leads[-1],
        "false alarms a machine-week": sum(each.false_alarms for each in lives) / weeks,
        "machine-weeks without fault": weeks,
    }
    return {f"{kind.value.lower()}: {name}": round(value, 2) for name, value in told.items()}


def lived(kind: Kind, seed: int) -> Judged:
    """One machine's life, judged: the work of a process."""
    return judge(life(kind, seed))


def life(kind: Kind, seed: int) -> Life:
    """A machine of the demo plant's like among its mills; the seed decides everything random about it."""
    like = next(each for each in VPC.machines if each.kind is kind)
    machine = dataclasses.replace(like, device_key="M-01", name=f"{kind} {seed}")
    # Something must produce, or there would be no shifts that the machine serves.
    producing = tuple(each for each in VPC.machines if each.kind is Kind.CNC_MILL)
    plant = dataclasses.replace(VPC, slug=f"seed-{seed}", machines=(machine, *producing))
    begin, worn, failed = _wear(plant, machine)
    grid = _grid(plant, machine, begin, failed)
    faulty = np.zeros(len(grid.values), dtype=np.bool_)
    times = grid.times_s.astype(np.float64)
    for fault, severity in FaultPlan(plant, (machine,)).severities(times).items():
        at_work = np.flatnonzero(severity[:, 0] > 0) if fault is not Fault.LINK_LOSS else np.array([], dtype=np.int64)
        for row in at_work:
            faulty[row : row + AFTERMATH_S // STEP_S] = True
    return Life(grid, faulty, worn, failed)


def judge(found: Life) -> Judged:
    """Model by model, from the end of the first learning on."""
    grid, learned = found.grid, int(LEARNED_S // STEP_S)
    day = int(LEARNED_EVERY_S // STEP_S)
    lead_h, false_alarms, healthy_rows = 0.0, 0, 0
    for now in range(learned, len(grid.values), day):
        model = learn(grid.part(now - learned, now))
        part = grid.part(now - learned, min(now + day, len(grid.values)))
        scores = score(model, part).score
        healthy_rows += int((~found.faulty[now : now + day]).sum())
        for first, last in spans(scores):
            first = max(first, learned)  # noqa: PLW2901  # what was flagged before tonight was told before
            if last <= learned:
                continue
            rows = slice(now - learned + first, now - learned + last)
            began_s = float(part.times_s[first])
            if began_s >= found.worn_from_s or part.times_s[last - 1] >= found.worn_from_s:
                lead_h = lead_h or (found.failed_at_s - max(began_s, found.worn_from_s)) / 3600
            elif not found.faulty[rows].any():
                false_alarms += 1
    return Judged(lead_h, false_alarms, healthy_rows * STEP_S / (7 * DAY_S))


def _wear(plant: PlantFactory, machine: Machine) -> tuple[float, float, float]:
    """Begin of learning, begin of the wear, and the moment it is complete."""
    earliest = FROM_S + LEARNED_S + HEALTHY_BEFORE_S
    hours = np.arange(earliest, earliest + 400 * DAY_S, 600.0)
    severity = FaultPlan(plant, (machine,)).severities(hours)[Fault.BEARING_WEAR][:, 0]
    begins = np.flatnonzero((severity[1:] > 0) & (severity[:-1] == 0))
    worn = float(hours[begins[0] + 1])
    failed = float(hours[begins[0] + 1 + int(np.argmax(severity[begins[0] + 1 :] >= 1.0))])
    return worn - HEALTHY_BEFORE_S - LEARNED_S, worn, failed


def _grid(plant: PlantFactory, machine: Machine, begin_s: float, end_s: float) -> Grid:
    first = begin_s - begin_s % STEP_S
    readings = pl.concat(list(_readings(plant, machine, first, end_s)))
    return on_grid(readings, STEP_S, int(first), int(end_s - end_s % STEP_S))


def _readings(plant: PlantFactory, machine: Machine, begin_s: float, end_s: float) -> Iterator[pl.DataFrame]:
    """Means a minute, day by day: what the rollup of the lake holds."""
    simulation = Simulation(plant)
    state = simulation.warm_state(begin_s)
    for day in np.arange(begin_s, end_s, DAY_S):
        state, metrics = simulation.run(state, np.arange(day, min(day + DAY_S, end_s), READINGS_EVERY_S))
        found = metrics[machine.kind]
        heard = ~found.silent[:, 0]
        moments = pl.Series("ts", (found.time_s[heard] * 1e6).astype(np.int64)).cast(UTC_TIME)
        columns: dict[str, Floats] = {each.key: found.values[heard, 0, i] for i, each in enumerate(PARAMETERS[machine.kind])}
        yield pl.DataFrame({"ts": moments, **columns}).unpivot(index="ts", variable_name="parameter")
