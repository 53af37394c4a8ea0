"""What a machine measured, on a grid by the minute, from rollups and readings; and what people call it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from assets.models.anomaly.grid import Flags, Grid, on_grid, step_for
from warehouse.day_figures import fault_times
from warehouse.derived import DERIVED
from warehouse.installation import Installation
from warehouse.parameters import parameters_of
from warehouse.queries.live import find_device
from warehouse.queries.summaries import summaries

MINUTE_S: Final = 60
READ_AT_ONCE: Final = timedelta(days=7)
"""Of one machine: what one query holds in memory stays a few million readings."""


@dataclass(frozen=True)
class Machine:
    """One machine and its parameters as people know them."""

    device_id: int
    device_key: str
    name: str
    names: dict[str, str]
    """Display names by parameter."""
    units: dict[str, str]


def machine(installation: Installation, factory_id: int, device_id: int) -> Machine:
    """Raises NotFoundError, also for machines of other factories."""
    device = find_device(installation.db, factory_id, device_id=device_id)
    parameters = parameters_of(installation.db, factory_id, device_id)
    return Machine(
        device_id, device.device_key, device.name or device.device_key,
        {each.parameter_key: each.display_name or each.parameter_key for each in parameters},
        {each.parameter_key: each.unit or "" for each in parameters},
    )  # fmt: skip


def read_grid(installation: Installation, factory_id: int, device_id: int, start: datetime, end: datetime) -> Grid:
    """Everything that the machine measured in [start, end), by the minute, or coarser when it sends less often or for months.

    What we derived ourselves is not there. Begins with the first reading. Raises LakeBusyError.
    """
    frames, begin = [], start
    while begin < end:
        until = min(begin + READ_AT_ONCE, end)
        found = summaries(installation.lake, factory_id, begin, until, timedelta(seconds=MINUTE_S), device_ids=[device_id])
        frames.append(found.filter(~pl.col("parameter").is_in(DERIVED)).select("parameter", ts="bucket", value="mean"))
        begin = until
    readings = (
        pl.concat(frames) if frames else pl.DataFrame(schema={"parameter": pl.String, "ts": pl.Datetime("us", "UTC"), "value": pl.Float64})
    )
    first = readings["ts"].min()
    begin_s = int((first if isinstance(first, datetime) else end).timestamp())
    step_s = step_for(_usual_interval_s(readings), end.timestamp() - begin_s, MINUTE_S)
    return on_grid(readings, step_s, begin_s - begin_s % step_s, int(end.timestamp()))


def _usual_interval_s(readings: pl.DataFrame) -> float:
    """Between two moments at which the machine said anything, in its newest day: older history may be coarser."""
    moments = readings["ts"].unique().sort()
    newest = moments.filter(moments > moments.max() - timedelta(days=1)) if len(moments) else moments  # type: ignore[operator]  # times
    gaps = newest.diff().drop_nulls().dt.total_microseconds()
    return float(gaps.median() or MINUTE_S * 1e6) / 1e6  # type: ignore[arg-type]  # a number


def failing(installation: Installation, factory_id: int, device_id: int, grid: Grid) -> Flags:
    """The rows of a grid in which the machine had a critical alert or a recorded failure: nothing to learn from."""
    flags = np.zeros(len(grid.values), dtype=np.bool_)
    begin = datetime.fromtimestamp(grid.begin_s, UTC)
    spans = fault_times(installation.db, factory_id, begin, begin + timedelta(seconds=len(flags) * grid.step_s))
    for first, last in spans.filter(pl.col("device_id") == device_id).select("begin", "end").iter_rows():
        flags[max(0, row_of(grid, first)) : max(0, row_of(grid, last) + 1)] = True
    return flags


def row_of(grid: Grid, moment: datetime) -> int:
    """The row that a moment falls into; may lie outside of the grid."""
    return int((moment.timestamp() - grid.begin_s) // grid.step_s)
