"""Backfill of rollups: 30 days of 40 machines with 8 parameters, one at 60 s as history files have them and one at 5 s as machines send.

A fresh installation in the temporary folder each time; only the rollup is measured, from marked hours to all four levels.
"""

import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.readings_plant import Group, Plant, fill, roll_up
from warehouse.lake import Lake
from warehouse.settings import Settings

START = datetime(2026, 10, 1, tzinfo=UTC)
MACHINES = 40
PLANTS = {"60_s": (30, 60), "5_s": (6, 5)}
"""Days and pace: of the quicker one six days are measured and 30 worked out, since each is a pass of its own."""
DAYS = 30


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Seconds for 30 days, and readings a second."""
    figures: dict[str, float] = {}
    for name, (days, step_s) in PLANTS.items():
        plant = Plant(START, days, (Group(1, MACHINES, step_s),))
        with tempfile.TemporaryDirectory(prefix="factoryops-rollups-") as folder:
            settings = Settings(factoryops_home=Path(folder) / "home", app_env="demo")
            with closing(Lake(settings, memory_limit="4GB")) as lake:
                fill(lake, plant, progress)
            with closing(Lake(settings)) as lake:
                seconds = roll_up(lake, START + timedelta(days=days + 2), (1,), progress)
        figures[f"backfill_of_30_days_at_{name}_s"] = round(seconds * DAYS / days, 1)
        figures[f"readings_a_second_at_{name}"] = round(plant.readings / seconds)
    return {
        "name": "rollups",
        "figures": figures,
        "budgets": [{"figure": f"backfill_of_30_days_at_{name}_s", "limit": "< 60"} for name in PLANTS],
        "notes": f"{MACHINES} machines x 8 parameters; at 5 s {PLANTS['5_s'][0]} days are measured and {DAYS} worked out.",
    }
