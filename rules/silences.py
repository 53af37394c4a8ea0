"""Silences and maintenance windows: made, looked at, changed and ended by people, each with a trace in the audit trail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.parse import parse_schedule
from warehouse.access import audit
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.alerting import Alert, Rule, Silence
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.shifts import clock_of
from warehouse.tenancy import tenant_session

LONGEST_REASON: Final = 500
LONGEST: Final = timedelta(days=366)
LONGEST_SCHEDULED: Final = timedelta(days=10 * 366)
"""A maintenance window of each Sunday may go on for years; a silence that nobody ends must not."""


@dataclass(frozen=True)
class NewSilence:
    """What a silence covers and when; whatever of device, rule and region is None, is any."""

    reason: str
    starts_at: datetime
    ends_at: datetime
    device_id: int | None = None
    rule_id: int | None = None
    region: str | None = None
    schedule: Mapping[str, Any] | None = None
    """A time window of `rules.parse` in the factory's time zone; None: all the time from start to end."""


def silence(db: Database, clock: Clock, factory_id: int, asked: NewSilence, *, user_id: int) -> Silence:
    """Makes a silence. Alerts that it covers are recorded; nobody is told, reminded or escalated to until it is over.

    Raises InvalidInputError for what cannot be meant, NotFoundError for a device, rule or region that this factory does not have.
    """
    now = clock.now()
    with tenant_session(db, factory_id, write=True) as session:
        _check(session, asked, now)
        row = Silence(created_by=user_id, created_at=now, **_columns(asked))
        session.add(row)
        session.flush()
        audit.append(session, "silence.create", f"silence:{row.id}", now, audit.Actor(factory_id, user_id), after=_traced(row))
        return row


def change_end(db: Database, clock: Clock, factory_id: int, silence_id: int, ends_at: datetime, *, user_id: int) -> Silence:
    """Moves the end of a silence that is not over. Raises NotFoundError, InvalidInputError as `silence` does."""
    now = clock.now()
    with tenant_session(db, factory_id, write=True) as session:
        row = _found(session, silence_id)
        _check_span(NewSilence(row.reason, row.starts_at, ends_at, schedule=row.schedule), now)
        before = _traced(row)
        row.ends_at = ends_at
        _look_again(session, silence_id, now)
        actor = audit.Actor(factory_id, user_id)
        audit.append(session, "silence.change", f"silence:{row.id}", now, actor, before=before, after=_traced(row))
        return row


def change_silence(db: Database, clock: Clock, factory_id: int, silence_id: int, asked: NewSilence, *, user_id: int) -> Silence:
    """Gives a silence that is not over a new form. Alerts that it held back and does not cover any more are told then.

    Raises NotFoundError, InvalidInputError as `silence` does.
    """
    now = clock.now()
    with tenant_session(db, factory_id, write=True) as session:
        row = _found(session, silence_id)
        if row.ends_at <= now:
            raise InvalidInputError("this silence is over; make a new one", path="$.ends_at")
        _check(session, asked, now)
        before = _traced(row)
        for name, value in _columns(asked).items():
            setattr(row, name, value)
        session.flush()
        _look_again(session, silence_id, now)
        actor = audit.Actor(factory_id, user_id)
        audit.append(session, "silence.change", f"silence:{row.id}", now, actor, before=before, after=_traced(row))
        return row


def end_silence(db: Database, clock: Clock, factory_id: int, silence_id: int, *, user_id: int) -> None:
    """Ends a silence now; one that has not begun, or is over, is deleted. Alerts that it held back and that still stand are told then.

    Raises NotFoundError for a silence that this factory does not have.
    """
    now = clock.now()
    with tenant_session(db, factory_id, write=True) as session:
        row = _found(session, silence_id)
        before = _traced(row)
        if row.starts_at < now < row.ends_at:
            row.ends_at = now
            _look_again(session, silence_id, now)
        else:
            session.delete(row)
        audit.append(session, "silence.end", f"silence:{silence_id}", now, audit.Actor(factory_id, user_id), before=before)


def list_silences(db: Database, factory_id: int, now: datetime, *, with_past: bool = False) -> list[Silence]:
    """The silences that hold or are to come, by start; with those that are over when asked for."""
    with tenant_session(db, factory_id) as session:
        question = select(Silence).order_by(Silence.starts_at, Silence.id)
        return list(session.scalars(question if with_past else question.where(Silence.ends_at > now)))


def find_silence(db: Database, factory_id: int, silence_id: int) -> Silence:
    """One silence. Raises NotFoundError, also for those of other factories."""
    with tenant_session(db, factory_id) as session:
        return _found(session, silence_id)


def _columns(asked: NewSilence) -> dict[str, Any]:
    return {
        "device_id": asked.device_id,
        "rule_id": asked.rule_id,
        "region": asked.region,
        "reason": asked.reason.strip(),
        "starts_at": asked.starts_at,
        "ends_at": asked.ends_at,
        "schedule": None if asked.schedule is None else dict(asked.schedule),
    }


def _found(session: Session, silence_id: int) -> Silence:
    row = session.scalar(select(Silence).where(Silence.id == silence_id).with_for_update())
    if row is None:
        raise NotFoundError(f"there is no silence {silence_id} in this factory", noun="silence", key=silence_id)
    return row


def _look_again(session: Session, silence_id: int, now: datetime) -> None:
    """The alerts that it holds back are looked at at once instead of at its old end."""
    question = select(Alert).where(Alert.silence_id == silence_id, Alert.is_silenced, Alert.next_step_at.is_not(None))
    for alert in session.scalars(question.with_for_update()):
        alert.next_step_at = now


def _check(session: Session, asked: NewSilence, now: datetime) -> None:
    _check_span(asked, now)
    if not asked.reason.strip() or len(asked.reason) > LONGEST_REASON:
        raise InvalidInputError(f"a silence needs a reason of at most {LONGEST_REASON} characters", path="$.reason")
    if asked.device_id is not None and session.scalar(select(Device.id).where(Device.id == asked.device_id)) is None:
        raise NotFoundError(f"there is no machine {asked.device_id} in this factory", noun="device", key=asked.device_id)
    if asked.rule_id is not None and session.scalar(select(Rule.id).where(Rule.id == asked.rule_id)) is None:
        raise NotFoundError(f"there is no rule {asked.rule_id} in this factory", noun="rule", key=asked.rule_id)
    if asked.region is not None and session.scalar(select(Device.id).where(Device.region == asked.region).limit(1)) is None:
        raise NotFoundError(f"no machine of this factory is in {asked.region!r}", noun="region", key=asked.region)
    if asked.schedule is not None:
        clock = clock_of(session.scalars(select(Factory)).one())
        parse_schedule("time_window", asked.schedule, ZoneInfo(clock.timezone), shifts=clock.times())


def _check_span(asked: NewSilence, now: datetime) -> None:
    if asked.ends_at <= asked.starts_at:
        raise InvalidInputError("a silence ends after it starts", path="$.ends_at")
    if asked.ends_at <= now:
        raise InvalidInputError("a silence ends in the future; what is past was told already", path="$.ends_at")
    longest = LONGEST if asked.schedule is None else LONGEST_SCHEDULED
    if asked.ends_at - asked.starts_at > longest:
        raise InvalidInputError(f"a silence lasts at most {longest.days} days", path="$.ends_at")


def _traced(row: Silence) -> dict[str, Any]:
    found = {name: getattr(row, name) for name in ("device_id", "rule_id", "region", "reason", "schedule")}
    return {**found, "starts_at": row.starts_at.isoformat(), "ends_at": row.ends_at.isoformat()}
