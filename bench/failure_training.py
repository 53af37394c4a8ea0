"""How long a failure model takes to learn: a million windows of a hundred machines with eight parameters."""

import time
from typing import Any, Final

import numpy as np
import polars as pl

from assets.models.failure.decisions import Recipe
from assets.models.failure.encoder import Columns
from assets.models.failure.model import learn
from bench.runner import Progress

MACHINES: Final = 100
LIVES: Final = 10
HOURS: Final = 1_000
PARAMETERS: Final = tuple(f"parameter_{number}" for number in range(7))


def plant(machines: int = MACHINES, lives: int = LIVES, hours: int = HOURS, seed: int = 0) -> pl.DataFrame:
    """Machine-hours of lives that end in failures; wear shows in the vibration and two other parameters during the last week or two."""
    rng = np.random.default_rng(seed)
    total = machines * lives * hours
    life = np.repeat(np.arange(machines * lives), hours)
    age = np.tile(np.arange(hours, dtype=float), machines * lives)
    remaining = hours - 1 - age
    # The record begins some time after the last maintenance, so that age alone does not tell the end.
    age = age + np.repeat(rng.uniform(0, hours, machines * lives), hours)
    develops = np.repeat(rng.uniform(100, 400, machines * lives), hours)
    wear = np.clip(1 - remaining / develops, 0, None) ** 2
    load = rng.uniform(0.2, 1.0, total)
    named = {name: rng.normal(size=total) + load * at for at, name in enumerate(PARAMETERS)}
    named["parameter_1"] = named["parameter_1"] + 2 * wear
    named["parameter_2"] = named["parameter_2"] - wear
    frame = {"device_id": life // lives, "life": life, "age_h": age, "remaining_h": remaining, "watched_h": remaining}
    return pl.DataFrame({**frame, "load": load, **named, "vibration": rng.gamma(4, 0.25, total) + load + 3 * wear})


def run(progress: Progress) -> dict[str, Any]:
    """Seconds for validation in folds, calibration and the final model together."""
    rows = plant()
    progress(f"{rows.height:,} windows")
    began = time.perf_counter()
    model = learn(rows, Columns((*PARAMETERS, "vibration"), ("load",), ("age_h",)), Recipe(n_jobs=2), lambda _share, stage: progress(stage))
    seconds = time.perf_counter() - began
    figures = {"training_s": seconds, "windows": rows.height, "pr_auc_168h": model.decisions.quality["pr_auc_168h"]}
    return {
        "figures": figures,
        "budgets": [{"figure": "training_s", "limit": "< 120"}],
        "notes": "features and validation of all windows; trees grow on 40,000 of them, calibration sees all",
    }
