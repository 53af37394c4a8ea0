"""Keeps the directory of devices and the list of known parameters as the database has them."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ingest.directory import Directory, Place
from ingest.topics import telemetry_topic
from warehouse.db import Database
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import Factory
from warehouse.tenancy import system_session

LOOK_EVERY_S: Final = 3.0
LOOK_FOR_UNKNOWN_EVERY_S: Final = 0.25


class Registry:
    """A copy in memory, for one thread. `parameters` holds the type of each (device id, parameter key)."""

    def __init__(self, db: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._monotonic = monotonic
        self._signature: Any = None
        self._looked_at = -LOOK_EVERY_S
        self.directory = Directory()
        self.parameters: dict[tuple[int, str], str] = {}
        self.parameter_counts: dict[int, int] = {}

    def refresh_if_due(self) -> None:
        """Looks for changes when it has not done so for 3 s. Raises the database's own error while it is away."""
        if self._monotonic() - self._looked_at >= LOOK_EVERY_S:
            self.refresh()

    def refresh_for(self, topics: Iterable[str]) -> None:
        """Looks again, at most four times a second, when one of `topics` is unknown: a device may have been registered just now."""
        if self._monotonic() - self._looked_at < LOOK_FOR_UNKNOWN_EVERY_S:
            return
        if not self.directory.places.keys() >= set(topics):
            self.refresh()

    def refresh(self, *, anyway: bool = False) -> None:
        """Reads everything when something has changed (5 ms for 1,000 devices, else 1 ms); with `anyway` in any case."""
        with system_session(self._db, "which devices there are") as session:
            found = signature(session)
            if anyway or found != self._signature:
                self._load(session)
        self._signature, self._looked_at = found, self._monotonic()

    def learn_parameters(self, parameters: Mapping[tuple[int, str], str]) -> None:
        """Remembers types that were stored, by (device id, parameter key): of new parameters and of known ones."""
        for (device_id, name), data_type in parameters.items():
            if (device_id, name) not in self.parameters:
                self.parameter_counts[device_id] = self.parameter_counts.get(device_id, 0) + 1
            self.parameters[device_id, name] = data_type

    def _load(self, session: Session) -> None:
        factories = dict(session.execute(select(Factory.slug, Factory.id)).all())
        devices = session.execute(
            select(Factory.slug, Device.device_key, Device.factory_id, Device.id, Device.is_active).join(
                Factory, Factory.id == Device.factory_id
            )
        ).all()
        self.directory = Directory(_places(devices, active=True), _places(devices, active=False), factories)
        self.parameters, self.parameter_counts = {}, {}
        known = session.execute(select(DeviceParameter.device_id, DeviceParameter.parameter_key, DeviceParameter.data_type))
        self.learn_parameters({(device_id, name): data_type for device_id, name, data_type in known})


def signature(session: Session) -> Any:
    """Changes with every device or factory that is added, changed or deleted."""
    devices = session.execute(select(func.count(Device.id), func.max(Device.id), func.max(Device.updated_at))).one()
    factories = session.execute(select(func.count(Factory.id), func.max(Factory.id), func.max(Factory.updated_at))).one()
    return tuple(devices), tuple(factories)


def _places(devices: Sequence[tuple[str, str, int, int, bool]], *, active: bool) -> dict[str, Place]:
    return {
        telemetry_topic(slug, device_key): Place(factory_id, device_id)
        for slug, device_key, factory_id, device_id, is_active in devices
        if bool(is_active) is active
    }
