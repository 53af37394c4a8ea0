"""Anomaly detection on a folder of labelled files in SKAB's format: F1, false alarms, missed, delay. Protocol: docs/scorecard.md.

Each file by itself, by the product's own code: learned from its first 400 rows, scored on all others, labels only for the counting.
A file without labels is free of anomalies and cut into pieces as long as the labelled ones.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from assets.models.anomaly.detector import learn, score
from assets.models.anomaly.episodes import spans
from assets.models.anomaly.grid import Flags, Ints, on_grid
from assets.models.anomaly.smoothing import runs
from bench.runner import Progress
from warehouse.errors import InvalidInputError

TRAINING_ROWS: Final = 400
PIECE_ROWS: Final = 1_150
STEP_S: Final = 1
LABEL: Final = "anomaly"
NOT_MEASURED: Final = ("datetime", LABEL, "changepoint")


@dataclass(frozen=True)
class Outcome:
    """Of the scored rows of one file."""

    found: Flags
    true: Flags
    """All False for a file without labels."""
    seconds: Ints
    is_labelled: bool


def run(progress: Progress, *, data: str) -> dict[str, Any]:
    """Pools the rows of all labelled files; files without labels (free of anomalies) tell false alarms of their own."""
    outcomes: list[Outcome] = []
    for path in files_of(Path(data)):
        progress(path.name)
        outcomes += [outcome(frame, path.name) for frame in pieces(read(path))]
    labelled = [each for each in outcomes if each.is_labelled]
    free = [each for each in outcomes if not each.is_labelled]
    figures = pooled(labelled) if labelled else {}
    if free:
        figures["false alarms in files without anomalies, %"] = 100 * float(np.concatenate([each.found for each in free]).mean())
    budgets = [{"figure": "F1", "limit": ">= 0.82"}, {"figure": "false alarms, %", "limit": "<= 20"}] if labelled else []
    return {"figures": figures, "budgets": budgets, "notes": f"{len(labelled)} labelled files, {len(free)} pieces without labels"}


def files_of(folder: Path) -> list[Path]:
    """The CSV files of a folder and of the folders in it. Raises InvalidInputError when there are none."""
    found = sorted(folder.rglob("*.csv"))
    if not found:
        raise InvalidInputError(f"no .csv file in {folder}", path="data")
    return found


def pieces(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """A labelled file as it is; another one in whole pieces, or as it is when it is shorter than one; pure."""
    if LABEL in frame.columns or frame.height < PIECE_ROWS:
        return [frame]
    return [frame.slice(begin, PIECE_ROWS) for begin in range(0, frame.height - PIECE_ROWS + 1, PIECE_ROWS)]


def outcome(frame: pl.DataFrame, name: str) -> Outcome:
    """Learns from the first 400 rows and scores the others. Raises InvalidInputError for too few."""
    if frame.height <= TRAINING_ROWS:
        raise InvalidInputError(f"{name} has {frame.height} rows; more than {TRAINING_ROWS} are needed", path="data")
    measured = [name for name in frame.columns if name not in NOT_MEASURED]
    seconds = frame["datetime"].dt.epoch("s").to_numpy()
    readings = frame.unpivot(measured, index="datetime", variable_name="parameter").rename({"datetime": "ts"})
    grid = on_grid(readings, STEP_S, int(seconds[0]), int(seconds[-1]) + 1)
    at = seconds - seconds[0]
    model = learn(grid.part(0, int(at[TRAINING_ROWS])))
    flagged = np.zeros(len(grid.values), dtype=np.bool_)
    for first, last in spans(score(model, grid).score):
        flagged[first:last] = True
    is_labelled = LABEL in frame.columns
    true = frame[LABEL].to_numpy() > 0 if is_labelled else np.zeros(frame.height, dtype=np.bool_)
    scored = slice(TRAINING_ROWS, None)
    return Outcome(flagged[at][scored], true[scored], seconds[scored], is_labelled)


def read(path: Path) -> pl.DataFrame:
    """A file of SKAB: semicolons, `datetime`, sensors, perhaps `anomaly` and `changepoint`; by time, each second once."""
    frame = pl.read_csv(path, separator=";", infer_schema_length=None)
    if "datetime" not in frame.columns:
        raise InvalidInputError(f"{path.name} has no column datetime; is it of SKAB's format, with semicolons?", path="data")
    moments = pl.col("datetime").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC")
    return frame.with_columns(moments, pl.exclude("datetime").cast(pl.Float64)).sort("datetime")


def pooled(outcomes: list[Outcome]) -> dict[str, float]:
    """F1, share of normal rows that were flagged, share of anomalous rows that were not, delay; over all rows of all files."""
    found, true = (np.concatenate([getattr(each, name) for each in outcomes]) for name in ("found", "true"))
    hits, false, missed = int((found & true).sum()), int((found & ~true).sum()), int((~found & true).sum())
    delays = [delay for each in outcomes for delay in delays_s(each)]
    seen = [delay for delay in delays if delay is not None]
    return {
        "F1": 2 * hits / max(1, 2 * hits + false + missed),
        "false alarms, %": 100 * false / max(1, int((~true).sum())),
        "missed, %": 100 * missed / max(1, int(true.sum())),
        "detection delay, median s": float(np.median(seen)) if seen else float("nan"),
        "anomalies found": len(seen),
        "anomalies": len(delays),
    }


def delays_s(found: Outcome) -> list[float | None]:
    """Seconds from the beginning of each labelled anomaly to the first flagged row in it; None when there is none."""
    delays: list[float | None] = []
    for first, last in runs(found.true):
        hits = np.flatnonzero(found.found[first:last])
        delays.append(float(found.seconds[first + hits[0]] - found.seconds[first]) if len(hits) else None)
    return delays
