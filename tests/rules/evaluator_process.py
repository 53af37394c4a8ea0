"""An evaluator in a process of its own, to be killed: `python -m tests.rules.evaluator_process DATABASE_URL [SECONDS]`."""

import logging
import sys
import threading
from datetime import timedelta

import structlog

from rules.evaluator import run_tick, shared_evaluator
from warehouse.clock import SystemClock
from warehouse.settings import Settings


def main(url: str, seconds: float = 3600.0) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    settings = Settings(database_url=url, jwt_secret_key="for-tests-only-" + "x" * 32)
    shared_evaluator(settings).step(0)  # everything is imported and connected before the lease is taken
    print("ready", flush=True)
    done = run_tick(settings, SystemClock().now() + timedelta(seconds=seconds), threading.Event())
    print(done, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:]))
