"""What the alerts page shows: a filtered list, and all that is known about one alert."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from sqlalchemy import select

from dashboards import limits
from dashboards.cache import ask, ask_lake
from dashboards.limits import RuleLimit
from dashboards.resources import installation
from warehouse.errors import NotFoundError, RetryableError
from warehouse.models.alerting import Notification, Rule
from warehouse.models.devices import Device
from warehouse.models.people import User
from warehouse.queries.alerts import AlertFilter, AlertRow, HistoryLine, alert_history, find_alert, list_alerts
from warehouse.queries.history import history, interval_for, with_gaps
from warehouse.queries.live import LiveValue, find_device, live_values
from warehouse.tenancy import tenant_session

MOST_ROWS = 200
LOOK_BACK = timedelta(days=90)
BEFORE, AFTER = timedelta(minutes=90), timedelta(minutes=30)
MOST_LINES = 2


@dataclass(frozen=True)
class Filters:
    """What the person asked for."""

    status: str = "active"
    severity: str | None = None
    text: str = ""
    device_key: str | None = None


@dataclass(frozen=True)
class Sent:
    """What was told to people about an alert."""

    by_channel: dict[str, int]
    first_at: datetime | None
    pending: int
    failed: int


@dataclass(frozen=True)
class Before:
    """The same alert on the same machine, earlier."""

    count: int
    last: AlertRow | None


@dataclass(frozen=True)
class Line:
    """A parameter around the moment of an alert."""

    parameter: LiveValue
    frame: pl.DataFrame
    limits: list[RuleLimit]


@dataclass(frozen=True)
class Detail:
    """All that is known about one alert."""

    alert: AlertRow
    sent: Sent
    before: Before
    history: list[HistoryLine]
    lines: list[Line]
    start: datetime
    end: datetime
    is_history_away: bool


@dataclass(frozen=True)
class Names:
    """What ids stand for in this factory."""

    people: dict[int, str]
    devices: dict[int, str]
    rules: dict[int, str]


def people(factory_id: int) -> dict[int, str]:
    """Active people by id, in order of their names."""
    with tenant_session(installation().db, factory_id) as session:
        found = {user.id: user.name or user.email for user in session.scalars(select(User).where(User.is_active))}
    return dict(sorted(found.items(), key=lambda person: person[1].casefold()))


def names(factory_id: int) -> Names:
    """Of everybody and everything that a silence can name."""
    with tenant_session(installation().db, factory_id) as session:
        return Names(
            people={user.id: user.name or user.email for user in session.scalars(select(User))},
            devices={row.id: row.device_key for row in session.execute(select(Device.id, Device.device_key))},
            rules={row.id: row.name for row in session.execute(select(Rule.id, Rule.name))},
        )


def rows(factory_id: int, wanted: Filters) -> list[AlertRow]:
    """The alerts that fit all filters but severity, so that each severity can be counted; at most 200, not remembered."""
    db = installation().db
    device_id = None
    if wanted.device_key:
        try:
            device_id = find_device(db, factory_id, device_key=wanted.device_key).id
        except NotFoundError:
            return []
    return list_alerts(db, factory_id, AlertFilter(wanted.status, device_id=device_id, search=wanted.text.strip()), limit=MOST_ROWS)


def detail(factory_id: int, alert_id: int, now: datetime) -> Detail:
    """Everything about one alert. Raises NotFoundError, also for alerts of other factories."""
    db = installation().db
    alert = find_alert(db, factory_id, alert_id)
    start, end = alert.triggered_at - BEFORE, min(alert.triggered_at + AFTER, now)
    try:
        lines, is_away = _lines(factory_id, alert, start, end), False
    except RetryableError:
        lines, is_away = [], True
    return Detail(
        alert, _sent(factory_id, alert_id), _before(factory_id, alert), alert_history(db, factory_id, alert_id), lines, start, end, is_away
    )


def _sent(factory_id: int, alert_id: int) -> Sent:
    with tenant_session(installation().db, factory_id) as session:
        found = session.scalars(select(Notification).where(Notification.alert_id == alert_id)).all()
    sent = [n for n in found if n.status == "sent"]
    return Sent(
        by_channel=dict(Counter(n.channel for n in sent)),
        first_at=min((n.sent_at for n in sent if n.sent_at), default=None),
        pending=sum(n.status == "pending" for n in found),
        failed=sum(n.status == "failed" for n in found),
    )


def _before(factory_id: int, alert: AlertRow) -> Before:
    asked = AlertFilter("all", device_id=alert.device_id, since=alert.triggered_at - LOOK_BACK, until=alert.triggered_at)
    earlier = list_alerts(installation().db, factory_id, asked, limit=1_000)
    same = [a for a in earlier if a.rule_id == alert.rule_id]
    return Before(len(same), same[0] if same else None)


def _lines(factory_id: int, alert: AlertRow, start: datetime, end: datetime) -> list[Line]:
    """The parameters that the alert is about: those measured at its moment that have a limit, else the first ones measured."""
    inst = installation()
    known = {v.parameter_key: v for v in live_values(inst.db, factory_id, alert.device_id, end)}
    found = ask(("limits", alert.device_id), factory_id, 10, lambda: limits.device_limits(inst.db, factory_id, alert.device_id)).value
    measured = [key for key, value in alert.telemetry_snapshot.items() if key in known and isinstance(value, int | float)]
    of_rule = [key for key in measured if any(limit.rule_name == alert.title for limit in found.get(key, []))]
    keys = tuple((of_rule or [key for key in measured if key in found] or measured)[:MOST_LINES])
    if not keys or start >= end:
        return []
    step = interval_for(start, end, 360)

    def load() -> pl.DataFrame:
        return with_gaps(history(inst.lake, factory_id, [alert.device_id], keys, start, end, interval=step), step)

    frame = ask_lake(("around", alert.id, keys), factory_id, 15, load).value
    return [
        Line(
            known[key], frame.filter(pl.col("parameter") == key), [limit for limit in found.get(key, []) if limit.rule_name == alert.title]
        )
        for key in keys
    ]
