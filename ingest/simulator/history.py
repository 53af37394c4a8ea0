"""The plant's past as READINGS, piece by piece: coarse for old days, finer for the last week, finest for the last day."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from ingest.simulator.faults import Script
from ingest.simulator.plant import PARAMETERS, Kind, PlantFactory
from ingest.simulator.simulation import Metrics, Simulation
from warehouse.readings import READINGS, UTC_TIME

DAY_S: Final = 86_400
STEPS_S: tuple[tuple[int | None, int], ...] = ((DAY_S, 10), (7 * DAY_S, 60), (None, 240))
"""How far back which step applies. Makes 11 million readings a month; 15 million were seeded in 25 s on two cores that did little else."""
RECEIVED_AFTER_MS: Final = 120
OVERHAUL_S: Final = 5 * 3600 + 1_200
"""Machines under overhaul fell silent this long before the history's end."""


@dataclass(frozen=True)
class Piece:
    """A stretch of history, `begin_s` to before `end_s` (UTC epoch seconds), one reading every `step_s` seconds, within one UTC day."""

    begin_s: int
    end_s: int
    step_s: int

    def times(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """The moments of its readings."""
        return np.arange(self.begin_s, self.end_s, self.step_s, dtype=np.float64)


def pieces(begin_s: int, end_s: int) -> list[Piece]:
    """Cuts a time range at UTC midnights (the lake's partitions) and where the step changes. Both ends are rounded down to a step."""
    begin_s, end_s = _aligned(begin_s), end_s - end_s % finest_step_s()
    changes = [_aligned(end_s - back_s) for back_s, _ in STEPS_S if back_s is not None]
    midnights = range(begin_s - begin_s % DAY_S, end_s, DAY_S)
    cuts = sorted({begin_s, end_s, *(cut for cut in (*changes, *midnights) if begin_s < cut < end_s)})
    return [Piece(begin, end, _step_s(end_s, begin)) for begin, end in pairwise(cuts)]


def finest_step_s() -> int:
    """The time between two readings at the end of the history, in seconds."""
    return STEPS_S[0][1]


def _aligned(moment_s: int) -> int:
    coarsest_s = STEPS_S[-1][1]
    return moment_s - moment_s % coarsest_s


def _step_s(end_s: int, begin_s: int) -> int:
    return next(step_s for back_s, step_s in STEPS_S if back_s is None or begin_s >= _aligned(end_s - back_s))


def simulate_history(
    factory: PlantFactory, stretch: list[Piece], script: Script | None = None
) -> Iterator[tuple[Piece, dict[Kind, Metrics]]]:
    """Runs the plant through consecutive pieces; the metrics of a piece do not depend on how many pieces follow."""
    simulation = Simulation(factory, script)
    state = simulation.warm_state(float(stretch[0].begin_s)) if stretch else None
    for piece in stretch:
        assert state is not None  # noqa: S101 (set above whenever there is a piece)
        state, metrics = simulation.run(state, piece.times())
        yield piece, metrics


def to_readings(factory_id: int, device_ids: Mapping[str, int], metrics: Mapping[Kind, Metrics], overhaul_s: float) -> pl.DataFrame:
    """READINGS of everything measured, sorted by device, parameter and time.

    `device_ids` maps device keys to ids. Left out: moments without a connection, and machines under overhaul from `overhaul_s`
    (UTC epoch seconds) on.
    """
    frames = [_of_machine(found, column, device_ids, overhaul_s) for found in metrics.values() for column in range(len(found.machines))]
    received = pl.duration(milliseconds=RECEIVED_AFTER_MS)
    return (
        pl.concat(frames)
        .sort("device_id", maintain_order=True)
        .with_columns(
            pl.lit(factory_id, pl.Int32).alias("factory_id"),
            pl.lit(None, pl.String).alias("text"),
            (pl.col("ts") + received).alias("received_at"),
        )
        .select(READINGS.names())
    )


def _of_machine(found: Metrics, column: int, device_ids: Mapping[str, int], overhaul_s: float) -> pl.DataFrame:
    machine, parameters = found.machines[column], PARAMETERS[found.kind]
    heard = ~found.silent[:, column]
    if machine.under_overhaul:
        heard &= found.time_s < overhaul_s
    order = sorted(range(len(parameters)), key=lambda index: parameters[index].key)
    moments = pl.Series("ts", np.rint(found.time_s[heard] * 1e6).astype(np.int64)).cast(UTC_TIME)
    names = pl.Series("parameter", [parameters[index].key for index in order])
    return pl.DataFrame(
        {
            "device_id": pl.repeat(device_ids[machine.device_key], len(moments) * len(order), dtype=pl.Int32, eager=True),
            "parameter": names.gather(np.repeat(np.arange(len(order), dtype=np.uint32), len(moments))),
            "ts": pl.concat([moments] * len(order)),
            "value": found.values[heard, column][:, order].T.ravel(),
        }
    )
