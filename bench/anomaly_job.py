"""Time and memory of an anomaly analysis: 10 machines x 30 days at 5 s x 8 parameters, in a process of its own.

The readings are those of the benchmark `queries`, which are kept in the temporary folder. Nothing lies before the 30 days, so that all
of them are both learned from and judged: the longest way there is.
"""

import json
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from typing import Any

from bench.queries import DAYS, DEVICES, FOLDER, PLANT, START
from bench.readings_plant import fill, roll_up
from bench.runner import Progress
from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.settings import Settings
from warehouse.tenancy import system_session


def run(progress: Progress) -> dict[str, Any]:
    """Makes the data once; the job is measured from the start of its process to its end."""
    settings = Settings(factoryops_home=FOLDER, app_env="demo")
    with closing(Lake(settings, memory_limit="4GB")) as lake:
        fill(lake, PLANT, progress)
        roll_up(lake, START + timedelta(days=DAYS + 2), (1,), progress)
    _machines(settings)
    progress("the analysis")
    done = subprocess.run(  # our own module
        [sys.executable, "-m", "bench.anomaly_job_process", str(FOLDER)], check=True, capture_output=True, text=True
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {
        "figures": {**figures, "readings": PLANT.readings},
        "budgets": [{"figure": "seconds", "limit": "< 60"}, {"figure": "peak memory, MiB", "limit": "< 2048"}],
        "notes": f"{DEVICES} machines, {DAYS} days; reading, learning, judging and drawing; without storing the result",
    }


def _machines(settings: Settings) -> None:
    db = Database(settings.operational_url)
    db.migrate()
    with system_session(db, "benchmark", write=True) as session:
        if session.get(Factory, 1) is None:
            session.add(Factory(id=1, name="Benchmark", slug="benchmark"))
            session.flush()
            session.add_all([Device(id=number, factory_id=1, device_key=f"M{number:02}") for number in range(1, DEVICES + 1)])
    db.dispose()
