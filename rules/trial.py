"""Backtests of rules that are in the database or about to be: over the lake, beside the present version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.backtest import Backtest, Comparison, Progress, compare, run
from rules.baselines import BASELINES, baselines
from rules.conditions import Deviation
from rules.engine import Rule
from rules.past import HistoryOf
from rules.schedule import microseconds
from rules.store import compiled_rule
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.lake import Lake
from warehouse.models import alerting
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.shifts import clock_of
from warehouse.tenancy import tenant_session

KNOWN_BEFORE: Final = timedelta(hours=4)
"""Readings from this long before the period are read as well, so that its first moments know last values and windows."""


@dataclass(frozen=True)
class Trial:
    """A backtest, and the same period by the rule's present version when another one was tried."""

    rule: Rule
    found: Backtest
    present: Backtest | None
    comparison: Comparison | None
    time_zone: str


@dataclass(frozen=True)
class _Period:
    lake: Lake
    zone: str
    device_ids: tuple[int, ...]
    since: datetime
    until: datetime


def try_rule(
    db: Database,
    lake: Lake,
    factory_id: int,
    rule_id: int,
    since: datetime,
    until: datetime,
    *,
    changed: Mapping[str, Any] | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Trial:
    """What a rule of the factory would have raised in [since, until); `changed`: columns to try instead, beside the present version.

    Raises NotFoundError for a rule that the factory does not have, InvalidInputError for a wrong condition or schedule.
    """
    with tenant_session(db, factory_id) as session:
        row = session.get(alerting.Rule, rule_id)
        if row is None:
            raise NotFoundError(f"there is no rule {rule_id}", noun="rule", key=str(rule_id))
        clock = clock_of(session.scalars(select(Factory)).one())
        zone = clock.timezone
        device_ids = _watched(session, row)
        present = compiled_rule(row, clock, frozenset(device_ids))
        tried = present if changed is None else compiled_rule(_copy(row, changed), clock, frozenset(device_ids))
    period = _Period(lake, zone, tuple(device_ids), since, until)
    return _trial(period, tried, None if changed is None else period, present, progress)


@dataclass(frozen=True)
class Unsaved:
    """A rule that is being edited."""

    fields: Mapping[str, Any]
    """`rules.keeping.FIELDS`."""
    device_ids: Sequence[int] = ()
    """For scope `device`; other rules watch all machines."""
    rule_id: int | None = None
    """The rule that it is to replace; None: a new one."""


def try_unsaved(
    db: Database,
    lake: Lake,
    factory_id: int,
    unsaved: Unsaved,
    since: datetime,
    until: datetime,
    *,
    progress: Progress = lambda _done, _total: None,
) -> Trial:
    """What a rule would have raised in [since, until) before it is saved; beside the present version, on that one's own machines.

    Raises NotFoundError for rules and machines that the factory does not have, InvalidInputError for a wrong condition or schedule.
    """
    fields, rule_id = unsaved.fields, unsaved.rule_id
    with tenant_session(db, factory_id) as session:
        clock = clock_of(session.scalars(select(Factory)).one())
        known = sorted(session.scalars(select(Device.id)))
        watched = known if fields["scope"] == "global" else sorted(set(unsaved.device_ids))
        unknown = sorted(set(watched) - set(known))
        if unknown:
            raise NotFoundError(f"there is no machine {unknown[0]} in this factory", noun="device", key=unknown[0])
        draft = compiled_rule(alerting.Rule(id=rule_id or 0, factory_id=factory_id, **fields), clock, frozenset(watched))
        present = None if rule_id is None else session.get(alerting.Rule, rule_id)
        if rule_id is not None and present is None:
            raise NotFoundError(f"there is no rule {rule_id}", noun="rule", key=str(rule_id))
        before_ids = () if present is None else _watched(session, present)
        before = None if present is None else compiled_rule(present, clock, frozenset(before_ids))
    period = _Period(lake, clock.timezone, tuple(watched), since, until)
    beside = None if before is None else replace(period, device_ids=tuple(before_ids))
    return _trial(period, draft, beside, before, progress)


def _trial(period: _Period, tried: Rule, beside: _Period | None, present: Rule | None, progress: Progress) -> Trial:
    """A rule over a period, and another one beside it if there is one."""
    total = len(period.device_ids) + (len(beside.device_ids) if beside else 0)
    found = _over_lake(period, tried, lambda done, _of: progress(done, total))
    if beside is None or present is None:
        return Trial(tried, found, None, None, period.zone)
    before = _over_lake(beside, present, lambda done, _of: progress(len(period.device_ids) + done, total))
    return Trial(tried, found, before, compare(found, before), period.zone)


def rule_named(db: Database, factory_id: int, name: str) -> int:
    """The id of a rule by its number or name. Raises NotFoundError."""
    with tenant_session(db, factory_id) as session:
        rules = {row.id: row.name for row in session.execute(select(alerting.Rule.id, alerting.Rule.name).order_by(alerting.Rule.id))}
    if name.isdigit() and int(name) in rules:
        return int(name)
    found: int | None = next((rule_id for rule_id, known in rules.items() if known.casefold() == name.casefold()), None)
    if found is None:
        raise NotFoundError(f"there is no rule {name!r}; known: {', '.join(rules.values()) or 'none'}", noun="rule", key=name)
    return found


def _over_lake(period: _Period, rule: Rule, progress: Progress) -> Backtest:
    reader, since, until = period.lake.reader(rule.factory_id), period.since, period.until
    readings = HistoryOf(reader, rule, period.device_ids, since - KNOWN_BEFORE, until)
    usual: dict[Deviation, pl.DataFrame] = {}

    def baselines_of(leaf: Deviation, device_id: int) -> pl.DataFrame:
        if leaf not in usual:
            usual[leaf] = baselines(
                reader, period.zone, leaf.parameter, leaf.weeks, microseconds(since - KNOWN_BEFORE), microseconds(until)
            )
        return usual[leaf].filter(pl.col("device_id") == device_id).select(list(BASELINES)[1:])

    return run(rule, period.device_ids, readings, since, until, baselines_of=baselines_of, progress=progress)


def _watched(session: Session, row: alerting.Rule) -> list[int]:
    if row.scope == "global":
        return sorted(session.scalars(select(Device.id)))
    return sorted(session.scalars(select(alerting.RuleDevice.device_id).where(alerting.RuleDevice.rule_id == row.id)))


def _copy(row: alerting.Rule, changed: Mapping[str, Any]) -> alerting.Rule:
    """A row that belongs to no session."""
    columns = {column.key: getattr(row, column.key) for column in alerting.Rule.__table__.columns}
    return alerting.Rule(**columns | dict(changed))
