"""Messages a second with one, two and three ingesters that share the messages (MQTT 5), database and catalog in PostgreSQL."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.ingest_plant import IngestPlant, measured
from tests.fixtures.postgres import create_database, running_server, sqlalchemy_url

MESSAGES: Final = 150_000
DEVICES: Final = 200
INGESTERS: Final = (1, 2, 3)
SHOWN: Final = ("landed_msg_per_s", "lake_lag_most_s", "load_process_cpu_us_per_msg")


def run(progress: Callable[[str], None], messages: int = MESSAGES) -> dict[str, Any]:
    """Measures on fresh installations, all databases in one PostgreSQL server that commits durably."""
    figures: dict[str, Any] = {}
    with running_server(durable=True) as server:
        for count in INGESTERS:
            progress(f"{messages} messages through {count} ingester{'s' if count > 1 else ''}")
            url = create_database(server.url)
            with (
                tempfile.TemporaryDirectory(prefix="factoryops-bench-") as folder,
                IngestPlant(
                    Path(folder),
                    devices=DEVICES,
                    ingesters=count,
                    database_url=sqlalchemy_url(url),
                    lake_catalog_url=create_database(server.url),
                ) as plant,
            ):
                found = measured(plant, messages, progress)
            figures |= {f"{name}_with_{count}": found[name] for name in SHOWN}
            figures[f"ingest_cpu_us_per_msg_with_{count}"] = round(
                sum(value for name, value in found.items() if name.startswith("ingest") and name.endswith("cpu_us_per_msg")), 1
            )
    return {
        "figures": figures,
        "budgets": [],
        "notes": "All on this machine: more ingesters help only while cores are free. The log's appends take turns, decoding does not.",
    }
