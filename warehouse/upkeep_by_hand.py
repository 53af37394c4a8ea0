"""Maintenance that people write down themselves, beside what other systems tell (`warehouse.upkeep`)."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import select

from warehouse.access.audit import Actor, append
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.devices import Device
from warehouse.models.upkeep import EVENT_KINDS, MaintenanceEvent
from warehouse.tenancy import tenant_session
from warehouse.upkeep import EventRow

BY_HAND: Final = "by hand"
"""The source of such events."""


def write_down(db: Database, clock: Clock, actor: Actor, told: EventRow) -> int:
    """Keeps an event; its `external_id` is made here. Returns the id of its row.

    Raises NotFoundError for a machine of another factory, InvalidInputError for what cannot be meant.
    """
    _check(told, clock.now())
    row = replace(told, external_id=uuid4().hex, title=(told.title or "").strip() or None, reason=(told.reason or "").strip() or None)
    with tenant_session(db, actor.factory_id, write=True) as session:
        if session.scalar(select(Device.id).where(Device.id == row.device_id)) is None:
            raise NotFoundError(f"there is no machine {row.device_id} in this factory", noun="device", key=row.device_id)
        event = MaintenanceEvent(factory_id=actor.factory_id, source=BY_HAND, imported_at=clock.now(), **asdict(row))
        session.add(event)
        session.flush()
        append(session, "upkeep.add", f"device:{row.device_id}", clock.now(), actor, after=_facts(event))
        return event.id


def finish(db: Database, clock: Clock, actor: Actor, event_id: int, ended_at: datetime) -> None:
    """Ends an event that goes on. Raises NotFoundError, InvalidInputError for an end before its beginning."""
    with tenant_session(db, actor.factory_id, write=True) as session:
        event = session.scalar(select(MaintenanceEvent).where(MaintenanceEvent.id == event_id))
        if event is None:
            raise NotFoundError(f"there is no maintenance event {event_id} in this factory", noun="maintenance event", key=event_id)
        if ended_at < event.began_at:
            raise InvalidInputError("it cannot end before it began", path="ended_at")
        before = _facts(event)
        event.ended_at = ended_at
        append(session, "upkeep.finish", f"device:{event.device_id}", clock.now(), actor, before=before, after=_facts(event))


def events_of(db: Database, factory_id: int, device_id: int, *, limit: int = 50) -> list[MaintenanceEvent]:
    """The newest events of one machine, from all sources."""
    wanted = select(MaintenanceEvent).where(MaintenanceEvent.device_id == device_id).order_by(MaintenanceEvent.began_at.desc())
    with tenant_session(db, factory_id) as session:
        return list(session.scalars(wanted.limit(limit)))


def _check(told: EventRow, now: datetime) -> None:
    if told.kind not in EVENT_KINDS:
        raise InvalidInputError(f"there is no kind {told.kind!r}; there are {', '.join(EVENT_KINDS)}", path="kind")
    if told.ended_at is not None and told.ended_at < told.began_at:
        raise InvalidInputError("it cannot end before it began", path="ended_at")
    if told.kind == "failure" and told.began_at > now:
        raise InvalidInputError("a failure has begun already; planned work is another kind", path="began_at")
    if told.cost is not None and told.cost < 0:
        raise InvalidInputError("a cost is not negative", path="cost")


def _facts(event: MaintenanceEvent) -> dict[str, Any]:
    moments = {name: moment.isoformat() if moment else None for name in ("began_at", "ended_at") for moment in [getattr(event, name)]}
    return {"kind": event.kind, "title": event.title, "reason": event.reason, "cost": event.cost} | moments
