"""Energy of the day so far, asked of the lake once in a few seconds however many ask for it."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from weakref import WeakKeyDictionary

from warehouse.lake import Lake
from warehouse.queries.energy import energy_kwh

REMEMBERED_S: Final = 10.0
"""A day's energy moves by a ten-thousandth meanwhile."""


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    asked_at: float = -REMEMBERED_S
    midnight: datetime | None = None
    kwh: Mapping[int, float] = field(default_factory=dict)


_known: Final[WeakKeyDictionary[Lake, dict[int, _Entry]]] = WeakKeyDictionary()
_guard: Final = threading.Lock()


def energy_today(lake: Lake, factory_id: int, midnight: datetime, now: datetime) -> Mapping[int, float]:
    """Energy in kWh of each machine from `midnight` (the factory's) to `now`, by device id; at most REMEMBERED_S old.

    Of several that ask at once one asks the lake. Raises LakeBusyError while it is away and nothing fresh is remembered.
    """
    with _guard:
        entry = _known.setdefault(lake, {}).setdefault(factory_id, _Entry())
    with entry.lock:
        if entry.midnight != midnight or time.monotonic() - entry.asked_at >= REMEMBERED_S:
            entry.kwh, entry.midnight, entry.asked_at = energy_kwh(lake, factory_id, midnight, now), midnight, time.monotonic()
        return entry.kwh
