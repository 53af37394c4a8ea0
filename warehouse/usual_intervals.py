"""How often each machine usually sends, and so after how long its newest value is stale.

Comes from the hourly figures of the last days, and is asked for in the background: what is live must not wait for the lake.
"""

import threading
import time
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakKeyDictionary

import polars as pl
import structlog

from warehouse.errors import RetryableError
from warehouse.lake import Lake
from warehouse.queries.summaries import summaries

LOOKED_BACK: Final = timedelta(days=3)
ASKED_EVERY_S: Final = 600
STALE_AFTER_INTERVALS: Final = 3
log = structlog.get_logger()


def usual_intervals_s(hours: pl.DataFrame) -> dict[int, float]:
    """Seconds between two readings by machine, from BUCKETS of an hour; pure.

    Of the parameter that comes most often; the median of hours with several readings, so that pauses do not count. A machine that
    sends less than twice an hour: the mean distance of its hours.
    """
    counted = hours.group_by("device_id", "parameter").agg(
        busy=(3600 / pl.col("count").filter(pl.col("count") > 1)).median(),
        span_s=(pl.col("bucket").max() - pl.col("bucket").min()).dt.total_seconds(),
        number=pl.len(),
    )
    slow = pl.when(pl.col("number") > 1).then(pl.col("span_s") / (pl.col("number") - 1))
    found = (
        counted.select("device_id", interval_s=pl.coalesce("busy", slow)).drop_nulls().group_by("device_id").agg(pl.col("interval_s").min())
    )
    return dict(found.iter_rows())


def stale_after_s(interval_s: float | None, least_s: float) -> float:
    """After how many seconds without a reading a value is stale: three usual intervals, but at least `least_s`; pure."""
    return max(least_s, STALE_AFTER_INTERVALS * (interval_s or 0.0))


class UsualIntervals:
    """What is known of one lake's machines, ten minutes old at most once it is known."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known: dict[int, tuple[float, dict[int, float]]] = {}
        self._guard = threading.Lock()

    def of(self, factory_id: int, device_id: int, now: datetime) -> float | None:
        """Seconds between two readings of a machine; None while nobody knows. Never waits."""
        with self._guard:
            asked_at, known = self._known.get(factory_id, (0.0, {}))
            is_due = not asked_at or time.monotonic() - asked_at > ASKED_EVERY_S
            if is_due:
                self._known[factory_id] = time.monotonic(), known
        if is_due:
            threading.Thread(target=self.ask, args=(factory_id, now), name="usual-intervals", daemon=True).start()
        return known.get(device_id)

    def ask(self, factory_id: int, now: datetime) -> None:
        """Looks at the lake; what was known stays while it is away."""
        try:
            hours = summaries(self._lake, factory_id, now - LOOKED_BACK, now, timedelta(hours=1), only=("count",))
        except RetryableError as away:
            log.info("usual_intervals_kept", factory_id=factory_id, problem=str(away))
            return
        with self._guard:
            self._known[factory_id] = time.monotonic(), usual_intervals_s(hours)


_OF_LAKES: Final[WeakKeyDictionary[Lake, UsualIntervals]] = WeakKeyDictionary()
_OF_LAKES_GUARD: Final = threading.Lock()


def intervals_of(lake: Lake) -> UsualIntervals:
    """The one of this lake in this process: pages and API share what they know."""
    with _OF_LAKES_GUARD:
        found = _OF_LAKES.get(lake)
        if found is None:
            found = _OF_LAKES[lake] = UsualIntervals(lake)
        return found
