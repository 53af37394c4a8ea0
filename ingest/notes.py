"""What is noticed of machines while their messages land, gathered so that it costs a write a minute and not one a message."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from ingest.directory import Place
from warehouse.device_notes import Noticed, add_notes

WRITE_EVERY_S: Final = 60.0
MOST_GATHERED: Final = 10_000
"""Different things to remember; what is more waits for its turn to be noticed again."""
_Key = tuple[int, str, str]


class Notes:
    """Gathers for one thread; the first case is written at once, later ones once a minute. `written` only what is durable."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._gathered: dict[_Key, Noticed] = {}
        self._written_at: dict[_Key, float] = {}

    def notice(self, place: Place, kind: str, detail: str, now: datetime, *, parameter_key: str = "", count: int = 1) -> None:
        """Remembers one more case."""
        key = (place.device_id, kind, parameter_key)
        known = self._gathered.get(key)
        if known is not None:
            self._gathered[key] = replace(known, detail=detail, count=known.count + count, last_at=now)
        elif len(self._gathered) < MOST_GATHERED:
            self._gathered[key] = Noticed(place.factory_id, place.device_id, kind, parameter_key, detail, count, now, now)

    def write(self, session: Session) -> list[_Key]:
        """Adds what is due in the caller's transaction; hand the result to `written` once it is durable."""
        if not self._gathered:
            return []
        since = self._monotonic() - WRITE_EVERY_S
        due = [key for key in self._gathered if self._written_at.get(key, since) <= since]
        add_notes(session, [self._gathered[key] for key in due])
        return due

    def written(self, keys: list[_Key]) -> None:
        """Forgets what is durable."""
        now_s = self._monotonic()
        if len(self._written_at) > MOST_GATHERED:
            self._written_at.clear()
        for key in keys:
            del self._gathered[key]
            self._written_at[key] = now_s
