"""A thread that gives a process's signs of life and tells its figures, for processes whose own work has no loop for it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

from warehouse import heartbeat, metrics
from warehouse.clock import Clock, SystemClock
from warehouse.db import Database
from warehouse.heartbeat import Heartbeat

STOPS_WITHIN_S: Final = 2.0
log = structlog.get_logger()


@contextmanager
def giving_signs(
    db: Database,
    name: str,
    registries: Sequence[CollectorRegistry] = (),
    *,
    clock: Clock | None = None,
    problem: Callable[[], str] = str,
) -> Iterator[None]:
    """Gives a sign of life of `name` every few seconds while the block runs, and says goodbye at its end.

    `problem` is asked each time for what the process cannot do now; empty when all is well. A database that is away is waited for.
    """
    stop = threading.Event()

    def sign() -> None:
        told = [*metrics.process_samples(), *(one for registry in registries for one in metrics.samples(registry))]
        heartbeat.beat(db, Heartbeat(name, (clock or SystemClock()).now(), problem(), told))

    def work() -> None:
        while True:
            _on_database("heartbeat_failed", sign)
            if stop.wait(heartbeat.EVERY.total_seconds()):
                break

    thread = threading.Thread(target=work, name=f"signs of {name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOPS_WITHIN_S)
        _on_database("goodbye_failed", lambda: heartbeat.say_goodbye(db, name))


def _on_database(event: str, work: Callable[[], object]) -> None:
    """What is good to have done, and no reason to stop when it cannot be done now."""
    try:
        work()
    except SQLAlchemyError as away:
        log.warning(event, problem=str(away)[:200])
