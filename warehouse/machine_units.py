"""In which unit machines measure power, as the operational database knows it; see `warehouse.power_units`."""

import threading
import time
from collections.abc import Mapping
from typing import Final

from sqlalchemy import select

from warehouse.db import Database
from warehouse.models.devices import DeviceParameter
from warehouse.power_units import WATTS, watts_a_unit
from warehouse.tenancy import tenant_session
from warehouse.terms import POWER

REMEMBERED_S: Final = 5.0


def power_units(db: Database, factory_id: int) -> dict[int, float]:
    """As `watts_a_unit`, of a factory's machines now."""
    with tenant_session(db, factory_id) as session:
        wanted = select(DeviceParameter.device_id, DeviceParameter.unit).where(
            DeviceParameter.parameter_key == POWER, DeviceParameter.unit.in_(WATTS)
        )
        return watts_a_unit({row.device_id: row.unit for row in session.execute(wanted)})


class PowerUnits:
    """What `power_units` says, asked once in a few seconds; safe in several threads."""

    def __init__(self, db: Database) -> None:
        self._db, self._known, self._guard = db, dict[int, tuple[float, dict[int, float]]](), threading.Lock()

    def of(self, factory_id: int) -> Mapping[int, float]:
        """By device id; at most REMEMBERED_S old."""
        with self._guard:
            asked_at, known = self._known.get(factory_id, (-REMEMBERED_S, {}))
        if time.monotonic() - asked_at < REMEMBERED_S:
            return known
        found = power_units(self._db, factory_id)
        with self._guard:
            self._known[factory_id] = time.monotonic(), found
        return found
