"""The named shifts of each factory: parts of its production day, in its own time. Rules, energy and pages go by them.

For people who set them: `shifts_of` reads, `set_shifts` writes (checked and audited), `parse_shifts` and `shifts_json` are their JSON.

    06:00 early 14:00 late 22:00            night            06:00     one that ends before it begins goes over midnight,
    |-----------|----------|------------------------------------|      and belongs to the day on which it began
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from warehouse.access import audit
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.models.alerting import Rule, Silence
from warehouse.models.notifying import NotificationPreference
from warehouse.models.people import Factory
from warehouse.tenancy import tenant_session

GRID_MINUTES: Final = 15
"""Shifts begin and end on these minutes: energy is shared out by them."""
MOST_SHIFTS: Final = 12
LONGEST_NAME: Final = 50
DAY_MINUTES: Final = 24 * 60
_KEYS: Final = ("name", "start_time", "end_time")


@dataclass(frozen=True)
class Shift:
    """A part of each production day, in the factory's own time: begin included, end not."""

    name: str
    begin: time
    end: time

    @property
    def begin_minute(self) -> int:
        """Of the day, from 0."""
        return self.begin.hour * 60 + self.begin.minute

    @property
    def minutes(self) -> int:
        """How long it lasts on a day on which the clock is not changed."""
        return (self.end.hour * 60 + self.end.minute - self.begin_minute) % DAY_MINUTES or DAY_MINUTES


DEFAULT_SHIFTS: Final = (Shift("early", time(6), time(14)), Shift("late", time(14), time(22)), Shift("night", time(22), time(6)))
"""Of a factory that has set none."""


@dataclass(frozen=True)
class FactoryClock:
    """By what a factory reads its schedules."""

    timezone: str
    """IANA name."""
    shifts: tuple[Shift, ...] = DEFAULT_SHIFTS

    def times(self) -> dict[str, tuple[time, time]]:
        """Beginning and end of each shift, by name."""
        return {shift.name: (shift.begin, shift.end) for shift in self.shifts}


@dataclass(frozen=True)
class RunningShift:
    """One shift of one day; both moments in UTC."""

    shift: Shift
    began_at: datetime
    ends_at: datetime


def running_shifts(now: datetime, clock: FactoryClock) -> tuple[RunningShift | None, RunningShift]:
    """The shift that runs at `now` (None between shifts) and the newest one that is over; pure."""
    today = now.astimezone(ZoneInfo(clock.timezone)).date()
    days = [today - timedelta(days=ago) for ago in (2, 1, 0)]
    begun = sorted((one for day in days for one in _shifts_of_day(day, clock) if one.began_at <= now), key=lambda one: one.began_at)
    running = begun[-1] if now < begun[-1].ends_at else None
    return running, begun[-2] if running else begun[-1]


def _shifts_of_day(day: date, clock: FactoryClock) -> list[RunningShift]:
    zone = ZoneInfo(clock.timezone)
    found = []
    for shift in clock.shifts:
        last_day = day if shift.end > shift.begin else day + timedelta(days=1)
        moments = (datetime.combine(day, shift.begin, zone), datetime.combine(last_day, shift.end, zone))
        found.append(RunningShift(shift, *(moment.astimezone(UTC) for moment in moments)))
    return found


def clock_of(factory: Factory) -> FactoryClock:
    """Time zone and shifts of a factory's row."""
    return FactoryClock(factory.timezone, DEFAULT_SHIFTS if factory.shifts is None else parse_shifts(factory.shifts))


def shifts_of(db: Database, factory_id: int) -> tuple[Shift, ...]:
    """The shifts of a factory, in order of the day; DEFAULT_SHIFTS until it has set its own."""
    with tenant_session(db, factory_id) as session:
        return clock_of(session.scalars(select(Factory)).one()).shifts


def set_shifts(db: Database, clock: Clock, actor: audit.Actor, shifts: Sequence[Shift] | None) -> tuple[Shift, ...]:
    """Gives the actor's factory its shifts (None: the usual ones again) and returns them in order of the day; audited when they change.

    Raises InvalidInputError for what `parse_shifts` refuses, and while a rule, silence or preference goes by a shift that would be gone.
    """
    wanted = None if shifts is None else parse_shifts(shifts_json(shifts))
    with tenant_session(db, actor.factory_id, write=True) as session:
        factory = session.scalars(select(Factory).with_for_update()).one()
        before = clock_of(factory).shifts
        after = DEFAULT_SHIFTS if wanted is None else wanted
        _refuse_to_orphan(session, {shift.name for shift in after}, clock.now())
        if after != before:
            factory.shifts, factory.updated_at = None if wanted is None else shifts_json(wanted), clock.now()
            old, new = {"shifts": shifts_json(before)}, {"shifts": shifts_json(after)}
            audit.append(session, "factory.change", f"factory:{actor.factory_id}", factory.updated_at, actor, before=old, after=new)
    return after


def shifts_json(shifts: Iterable[Shift]) -> list[dict[str, str]]:
    """As the database and the API hold them."""
    return [{"name": s.name, "start_time": s.begin.isoformat("minutes"), "end_time": s.end.isoformat("minutes")} for s in shifts]


def parse_shifts(found: object, path: str = "$.shifts") -> tuple[Shift, ...]:
    """From a list of `{"name": "early", "start_time": "06:00", "end_time": "14:00"}`, in order of the day; pure.

    Raises InvalidInputError, with the place, for a name or time that is none, a name that comes twice, shifts that overlap (also over
    midnight), and an empty or endless list. Gaps are allowed: nobody works then.
    """
    if not isinstance(found, list) or not 0 < len(found) <= MOST_SHIFTS:
        raise InvalidInputError(f"{path} must be a list of 1 to {MOST_SHIFTS} shifts", path=path)
    shifts = sorted((_shift(part, f"{path}[{place}]") for place, part in enumerate(found)), key=lambda shift: shift.begin)
    names = [shift.name for shift in shifts]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInputError(f"{path}: there are two shifts {twice[0]!r}", path=path)
    for shift, following in zip(shifts, [*shifts[1:], shifts[0]], strict=True):
        free_minutes = (following.begin_minute - shift.begin_minute) % DAY_MINUTES or (0 if len(shifts) > 1 else DAY_MINUTES)
        if shift.minutes > free_minutes:
            raise InvalidInputError(f"{path}: {shift.name!r} goes on when {following.name!r} begins", path=path)
    return tuple(shifts)


def _shift(part: object, path: str) -> Shift:
    if not isinstance(part, Mapping) or set(part) != set(_KEYS):
        raise InvalidInputError(f"{path} must have {', '.join(_KEYS)}, and nothing else", path=path)
    name = part["name"]
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise InvalidInputError(f"{path}.name must be a text of 1 to {LONGEST_NAME} characters", path=f"{path}.name")
    # 24:00 ends a day as it does in schedules.
    end = time() if part["end_time"] == "24:00" else _clock(part["end_time"], f"{path}.end_time")
    shift = Shift(name.strip(), _clock(part["start_time"], f"{path}.start_time"), end)
    if shift.begin == shift.end:
        raise InvalidInputError(f"{path}.end_time equals start_time: a shift is shorter than a day", path=f"{path}.end_time")
    return shift


def _clock(value: object, path: str) -> time:
    if isinstance(value, str) and len(value) == len("HH:MM") and value[2] == ":":
        try:
            found = time.fromisoformat(value)
        except ValueError:
            pass  # refused below, together with everything else that is no time of day
        else:
            if found.minute % GRID_MINUTES == 0:
                return found
    message = f"{path} {value!r} is no time of day like 06:00; shifts begin and end on the quarter of an hour"
    raise InvalidInputError(message, path=path)


def shifts_named(config: Any) -> set[str]:
    """The names of shifts by which a schedule's JSON goes (`{"shift": "night"}`, at any depth); pure."""
    if isinstance(config, list):
        return set().union(*map(shifts_named, config))
    if not isinstance(config, Mapping):
        return set()
    own = {config["shift"]} if isinstance(config.get("shift"), str) else set()
    return own.union(*map(shifts_named, config.values()))


def _refuse_to_orphan(session: Session, names: set[str], now: datetime) -> None:
    """Raises InvalidInputError when something goes by a shift that is not among `names`."""
    users: list[tuple[str, Any]] = [(f"the rule {row.name!r}", row.schedule_config) for row in session.scalars(select(Rule))]
    users += [(f"the silence {row.reason!r}", row.schedule) for row in session.scalars(select(Silence).where(Silence.ends_at > now))]
    users += [("somebody's hours for messages", row.hours) for row in session.scalars(select(NotificationPreference))]
    for what, config in users:
        if gone := sorted(shifts_named(config) - names):
            raise InvalidInputError(f"{what} goes by the shift {gone[0]!r}: keep it, or change that first", path="$.shifts")
