"""What goes on without sensor ticks: threads in the code server, started with the first tick and never by an import.

The one is the third contender for the evaluator's lease; the other sends mails when no outbox tick has ended for a while.
Where the rules are shared out among several processes, it is this process's part of them (`rules.crew`). The daemon, the webserver and
`dagster definitions validate` load the same definitions and must not evaluate anything.
"""

import threading
import time
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from pipelines.signs import last_outbox_tick_s
from pipelines.stopping import STOP
from rules.crew import stand_by
from rules.notify.outbox import run_outbox_tick
from warehouse.clock import SystemClock
from warehouse.errors import RetryableError
from warehouse.settings import Settings

NAME = "evaluator standby"
MAILS = "outbox standby"
MAILS_AFTER_S = 45.0
"""Longer than two ticks and the gap between them."""
MAILS_FOR = timedelta(seconds=5)
_guard = threading.Lock()
log = structlog.get_logger()


def ensure_standby(settings: Settings) -> None:
    """Starts the standbys of this process unless they run."""
    with _guard:
        running = {thread.name for thread in threading.enumerate()}
        if STOP.is_set():
            return
        # Daemon threads: the interpreter does not wait for them, and what they do is safe to be cut off.
        if NAME not in running:
            threading.Thread(target=stand_by, args=(settings, STOP), name=NAME, daemon=True).start()
        if MAILS not in running:
            threading.Thread(target=send_without_ticks, args=(settings, STOP), name=MAILS, daemon=True).start()


def send_without_ticks(settings: Settings, stop: threading.Event, after_s: float = MAILS_AFTER_S) -> None:
    """Sends what waits in the outbox whenever no outbox tick has ended for `after_s`, as when Dagster's daemon is dead, until `stop`."""
    began = time.monotonic()
    while not stop.wait(min(1.0, after_s)):
        if time.monotonic() - max(began, last_outbox_tick_s()) < after_s:
            continue
        try:
            done = run_outbox_tick(settings, SystemClock().now() + MAILS_FOR, stop)
        except (SQLAlchemyError, RetryableError) as away:
            log.warning("outbox_standby_waits", reason=str(away)[:300])
            continue
        if done.sent:
            log.warning("mails_sent_without_ticks", sent=done.sent, advice="is Dagster's daemon up?")
