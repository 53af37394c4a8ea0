"""What administrators set for their factory: its name and zone, the price of its energy, how long its data are kept. All audited."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select

from warehouse.access.audit import Actor, append
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.lake import Lake
from warehouse.models.people import Factory
from warehouse.queries.energy_use import Tariff
from warehouse.retention import LEVELS, retention, set_retention
from warehouse.rollups import mark_window
from warehouse.tariffs import set_tariff, tariff_of
from warehouse.tenancy import tenant_session

LONGEST_NAME: Final = 255


def change_factory(db: Database, lake: Lake, clock: Clock, actor: Actor, name: str, timezone: str, *, raw_days: int) -> None:
    """Gives a factory its name and zone.

    After another zone the days of the last `raw_days` are summed up anew, older ones keep their borders.

    Raises InvalidInputError for an empty name or what is no IANA zone, LakeBusyError while the history is away: then nothing is changed.
    """
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise InvalidInputError(f"a factory has a name of at most {LONGEST_NAME} characters", path="name")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise InvalidInputError(f"{timezone!r} is no time zone such as Europe/Berlin", path="timezone") from unknown
    with tenant_session(db, actor.factory_id) as session:
        now_called = session.scalars(select(Factory)).one()
    before, after = {"name": now_called.name, "timezone": now_called.timezone}, {"name": name, "timezone": timezone}
    if before == after:
        return
    if before["timezone"] != timezone:
        # Marked before as well: while the history is away nothing changes. A pass that came between only works twice.
        _sum_up_anew(lake, clock, actor.factory_id, raw_days)
    with tenant_session(db, actor.factory_id, write=True) as session:
        factory = session.scalars(select(Factory)).one()
        factory.name, factory.timezone, factory.updated_at = name, timezone, clock.now()
        append(session, "factory.change", f"factory:{actor.factory_id}", clock.now(), actor, before=before, after=after)
    if before["timezone"] != timezone:
        _sum_up_anew(lake, clock, actor.factory_id, raw_days)


def change_tariff(db: Database, clock: Clock, actor: Actor, tariff: Tariff) -> None:
    """Replaces the tariff of a factory. Raises InvalidInputError as `set_tariff`, and for a currency that is none."""
    if not 1 <= len(tariff.currency.strip()) <= 5:
        raise InvalidInputError("a currency is a word such as EUR", path="currency")
    known = tariff_of(db, actor.factory_id)
    set_tariff(db, actor.factory_id, tariff)
    _note(db, clock, actor, "factory.tariff", asdict(known) if known else None, asdict(tariff))


def change_retention(db: Database, clock: Clock, actor: Actor, days: Mapping[str, int | None], *, raw_days: int) -> None:
    """Keeps the levels of one factory so many days, None for ever; what equals the usual is set all the same. Raises InvalidInputError."""
    wanted = {level: days[level] for level in LEVELS if level in days}
    kept = retention(db, raw_days)
    before = {level: kept.of_factory.get(actor.factory_id, {}).get(level, kept.days[level]) for level in wanted}
    changed = {level: value for level, value in wanted.items() if value != before[level]}
    for level, value in changed.items():
        set_retention(db, actor.factory_id, level, value)
    if changed:
        _note(db, clock, actor, "factory.retention", {level: before[level] for level in changed}, changed)


def _sum_up_anew(lake: Lake, clock: Clock, factory_id: int, raw_days: int) -> None:
    now = clock.now()
    mark_window(lake, now - timedelta(days=max(raw_days - 1, 1)), now, [factory_id])


def _note(db: Database, clock: Clock, actor: Actor, action: str, before: dict[str, Any] | None, after: dict[str, Any]) -> None:
    with tenant_session(db, actor.factory_id, write=True) as session:
        append(session, action, f"factory:{actor.factory_id}", clock.now(), actor, before=before, after=after)
