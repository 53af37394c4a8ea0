"""`python -m bench.anomaly_job_process HOME`: one analysis of the machines of `bench.queries`; its figures as the last line of output."""

import json
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path

from bench.queries import DAYS, DEVICES, START


def main(home: Path) -> None:
    """Imports count, because a run pays for them."""
    began, cpu = time.perf_counter(), time.process_time()
    from assets.analytics.anomaly import analyse  # noqa: PLC0415  # measured
    from assets.analytics.contract import Inputs  # noqa: PLC0415  # measured
    from warehouse.installation import Installation  # noqa: PLC0415  # measured
    from warehouse.settings import Settings  # noqa: PLC0415  # measured

    installation = Installation.open(Settings(factoryops_home=home, app_env="demo"))
    asked = Inputs(installation, 1, list(range(1, DEVICES + 1)), START, START + timedelta(days=DAYS))
    first: list[float] = []
    found = analyse(asked, lambda _percent, _stage: first.append(time.perf_counter() - began))
    figures = {
        "seconds": time.perf_counter() - began,
        "CPU seconds": time.process_time() - cpu,
        "peak memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "first progress after, s": first[0],
        "scores": found.tables["anomaly_scores"].height,
        "anomalies": found.tables["anomalies"].height,
    }
    installation.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
