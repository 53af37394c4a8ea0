"""A scored machine as rows of the lake and sentences for people; pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from assets.analytics.machine_grid import Machine
from assets.models.anomaly.detector import Model, Scored
from assets.models.anomaly.episodes import Anomaly, contributions, spans
from assets.models.anomaly.grid import Grid
from assets.models.anomaly.words import sentence
from warehouse.readings import UTC_TIME

ANOMALIES: Final = pl.Schema(
    {"device_id": pl.Int32(), "started_at": UTC_TIME, "ended_at": UTC_TIME, "score": pl.Float64(), "contributions": pl.String(),
     "sentence": pl.String(), "model_version": pl.String()}
)  # fmt: skip
SCORES: Final = pl.Schema({"device_id": pl.Int32(), "ts": UTC_TIME, "score": pl.Float64(), "model_version": pl.String()})


@dataclass(frozen=True)
class MachineFindings:
    """What was found of one machine."""

    machine: Machine
    anomalies: pl.DataFrame
    """ANOMALIES by time."""
    scores: pl.DataFrame
    """SCORES by time."""
    model: dict[str, Any]
    """What the model was learned from, for people."""


def findings_of(
    machine: Machine, model: Model, grid: Grid, scored: Scored, window: tuple[datetime, datetime], version: str
) -> MachineFindings:
    """Of the rows in the window [start, end); an anomaly that began before begins with it."""
    start, end = window
    first = int(np.clip(np.ceil((start.timestamp() - grid.begin_s) / grid.step_s), 0, len(grid.values)))
    known = np.isfinite(scored.score)
    rows = np.flatnonzero(known[first:]) + first
    moments = pl.Series("ts", (grid.times_s[rows] * 1_000_000)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    scores = pl.DataFrame({"ts": moments, "score": scored.score[rows]}).select(
        pl.lit(machine.device_id, pl.Int32).alias("device_id"), "ts", "score", pl.lit(version).alias("model_version")
    )
    found = [_row(machine, model, grid, each, version, end) for each in anomalies_of(model, scored, first)]
    return MachineFindings(machine, pl.DataFrame(found, schema=ANOMALIES, orient="row"), scores.cast(SCORES), _learned(model))


def anomalies_of(model: Model, scored: Scored, first: int = 0) -> list[Anomaly]:
    """The anomalies from row `first` on."""
    found = []
    for begin, last in spans(scored.score):
        if last > first:
            part = slice(max(begin, first), last)
            named = contributions(model.names, scored.deviation[part], scored.measured[part], scored.expected[part])
            found.append(Anomaly(part.start, last, float(np.nanmax(scored.score[part])), named))
    return found


def _row(machine: Machine, model: Model, grid: Grid, found: Anomaly, version: str, end: datetime) -> tuple[Any, ...]:
    begin = datetime.fromtimestamp(grid.begin_s, UTC)
    step = timedelta(seconds=grid.step_s)
    told = [
        {"parameter": each.parameter, "share": round(each.share, 3), "measured": each.measured, "expected": each.expected,
         "percent": each.percent, "unit": machine.units.get(each.parameter, "")}
        for each in found.contributions
    ]  # fmt: skip
    said = sentence(found.contributions, machine.names, machine.units, with_load=bool(model.regimes.typical_w))
    return (
        machine.device_id, begin + found.first * step, min(begin + found.last * step, end), found.score,
        json.dumps(told, ensure_ascii=False), said, version,
    )  # fmt: skip


def _learned(model: Model) -> dict[str, Any]:
    return {
        "learned_from": datetime.fromtimestamp(model.trained_from_s, UTC).isoformat(),
        "learned_until": datetime.fromtimestamp(model.trained_to_s, UTC).isoformat(),
        "healthy_hours": round(model.rows * model.step_s / 3600, 1), "left_out_share": round(model.dropped_share, 3),
        "parameters": list(model.names), "step_s": model.step_s,
    }  # fmt: skip


def headline(found: Sequence[MachineFindings], too_little: Sequence[str]) -> str:
    """One sentence about all machines."""
    number = sum(each.anomalies.height for each in found)
    with_some = [each for each in found if each.anomalies.height]
    machines = f"{len(found)} machine" + ("s" if len(found) != 1 else "")
    left_out = f"; {len(too_little)} could not be judged" if too_little else ""
    if not number:
        return f"Nothing unusual on {machines}{left_out}."
    worst = max(with_some, key=lambda each: each.anomalies["score"].max())  # type: ignore[arg-type,return-value]  # a float column
    many = f"{number} anomal" + ("ies" if number != 1 else "y")
    return f"{many} on {len(with_some)} of {machines}, the strongest on {worst.machine.name}{left_out}."


def sentences(found: Sequence[MachineFindings], too_little: Sequence[str], most: int = 20) -> list[str]:
    """The strongest anomalies of all machines in words, then what could not be judged and why."""
    rows = [
        (row["score"], f"{each.machine.name}, {_span(row['started_at'], row['ended_at'])}: {row['sentence']}")
        for each in found
        for row in each.anomalies.iter_rows(named=True)
    ]
    strongest = sorted(rows, key=lambda row: -row[0])
    more = [f"{len(rows) - most} weaker anomalies are in the table."] if len(rows) > most else []
    return [text for _, text in strongest[:most]] + more + [f"{text[0].upper()}{text[1:]}." for text in too_little]


def _span(begin: datetime, end: datetime) -> str:
    hours = (end - begin).total_seconds() / 3600
    lasted = f"{hours:.0f} h" if hours >= 2 else f"{hours * 60:.0f} min"
    return f"{begin:%Y-%m-%d %H:%M} UTC for {lasted}"
