"""The evaluator and the sender of notifications in a process of their own, driven as in production: overlapping ticks and a standby.

`python -m bench.evaluator_process`, settings from the environment. The Dagster sensors call the same functions at the same times.
"""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

from ingest.stopping import stop_on_signals
from rules.evaluator import run_standby, run_tick
from rules.notify.outbox import run_outbox_tick
from warehouse.clock import SystemClock
from warehouse.logs import configure_logs
from warehouse.settings import Settings

PERIOD_S: Final = 20
BETWEEN_TICKS_S: Final = 5.0
"""What Dagster's daemon takes at most to start the next tick."""


def next_end(now: datetime, phase_s: int) -> datetime:
    """The next moment that lies `phase_s` beyond a multiple of 20 s, at least 2 s away."""
    seconds = now.timestamp() + 2
    return datetime.fromtimestamp((seconds - phase_s) // PERIOD_S * PERIOD_S + PERIOD_S + phase_s, UTC)


def main() -> None:
    """Works until SIGINT or SIGTERM."""
    settings, stop, clock = Settings.load(), stop_on_signals(), SystemClock()
    configure_logs(settings)

    def ticks(phase_s: int) -> None:
        while not stop.is_set():
            run_tick(settings, next_end(clock.now(), phase_s), stop)
            stop.wait(BETWEEN_TICKS_S)

    def mails() -> None:
        while not stop.is_set():
            run_outbox_tick(settings, clock.now() + timedelta(seconds=PERIOD_S), stop)

    work = [lambda: ticks(0), lambda: ticks(10), mails, lambda: run_standby(settings, stop)]
    threads = [threading.Thread(target=one, daemon=True) for one in work]
    for thread in threads:
        thread.start()
    while not stop.wait(0.5) and all(thread.is_alive() for thread in threads):
        pass
    stop.set()
    for thread in threads:
        thread.join(5)


if __name__ == "__main__":
    main()
