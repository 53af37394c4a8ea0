"""One of several evaluator processes, to be killed: `python -m tests.rules.crew_process DATABASE_URL`."""

import logging
import sys
import threading

import structlog

from rules.crew import run_crew
from warehouse.settings import Settings


def main(url: str) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    settings = Settings(database_url=url, jwt_secret_key="for-tests-only-" + "x" * 32)
    run_crew(settings, threading.Event())


if __name__ == "__main__":
    main(sys.argv[1])
