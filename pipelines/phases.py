"""When a draining sensor tick ends: pure.

Dagster starts the next tick of a sensor up to 5 s after the last one ended. Two sensors that end at fixed, different moments of
the wall clock are never away at the same time:

    seconds    0         10        20        30        40
    first      |.....=====================|.....==========      ends at 0, 20, 40
    second     ==========|.....=====================|.....      ends at 10, 30, 50
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

PERIOD_S: Final = 20.0
SHORTEST_S: Final = 1.0
"""A tick shorter than this would end in its own gap; it goes on to the next end instead."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def tick_end(now: datetime, phase_s: float, period_s: float = PERIOD_S) -> datetime:
    """The next moment, at least `SHORTEST_S` from `now`, whose seconds since the epoch are `phase_s` beyond a multiple of `period_s`."""
    earliest_s = (now - _EPOCH).total_seconds() + SHORTEST_S
    periods = math.ceil((earliest_s - phase_s) / period_s)
    return _EPOCH + timedelta(seconds=phase_s + periods * period_s)
