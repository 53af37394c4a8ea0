"""What a process needs to work with one installation, opened together and handed down from the front door."""

from dataclasses import dataclass, field
from typing import Self

from warehouse.clock import Clock, SystemClock
from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.machine_units import PowerUnits
from warehouse.settings import Settings


@dataclass(frozen=True)
class Installation:
    """Settings, both kinds of storage, and the time."""

    settings: Settings
    db: Database
    lake: Lake
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        # The lake keeps what machines sent; in which unit they sent it, the operational database knows.
        self.lake.watts_a_unit = PowerUnits(self.db).of

    @classmethod
    def open(cls, settings: Settings, clock: Clock | None = None) -> Self:
        """Prepares both storages; each connects when it is first used, so one that is away does not stop the other."""
        return cls(settings, Database(settings.operational_url), Lake(settings), clock or SystemClock())

    def close(self) -> None:
        """Closes both storages."""
        self.db.dispose()
        self.lake.close()
