"""Notes about machines: written by the ingester along with what it lands, read by people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from warehouse.db import Database
from warehouse.models.devices import Device
from warehouse.models.observations import KINDS, DeviceNote
from warehouse.tenancy import tenant_session


@dataclass(frozen=True)
class Noticed:
    """One thing that was noticed `count` times between two moments; `parameter_key` is empty for the machine as a whole."""

    factory_id: int
    device_id: int
    kind: str
    parameter_key: str
    detail: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class NoteRow:
    """A note as people see it."""

    device_id: int
    device_key: str
    kind: str
    said: str
    """The kind as a sentence."""
    parameter_key: str
    detail: str
    count: int
    first_at: datetime
    last_at: datetime


def add_notes(session: Session, noticed: Sequence[Noticed]) -> None:
    """Adds what was noticed to the notes in the caller's transaction: counts add up, the newest detail stays.

    Of machines that were deleted meanwhile nothing is added.
    """
    wanted = {one.device_id for one in noticed}
    present = set(session.scalars(select(Device.id).where(Device.id.in_(wanted))).all()) if wanted else set()
    rows = [vars(one) | {"detail": one.detail[:500]} for one in noticed if one.device_id in present]
    if not rows:
        return
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(DeviceNote)
    statement = statement.on_conflict_do_update(
        index_elements=["device_id", "kind", "parameter_key"],
        set_={
            "detail": statement.excluded.detail,
            "count": DeviceNote.count + statement.excluded.count,
            "last_at": statement.excluded.last_at,
        },
    )
    session.execute(statement, rows)


def notes_of(db: Database, factory_id: int, device_id: int | None = None) -> list[NoteRow]:
    """The notes about one machine, or about all of a factory with None; the newest first."""
    wanted = select(DeviceNote, Device.device_key).join(Device, Device.id == DeviceNote.device_id).order_by(DeviceNote.last_at.desc())
    if device_id is not None:
        wanted = wanted.where(DeviceNote.device_id == device_id)
    with tenant_session(db, factory_id) as session:
        return [
            NoteRow(n.device_id, key, n.kind, KINDS[n.kind], n.parameter_key, n.detail, n.count, n.first_at, n.last_at)
            for n, key in session.execute(wanted).all()
        ]


def forget_notes(db: Database, factory_id: int, device_id: int) -> int:
    """Deletes the notes about a machine, once somebody has mended what they say; returns how many there were."""
    with tenant_session(db, factory_id, write=True) as session:
        done = session.execute(delete(DeviceNote).where(DeviceNote.device_id == device_id))
    return int(done.rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult
