"""Failure prediction on C-MAPSS: remaining life, failure within 30 cycles, calibration, lead time; 5 folds by engine, every cycle.

`--data FILE`: run-to-failure trajectories as NASA published them (Saxena et al. 2008): engine, cycle, three settings, 21 sensors. A cycle
is an hour, and the last one of an engine is its failure. The product's own model is learned on four fifths of the engines, with everything
that it decides (weights, calibration) decided among those, and judged on the last fifth.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from assets.models import judging
from assets.models.failure.decisions import Recipe
from assets.models.failure.encoder import Columns
from assets.models.failure.model import learn
from bench.runner import Progress
from warehouse.errors import InvalidInputError

FOLDS: Final = 5
HORIZON_H: Final = 30.0
CAP_H: Final = 125.0
SETTINGS: Final = ("setting_1", "setting_2", "setting_3")
SENSORS: Final = tuple(f"sensor_{number}" for number in range(1, 22))
JOBS: Final = 2


def read(path: Path) -> pl.DataFrame:
    """Machine-hours of a C-MAPSS file. Raises InvalidInputError for another format."""
    try:
        numbers = np.loadtxt(path)
    except (OSError, ValueError) as failed:
        raise InvalidInputError(f"{path} cannot be read as C-MAPSS: {failed}", path="data") from failed
    names = ["device_id", "cycle", *SETTINGS, *SENSORS]
    if numbers.ndim != 2 or numbers.shape[1] != len(names):
        raise InvalidInputError(f"{path} has not the {len(names)} columns of C-MAPSS", path="data")
    left = pl.col("cycle").max().over("device_id") - pl.col("cycle")
    frame = pl.DataFrame(numbers, schema=names, orient="row").cast({"device_id": pl.Int64}).sort("device_id", "cycle")
    return frame.with_columns(life=pl.col("device_id"), age_h="cycle", remaining_h=left, watched_h=left)


def run(progress: Progress, *, data: str) -> dict[str, Any]:
    """Figures and budgets over all cycles of all engines, each judged by a model that had not seen the engine."""
    rows = read(Path(data))
    columns = Columns(SENSORS, SETTINGS, ("age_h",))
    recipe = Recipe((HORIZON_H,), CAP_H, n_jobs=JOBS)
    engines = rows["device_id"].unique().sort()
    fold_of = rows["device_id"].replace_strict(dict(zip(engines, (at % FOLDS for at in range(len(engines))), strict=True))).to_numpy()
    left, low, high, chance = (np.zeros(rows.height) for _ in range(4))
    for fold in range(FOLDS):
        progress(f"fold {fold + 1} of {FOLDS}")
        test = fold_of == fold
        said = learn(rows.filter(~test), columns, recipe).answer(rows.filter(test))
        left[test], low[test], high[test], chance[test] = said.left_h, said.low_h, said.high_h, said.within[HORIZON_H]
    remaining = rows["remaining_h"].to_numpy()
    truth, fails = np.minimum(remaining, CAP_H), remaining <= HORIZON_H
    lead = judging.lead_time(rows["life"].to_numpy(), remaining, fails, chance, judging.threshold_at_precision(fails, chance))
    figures = {
        "remaining_life_rmse_cycles": judging.rmse(truth, left),
        "within_30_pr_auc": judging.pr_auc(fails, chance),
        "within_30_calibration_error": judging.calibration_error(fails, chance),
        "lead_time_at_90_precision_cycles": lead.median_h,
        "lead_time_tenth_cycles": lead.tenth_h,
        "engines_warned_of_share": lead.warned_share,
        "warning_precision": lead.precision,
        "interval_80_covers": judging.coverage(truth, low, high),
        "engines": len(engines),
        "cycles": rows.height,
    }
    budgets = [
        {"figure": "remaining_life_rmse_cycles", "limit": "<= 12.0"},
        {"figure": "within_30_pr_auc", "limit": ">= 0.975"},
        {"figure": "within_30_calibration_error", "limit": "<= 0.03"},
    ]
    notes = f"{Path(data).name}: remaining life capped at {CAP_H:g}; lead time: median over engines, from the first warning that stayed"
    return {"figures": figures, "budgets": budgets, "notes": notes}
