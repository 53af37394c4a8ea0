"""`factoryops evaluate` and `factoryops shards`: rules evaluated in processes of their own, where one process is not enough."""

import threading
from typing import Final

import structlog

from ingest.stopping import stop_on_signals
from rules.crew import run_crew
from rules.figures import EVALUATOR
from rules.sharding import evaluator_shards, share_out_evaluator
from rules.shared import shared_database
from warehouse.clock import SystemClock
from warehouse.settings import Settings
from warehouse.signs import giving_signs

NAME: Final = "evaluator"
log = structlog.get_logger()


def run(settings: Settings, name: str = "", stop: threading.Event | None = None) -> None:
    """Takes this process's part of the evaluator's shards until `stop` is set; without one, until SIGINT or SIGTERM. Stops within 5 s."""
    stop = stop or stop_on_signals()
    db = shared_database(settings)
    with giving_signs(db, f"{NAME} {name}".strip(), [EVALUATOR.registry]):
        log.info("evaluator_started", name=name, shards=len(evaluator_shards(db)))
        run_crew(settings, stop)
    log.info("evaluator_stopped", name=name)


def show_or_set_shards(settings: Settings, count: int | None) -> str:
    """What was done, in words."""
    db = shared_database(settings)
    if count is None:
        return _counted(len(evaluator_shards(db)))
    before = share_out_evaluator(db, SystemClock(), count)
    if before == count:
        return _counted(count)
    return f"{_counted(count)} instead of {before}; evaluators go on within two seconds"


def _counted(count: int) -> str:
    return "1 shard" if count == 1 else f"{count} shards"
