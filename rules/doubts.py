"""When silence is not believed: the clock was set forward, or no ingester can take anything in. Then the machines are not to blame.

    real time    0 1 2 3 4 5 6 ...                 33 34
    clock        0 1 2 | 3603 3604 ...           3633 3634       set forward by an hour at 2
    looks          yes | no, until 30 s later         | yes      by then whoever is alive has spoken under the new clock

Messages are evaluated meanwhile; only looks without any message wait. Not for ever: what nobody heard for a quarter of an hour is told.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from warehouse.db import Database
from warehouse.heartbeat import heartbeats

IS_A_JUMP: Final = timedelta(seconds=5)
"""More than a process is held up for by a busy machine."""
WAITS_S: Final = 30.0
"""After a doubt is over: what waited in the broker comes first."""
MOST_S: Final = 15 * 60.0
ASKS_EVERY_S: Final = 1.0
INGESTERS: Final = "ingester"
log = structlog.get_logger()


class Doubts:
    """Of one evaluator. For one thread."""

    def __init__(self, db: Database, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._db, self._steady_s = db, steady_s
        self._last: tuple[datetime, float] | None = None
        self._since_s: float | None = None
        self._until_s = 0.0
        self._asked_at_s: float | None = None

    def is_unsure(self, now: datetime) -> bool:
        """Whether silence is not to be believed at `now`, the clock's time. Reads signs of life once a second."""
        steady_s = self._steady_s()
        reason = self._jump(now, steady_s)
        if self._asked_at_s is None or steady_s - self._asked_at_s >= ASKS_EVERY_S:
            self._asked_at_s = steady_s
            reason = reason or ingest_is_away(self._db, now)
        if reason:
            if self._since_s is None:
                self._since_s = steady_s
                log.warning("silence_is_not_believed", reason=reason)
            self._until_s = steady_s + WAITS_S
        is_over = steady_s >= self._until_s
        if is_over:
            self._since_s = None
        return not is_over and (self._since_s is None or steady_s - self._since_s < MOST_S)

    def _jump(self, now: datetime, steady_s: float) -> str:
        """In words by how much the clock went further than time did since the last call; empty when it did not."""
        before, self._last = self._last, (now, steady_s)
        if before is None:
            return ""
        jumped = now - before[0] - timedelta(seconds=steady_s - before[1])
        return f"the clock was set forward by {jumped.total_seconds():.0f} s" if jumped > IS_A_JUMP else ""


def ingest_is_away(db: Database, now: datetime) -> str:
    """In words why nothing can be taken in: there are ingesters, and none of them is well; empty otherwise."""
    states = {beat.name: beat.state(now) for beat in heartbeats(db) if beat.name.split()[0] == INGESTERS}
    if not states or "ok" in states.values():
        return ""
    return "; ".join(f"{name}: {state}" for name, state in states.items())
