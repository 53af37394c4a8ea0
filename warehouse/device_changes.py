"""What people change of one machine; each change is audited."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from warehouse.access.audit import Actor, append
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.models.devices import Device
from warehouse.tenancy import tenant_session


def change_device(
    db: Database, clock: Clock, actor: Actor, device_id: int, fields: Mapping[str, Any], action: str = "device.change"
) -> Device:
    """Sets the given columns of a machine; nothing is written when they are so already. Raises NotFoundError."""
    with tenant_session(db, actor.factory_id, write=True) as session:
        device = session.scalar(select(Device).where(Device.id == device_id))
        if device is None:
            raise NotFoundError(f"there is no machine {device_id} in this factory", noun="device", key=device_id)
        before = {name: getattr(device, name) for name, value in fields.items() if getattr(device, name) != value}
        if before:
            for name in before:
                setattr(device, name, fields[name])
            device.updated_at = clock.now()
            append(
                session,
                action,
                f"device:{device_id}",
                device.updated_at,
                actor,
                before=before,
                after={name: fields[name] for name in before},
            )
    return device


def deactivate_device(db: Database, clock: Clock, actor: Actor, device_id: int) -> Device:
    """Switches a machine off: what it sends is refused from then on, its history stays. Raises NotFoundError."""
    return change_device(db, clock, actor, device_id, {"is_active": False}, "device.deactivate")
