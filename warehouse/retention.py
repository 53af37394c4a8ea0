"""How long what is kept, and which states of the lake must stay readable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.models.streams import InstallationFact
from warehouse.models.work import Report
from warehouse.tenancy import system_session

LEVELS: Final = ("raw", "1m", "5m", "1h", "1d")
DEFAULT_DAYS: Final[Mapping[str, int | None]] = {"raw": 30, "1m": 365, "5m": 2 * 365, "1h": 5 * 365, "1d": None}
"""Days that each level is kept; None for ever."""
_FACT: Final = "retention"


@dataclass(frozen=True)
class Retention:
    """Days by level for all factories, and what single factories have instead."""

    days: Mapping[str, int | None]
    of_factory: Mapping[int, Mapping[str, int | None]] = field(default_factory=dict)

    def keep(self, factory_id: int, level: str) -> timedelta | None:
        """How long a level of a factory is kept; None for ever."""
        days = self.of_factory.get(factory_id, {}).get(level, self.days[level])
        return None if days is None else timedelta(days=days)


def retention(db: Database, raw_days: int) -> Retention:
    """What holds now: the defaults with `raw_days` for readings, and the factories' own."""
    with system_session(db, "how long data are kept") as session:
        fact = session.get(InstallationFact, _FACT)
        own = dict(fact.value) if fact else {}
    return Retention({**DEFAULT_DAYS, "raw": raw_days}, {int(key): value for key, value in own.items()})


def set_retention(db: Database, factory_id: int, level: str, days: int | None) -> None:
    """Gives one factory its own retention of one level; None keeps it for ever. Raises InvalidInputError."""
    if level not in LEVELS or (days is not None and days < 1):
        message = f"no retention of {level} for {days} days: levels are {', '.join(LEVELS)}, and days begin with 1"
        raise InvalidInputError(message, path="level")
    with system_session(db, "change how long data are kept", write=True) as session:
        fact = session.get(InstallationFact, _FACT)
        if fact is None:
            session.add(InstallationFact(key=_FACT, value={str(factory_id): {level: days}}))
            return
        # A new object: SQLAlchemy does not see changes inside a JSON value.
        fact.value = {**fact.value, str(factory_id): {**fact.value.get(str(factory_id), {}), level: days}}


def pinned_snapshots(db: Database) -> frozenset[int]:
    """The snapshots from which reports were made: they can be made again as long as their reports exist."""
    with system_session(db, "snapshots that reports need") as session:
        found = session.scalars(select(Report.snapshot_id).where(Report.snapshot_id.is_not(None)).distinct()).all()
    return frozenset(int(number) for number in found if number is not None)
