"""Machines registered one at a time, and their keys: each is shown once, when it is made, and stored as a hash.

A change reaches mosquitto within two seconds (`ingest.broker`); EMQX asks us again within eight (`api.routers.mqtt`).
"""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from ingest.broker_files import is_plain
from ingest.device_keys import device_user_name, hash_device_key, new_device_key
from ingest.replay import Waiting, waiting
from ingest.topics import LONGEST_DEVICE_KEY
from warehouse.access.audit import Actor, append
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.device_list import DeviceEntry
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.tenancy import tenant_session

_FIELDS: Final = ("name", "kind", "manufacturer", "model", "region")


@dataclass(frozen=True)
class Credentials:
    """With what a machine signs in to the broker. The password is nowhere else: show it to the person and forget it."""

    device_id: int
    device_key: str
    user_name: str
    topic: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Registered:
    """A new machine, and what it sent before anybody knew it."""

    credentials: Credentials
    waiting: Waiting


def register(db: Database, clock: Clock, actor: Actor, entry: DeviceEntry) -> Registered:
    """Adds a machine to the actor's factory. Raises InvalidInputError for a key that is taken or cannot be part of a topic."""
    if not is_plain(entry.device_key) or len(entry.device_key) > LONGEST_DEVICE_KEY:
        raise InvalidInputError(
            f"a device key has 1 to {LONGEST_DEVICE_KEY} printable characters without / + # : and blanks around it", path="device_key"
        )
    password = new_device_key()
    with tenant_session(db, actor.factory_id, write=True) as session:
        if session.scalar(select(Device.id).where(Device.device_key == entry.device_key)) is not None:
            raise InvalidInputError(f"there is a machine {entry.device_key!r} already", path="device_key")
        told = {name: getattr(entry, name) for name in _FIELDS}
        device = Device(device_key=entry.device_key, api_key=hash_device_key(password), created_at=clock.now(), **told)
        session.add(device)
        session.flush()
        append(session, "device.register", f"device:{device.id}", clock.now(), actor, after={"device_key": entry.device_key})
        slug = _slug(session)
        made = _credentials(device, slug, password)
    return Registered(made, waiting(db, slug, entry.device_key))


def rotate_key(db: Database, clock: Clock, actor: Actor, device_key: str) -> Credentials:
    """Gives a machine a new key; the old one, and a connection that was made with it, end within 10 s. Raises NotFoundError."""
    password = new_device_key()
    with tenant_session(db, actor.factory_id, write=True) as session:
        device = _device(session, device_key)
        device.api_key = hash_device_key(password)
        append(session, "device.key_rotate", f"device:{device.id}", clock.now(), actor)
        return _credentials(device, _slug(session), password)


def revoke_key(db: Database, clock: Clock, actor: Actor, device_key: str) -> None:
    """Takes a machine's key away; it can send nothing until it gets a new one. Raises NotFoundError."""
    with tenant_session(db, actor.factory_id, write=True) as session:
        device = _device(session, device_key)
        device.api_key = None
        append(session, "device.key_revoke", f"device:{device.id}", clock.now(), actor)


def credentials_of(db: Database, factory_id: int, device_key: str) -> Credentials:
    """A machine's user name and topic; the password is empty, since nobody knows it. Raises NotFoundError."""
    with tenant_session(db, factory_id) as session:
        return _credentials(_device(session, device_key), _slug(session), "")


def devices_of(db: Database, factory_id: int) -> list[Device]:
    """All machines of a factory by key, those that are switched off too."""
    with tenant_session(db, factory_id) as session:
        return list(session.scalars(select(Device).order_by(Device.device_key)).all())


def _device(session: Session, device_key: str) -> Device:
    device = session.scalar(select(Device).where(Device.device_key == device_key))
    if device is None:
        raise NotFoundError(f"there is no machine {device_key!r} in this factory", noun="device", key=device_key)
    return device


def _slug(session: Session) -> str:
    return session.scalars(select(Factory.slug)).one()


def _credentials(device: Device, slug: str, password: str) -> Credentials:
    user_name = device_user_name(slug, device.device_key)
    return Credentials(device.id, device.device_key, user_name, f"factories/{user_name}/telemetry", password)
