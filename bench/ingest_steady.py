"""Ten minutes of ingest at a steady pace: memory stays flat, the lake stays close behind."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.ingest_plant import IngestPlant, LagWatch, cpu_s, process_figures, say, started, until

MINUTES: Final = 10.0
PER_S: Final = 5_000
DEVICES: Final = 200
BUDGETS: Final = [
    {"figure": "ingest_memory_growth_ratio", "limit": "< 1.15"},
    {"figure": "load_memory_growth_ratio", "limit": "< 1.15"},
    {"figure": "lake_lag_most_s", "limit": "< 5"},
]


def run(progress: Callable[[str], None], minutes: float = MINUTES, per_s: float = PER_S) -> dict[str, Any]:
    """Measures on a fresh installation in a temporary folder."""
    messages = int(minutes * 60 * per_s)
    home = tempfile.TemporaryDirectory(prefix="factoryops-bench-")
    with home as folder, IngestPlant(Path(folder), devices=DEVICES) as plant, started(plant):
        loads = plant.loads(messages, per_s)
        before = {name: cpu_s(process.pid) for name, process in plant.ours.items()}
        began = time.monotonic()
        with LagWatch(plant) as watch:
            for load in loads:
                say(load, "go")
            while plant.landed() < messages:
                time.sleep(5)
                lag_s = watch.lags_s[-1] if watch.lags_s else 0.0
                progress(f"{time.monotonic() - began:.0f} s: {plant.landed()} landed, lake {lag_s:.1f} s behind")
                if time.monotonic() - began > minutes * 120 + 60:
                    raise RuntimeError("this machine is too slow for the pace of this benchmark")
            head = plant.head()
            until(lambda: watch.has_loaded(head), 120)
            figures: dict[str, Any] = {
                "landed_msg_per_s": round(messages / (time.monotonic() - began)),
                "lake_lag_most_s": round(max(watch.lags_s, default=0.0), 2),
                **{f"{name}_memory_growth_ratio": round(watch.growth(name), 3) for name in plant.ours},
                **process_figures(plant, before, messages),
            }
        for load in loads:
            load.communicate()
    return {
        "figures": figures,
        "budgets": BUDGETS,
        "notes": f"{minutes:g} min at {per_s:,} msg/s. Growth: median memory of the last quarter of the time over that of the second.",
    }
