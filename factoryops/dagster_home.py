"""Dagster's own folder: its settings and where it finds our code, written anew at each start."""

import json
from pathlib import Path
from typing import Final

from warehouse.settings import Settings

INSTANCE_FILE: Final = "dagster.yaml"
WORKSPACE_FILE: Final = "workspace.yaml"
LOCATION: Final = "factoryops"
WORKERS: Final = 16
"""Threads of the code server: each draining tick holds one all the time."""
# Every line was measured; see docs/decisions.md. Draining sensors hold a thread each for up to 20 s, so without threads one
# of them would stop all others; and one dequeue a second is what starts a run in 3 s.
INSTANCE_YAML: Final = """\
# Written by FactoryOps; changes are lost at the next start.
telemetry: {enabled: false}
sensors: {use_threads: true, num_workers: 8, num_submit_workers: 4}
schedules: {use_threads: true, num_workers: 2}
run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
  config: {dequeue_interval_seconds: 1, dequeue_use_threads: true, dequeue_num_workers: 4}
concurrency:
  runs: {max_concurrent_runs: 8}
  pools: {default_limit: 4, granularity: op}
# A run whose process is gone is noticed and failed instead of blocking its pool for ever.
run_monitoring: {enabled: true, poll_interval_seconds: 60, start_timeout_seconds: 180}
# Events of runs are at DEBUG: a dozen lines a run, which belong in the UI and not in the log.
python_logs: {python_log_level: INFO}
retention:
  sensor: {purge_after_days: {skipped: 3, failure: 30, success: 30}}
  schedule: {purge_after_days: {skipped: 3, failure: 30, success: 30}}
"""


# Dagster's processes on several machines share a database, and no folder: what a run prints goes where its container's output goes.
SHARED_YAML: Final = """\
storage: {{postgres: {{postgres_url: {url}}}}}
compute_logs: {{module: dagster._core.storage.noop_compute_log_manager, class: NoOpComputeLogManager}}
"""


def instance_yaml(database_url: str) -> str:
    """Dagster's settings; with the address of a PostgreSQL database for its state, or with none for SQLite in its folder."""
    # dagster-postgres speaks psycopg2's dialect (NOTIFY with a parameter), and SQLAlchemy 2.1 would take psycopg 3 by itself.
    address = database_url.replace("postgresql://", "postgresql+psycopg2://", 1)
    return INSTANCE_YAML + (SHARED_YAML.format(url=json.dumps(address)) if address else "")


def workspace_yaml(host: str, port: int) -> str:
    """The workspace with our one code location, served there."""
    return (
        "# Written by FactoryOps; changes are lost at the next start.\n"
        f"load_from: [{{grpc_server: {{host: {json.dumps(host)}, port: {port}, location_name: {LOCATION}}}}}]\n"
    )


def write(settings: Settings, code_server_port: int) -> Path:
    """Makes HOME/dagster a DAGSTER_HOME whose code location is served on DAGSTER_CODE_HOST and that port; returns the folder."""
    folder = settings.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    instance = folder / INSTANCE_FILE
    # Holds a password where Dagster has a database of its own.
    instance.touch(mode=0o600)
    instance.write_text(instance_yaml(settings.dagster_database_url))
    (folder / WORKSPACE_FILE).write_text(workspace_yaml(settings.dagster_code_host, code_server_port))
    return folder


def arguments(folder: Path, listen_host: str, *, code_port: int, web_port: int) -> dict[str, tuple[str, ...]]:
    """What each kind of process of `pipelines.process` is started with, on one machine and on several; pure."""
    workspace, quiet = ("-w", str(folder / WORKSPACE_FILE)), ("--log-level", "warning")
    return {
        "code": ("-h", listen_host, "-p", str(code_port), "-n", str(WORKERS), "--location-name", LOCATION, *quiet),
        "daemon": (*workspace, *quiet),
        "webserver": ("-h", listen_host, "-p", str(web_port), *workspace, "--dagster-log-level", "warning"),
    }


def environment(folder: Path) -> dict[str, str]:
    """What each Dagster process needs in its environment."""
    return {
        "DAGSTER_HOME": str(folder),
        # A draining tick ends after 21 s at most; what takes a minute hangs.
        "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "60",
        # Ticks in flight end within a second of SIGTERM; nothing else may hold up the stop.
        "DAGSTER_GRPC_SHUTDOWN_GRACE_PERIOD": "2",
        "DAGSTER_DISABLE_TELEMETRY": "true",
    }
