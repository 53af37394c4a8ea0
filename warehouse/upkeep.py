"""Maintenance events of a factory: kept, changed, read; and what they say about its machines' reliability."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import select

from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.models.devices import Device
from warehouse.models.upkeep import EVENT_KINDS, MaintenanceEvent
from warehouse.readings import UTC_TIME
from warehouse.tenancy import tenant_session

EVENTS: Final = pl.Schema(
    {
        "device_id": pl.Int32(),
        "kind": pl.String(),
        "began_at": UTC_TIME,
        "ended_at": UTC_TIME,
        "title": pl.String(),
        "reason": pl.String(),
        "cost": pl.Float64(),
        "source": pl.String(),
        "external_id": pl.String(),
    }
)


@dataclass(frozen=True)
class EventRow:
    """One event as its source tells it."""

    external_id: str
    device_id: int
    kind: str
    began_at: datetime
    ended_at: datetime | None = None
    title: str | None = None
    reason: str | None = None
    cost: float | None = None


@dataclass(frozen=True)
class Saved:
    """What saving rows did."""

    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True)
class Reliability:
    """Of one machine over a range, from recorded failures; times in seconds."""

    failures: int
    down_s: float
    """Within the range, overlapping failures once."""
    mtbf_s: float | None
    """Time up over failures (EN 15341); None without a failure."""
    mttr_s: float | None
    """Mean length of the failures that have ended; None without one."""


def device_ids(db: Database, factory_id: int) -> dict[str, int]:
    """Id of each machine by its key, those that are switched off included."""
    with tenant_session(db, factory_id) as session:
        return {device.device_key: device.id for device in session.scalars(select(Device)).all()}


def save_events(db: Database, factory_id: int, source: str, rows: Iterable[EventRow], now: datetime, *, dry_run: bool = False) -> Saved:
    """Adds events and changes those that the source tells differently now; of a number that comes twice the last one counts.

    Events that the source does not tell any more stay. Raises InvalidInputError for an unknown kind or a machine of another factory.
    """
    wanted = {row.external_id: row for row in rows}
    if unknown := {row.kind for row in wanted.values()} - set(EVENT_KINDS):
        raise InvalidInputError(f"unknown kinds {sorted(unknown)}; there are {', '.join(EVENT_KINDS)}", path="kind")
    added = changed = 0
    with tenant_session(db, factory_id, write=not dry_run) as session:
        own = {device.id for device in session.scalars(select(Device)).all()}
        if strangers := {row.device_id for row in wanted.values()} - own:
            raise InvalidInputError(f"no such machines in this factory: {sorted(strangers)}", path="device_id")
        found = session.scalars(select(MaintenanceEvent).where(MaintenanceEvent.source == source)).all()
        present = {event.external_id: event for event in found}
        for external_id, row in wanted.items():
            event = present.get(external_id)
            if event is None:
                added += 1
                if not dry_run:
                    session.add(MaintenanceEvent(factory_id=factory_id, source=source, imported_at=now, **asdict(row)))
            elif any(getattr(event, name) != value for name, value in asdict(row).items()):
                changed += 1
                if not dry_run:
                    for name, value in asdict(row).items():
                        setattr(event, name, value)
                    event.imported_at = now
    return Saved(added, changed, len(wanted) - added - changed)


def maintenance_events(
    db: Database, factory_id: int, start: datetime, end: datetime, *, devices: Collection[int] | None = None, kinds: Collection[str] = ()
) -> pl.DataFrame:
    """EVENTS of a factory that touch [start, end), by begin. What goes on still has no end and touches all that comes after its begin."""
    statement = select(MaintenanceEvent).where(MaintenanceEvent.began_at < end)
    statement = statement.where((MaintenanceEvent.ended_at.is_(None)) | (MaintenanceEvent.ended_at >= start))
    if devices is not None:
        statement = statement.where(MaintenanceEvent.device_id.in_(devices))
    if kinds:
        statement = statement.where(MaintenanceEvent.kind.in_(kinds))
    with tenant_session(db, factory_id) as session:
        found = session.scalars(statement.order_by(MaintenanceEvent.began_at, MaintenanceEvent.id)).all()
        rows = [tuple(getattr(event, name) for name in EVENTS.names()) for event in found]
    return pl.DataFrame(rows, schema=EVENTS, orient="row")


def reliability(events: pl.DataFrame, start: datetime, end: datetime) -> Mapping[int, Reliability]:
    """By machine, of the failures among EVENTS that began in [start, end); pure. A failure that goes on lasts to `end`."""
    failures = events.filter(pl.col("kind") == "failure", pl.col("began_at") >= start, pl.col("began_at") < end)
    found = {}
    for (device_id,), own in failures.sort("began_at").group_by("device_id", maintain_order=True):
        down_s, until = 0.0, start
        for began, ended in own.select("began_at", pl.col("ended_at").fill_null(end)).iter_rows():
            down_s += max(0.0, (min(ended, end) - max(began, until)).total_seconds())
            until = max(until, ended)
        ended_s = own.drop_nulls("ended_at").select((pl.col("ended_at") - pl.col("began_at")).dt.total_microseconds() / 1e6).to_series()
        up_s = (end - start).total_seconds() - down_s
        mttr_s = float(ended_s.sum()) / ended_s.len() if ended_s.len() else None
        found[int(str(device_id))] = Reliability(own.height, down_s, up_s / own.height, mttr_s)
    return found
