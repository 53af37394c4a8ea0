"""Whether more may be landed: there is room on the disk and in the landing log. While there is none, messages wait in the broker."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from warehouse import landing
from warehouse.db import Database
from warehouse.disk import disk_problem
from warehouse.landing import LogSize
from warehouse.tenancy import system_session

LOOK_EVERY_S: Final = 2.0
_MB: Final = 1_000_000


class Admission:
    """Looks every two seconds; for one thread."""

    def __init__(
        self, db: Database, home: Path, *, disk_floor_mb: int, landing_max_mb: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._db, self._home, self._monotonic = db, home, monotonic
        self._disk_floor_mb, self._landing_max_mb = disk_floor_mb, landing_max_mb
        self._look_at = 0.0
        self._problem = ""

    def problem(self) -> str:
        """Why nothing may be landed now, in words; empty when it may. Raises the database's own error while it is away."""
        now = self._monotonic()
        if now >= self._look_at:
            self._problem = disk_problem(self._home, self._disk_floor_mb) or self._log_problem()
            self._look_at = now + LOOK_EVERY_S
        return self._problem

    def _log_problem(self) -> str:
        with system_session(self._db, "size of the landing log") as session:
            return log_problem(landing.size(session), self._landing_max_mb)


def log_problem(size: LogSize, most_mb: int) -> str:
    """What to do when the landing log is full; empty when it is not. Pure."""
    if size.bytes < most_mb * _MB:
        return ""
    return (
        f"the landing log is full: {size.batches:,} batches with {size.bytes / _MB:,.0f} MB, at most {most_mb:,} MB (LANDING_MAX_MB); "
        "the loader or the evaluator has not passed them, so bring those back; messages wait in the broker meanwhile"
    )
