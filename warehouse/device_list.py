"""Machines of a factory registered and changed many at a time."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import select

from warehouse.db import Database
from warehouse.models.devices import Device
from warehouse.tenancy import tenant_session
from warehouse.upkeep import Saved


@dataclass(frozen=True)
class DeviceEntry:
    """One machine of a list; None leaves what the machine has."""

    device_key: str
    name: str | None = None
    kind: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    region: str | None = None
    importance: float | None = None
    is_active: bool | None = None


def save_devices(db: Database, factory_id: int, entries: Iterable[DeviceEntry], *, dry_run: bool = False) -> Saved:
    """Adds machines that are new, changes those that differ; deletes none. Of a key that comes twice the last entry counts."""
    wanted = {entry.device_key: entry for entry in entries}
    added = changed = 0
    with tenant_session(db, factory_id, write=not dry_run) as session:
        present = {device.device_key: device for device in session.scalars(select(Device)).all()}
        for key, entry in wanted.items():
            told = {name: value for name, value in asdict(entry).items() if value is not None}
            device = present.get(key)
            if device is None:
                added += 1
                if not dry_run:
                    session.add(Device(factory_id=factory_id, **told))
            elif any(getattr(device, name) != value for name, value in told.items()):
                changed += 1
                if not dry_run:
                    for name, value in told.items():
                        setattr(device, name, value)
    return Saved(added, changed, len(wanted) - added - changed)
