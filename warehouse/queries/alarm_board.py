"""The alarm system of a factory over a period, for dashboards and the API: ISA-18.2's measures with the names of those that cause them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl
from sqlalchemy import or_, select

from warehouse.db import Database
from warehouse.models.alerting import Alert, AlertRaise, Rule
from warehouse.models.devices import Device
from warehouse.queries.alarm_quality import CHATTER_COUNT, FLOOD_ABOVE, FLOOD_WINDOW, STANDING_AFTER, AlarmQuality, measure
from warehouse.readings import UTC_TIME
from warehouse.tenancy import tenant_session
from warehouse.terms import SEVERITIES

FLOOD_ENDS_BELOW: Final = 5
"""A flood begins with more than ten alerts in ten minutes and is over when there are fewer than five (IEC 62682)."""
MOST_ACTORS: Final = 10
ALERTS: Final = pl.Schema(
    {"alert_id": pl.Int64(), "rule_id": pl.Int64(), "device_id": pl.Int64(), "severity": pl.String(), "triggered_at": UTC_TIME,
     "acknowledged_at": UTC_TIME, "resolved_at": UTC_TIME, "is_silenced": pl.Boolean()}
)  # fmt: skip
RAISES: Final = pl.Schema({"rule_id": pl.Int64(), "device_id": pl.Int64(), "raised_at": UTC_TIME})


@dataclass(frozen=True)
class Actor:
    """A rule on a machine that asked for attention."""

    rule_id: int
    rule_name: str
    device_id: int
    device_key: str
    count: int
    """Alerts and repeats in the period; of a stale alert its age in hours."""
    share: float | None = None
    """Of all alerts and repeats of the period."""
    alert_id: int | None = None


@dataclass(frozen=True)
class Flood:
    """A time with more alerts than a person can work through."""

    start: datetime
    end: datetime
    count: int


@dataclass(frozen=True)
class AlarmBoard:
    """Everything about the alarm system over [start, end)."""

    start: datetime
    end: datetime
    measures: AlarmQuality
    by_hour: list[tuple[datetime, int]]
    """Alerts in each hour of the period, in order; an hour without one is there with 0."""
    bad_actors: list[Actor]
    """At most ten, the most frequent first."""
    chattering: list[Actor]
    """Asked three times or more within ten minutes."""
    stale: list[Actor]
    """Active at the end for more than 24 hours, the oldest first."""
    floods: list[Flood]
    flood_share: float
    """Of the period."""
    mean_acknowledge_min: float | None
    """Of the alerts that a person acknowledged."""
    mean_resolve_min: float | None
    """Of the alerts that were resolved."""
    silenced: int


def alarm_board(db: Database, factory_id: int, start: datetime, end: datetime) -> AlarmBoard:
    """The board of [start, end). Silenced alerts count in `silenced` only: nobody was called."""
    everything, raises, names, keys = _read(db, factory_id, start, end)
    alerts = everything.filter(~pl.col("is_silenced"))
    raised = alerts.filter(pl.col("triggered_at").is_between(start, end, closed="left")).sort("triggered_at")
    counted = frequent(raises)
    total = raises.height

    def actor(rule_id: int, device_id: int, count: int, alert_id: int | None = None) -> Actor:
        share = count / total if total and alert_id is None else None
        return Actor(rule_id, names.get(rule_id, ""), device_id, keys.get(device_id, ""), count, share, alert_id)

    counts = {(rule, device): count for rule, device, count in counted}
    found = floods(raised["triggered_at"].to_list())
    return AlarmBoard(
        start=start,
        end=end,
        measures=measure(alerts, start, end),
        by_hour=by_hour(raised["triggered_at"].to_list(), start, end),
        bad_actors=[actor(*one) for one in counted[:MOST_ACTORS]],
        chattering=[actor(rule, device, counts[rule, device]) for rule, device in chattering(raises)],
        stale=[actor(rule, device, hours, alert_id) for rule, device, hours, alert_id in stale(alerts, end)],
        floods=found,
        flood_share=sum((flood.end - flood.start).total_seconds() for flood in found) / (end - start).total_seconds(),
        mean_acknowledge_min=mean_minutes(raised, "acknowledged_at"),
        mean_resolve_min=mean_minutes(raised, "resolved_at"),
        silenced=everything.filter(pl.col("is_silenced") & pl.col("triggered_at").is_between(start, end, closed="left")).height,
    )


def frequent(raises: pl.DataFrame) -> list[tuple[int, int, int]]:
    """Rule, device and how often it asked, the most frequent first; pure."""
    counted = raises.group_by("rule_id", "device_id").len().sort(["len", "rule_id", "device_id"], descending=[True, False, False])
    return [(int(rule), int(device), int(count)) for rule, device, count in counted.iter_rows()]


def chattering(raises: pl.DataFrame) -> list[tuple[int, int]]:
    """Rules and devices that asked three times or more within ten minutes, the most frequent first; pure."""
    ordered = raises.sort("raised_at")
    third = pl.col("raised_at").shift(CHATTER_COUNT - 1).over("rule_id", "device_id")
    fast = ordered.filter(pl.col("raised_at") - third < FLOOD_WINDOW).select("rule_id", "device_id").unique()
    return [(rule, device) for rule, device, _ in frequent(raises.join(fast, on=["rule_id", "device_id"], how="semi"))]


def stale(alerts: pl.DataFrame, end: datetime) -> list[tuple[int, int, int, int]]:
    """Rule, device, age in whole hours and id of alerts that are active at `end` since more than 24 hours, the oldest first; pure."""
    active = alerts.filter(pl.col("resolved_at").is_null() | (pl.col("resolved_at") >= end))
    old = active.filter(pl.col("triggered_at") < end - STANDING_AFTER).sort("triggered_at")
    return [
        (rule, device, int((end - at).total_seconds() // 3600), alert_id)
        for rule, device, at, alert_id in old.select("rule_id", "device_id", "triggered_at", "alert_id").iter_rows()
    ]


def floods(moments: Sequence[datetime]) -> list[Flood]:
    """The floods in alerts at these moments, which are in order; pure.

    A flood begins with the first of more than ten alerts within ten minutes, and ends with the last alert after which fewer than five
    lie in the ten minutes up to the next one.
    """
    found: list[Flood] = []
    first, began, count = 0, None, 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= FLOOD_WINDOW:
            first += 1
        within = last - first + 1
        if began is None:
            if within > FLOOD_ABOVE:
                began, count = first, within
        elif within < FLOOD_ENDS_BELOW:
            found.append(Flood(moments[began], moments[last - 1], count))
            began = None
        else:
            count += 1
    if began is not None:
        found.append(Flood(moments[began], moments[-1], count))
    return found


def by_hour(moments: Sequence[datetime], start: datetime, end: datetime) -> list[tuple[datetime, int]]:
    """Alerts in each hour, counted from `start` on; pure."""
    hours = max(1, -int(-(end - start).total_seconds() // 3600))
    counts = [0] * hours
    for moment in moments:
        counts[min(hours - 1, int((moment - start).total_seconds() // 3600))] += 1
    return [(start + timedelta(hours=number), count) for number, count in enumerate(counts)]


def mean_minutes(alerts: pl.DataFrame, until: str) -> float | None:
    """The mean time from an alert to `acknowledged_at` or `resolved_at`, in minutes, of those that came that far; pure."""
    minutes = alerts.select(((pl.col(until) - pl.col("triggered_at")).dt.total_microseconds() / 60e6).alias("minutes"))["minutes"]
    found = minutes.drop_nulls().mean()
    return float(found) if isinstance(found, int | float) else None


def _read(
    db: Database, factory_id: int, start: datetime, end: datetime
) -> tuple[pl.DataFrame, pl.DataFrame, dict[int, str], dict[int, str]]:
    """ALERTS that stood at any time of the period, RAISES within it, names of rules, keys of machines."""
    columns = (
        Alert.id, Alert.rule_id, Alert.device_id, Alert.severity, Alert.triggered_at, Alert.acknowledged_at, Alert.resolved_at,
        Alert.is_silenced,
    )  # fmt: skip
    with tenant_session(db, factory_id) as session:
        stood = select(*columns).where(Alert.triggered_at < end, or_(Alert.resolved_at.is_(None), Alert.resolved_at >= start))
        alerts = pl.DataFrame([tuple(row) for row in session.execute(stood)], schema=ALERTS, orient="row")
        asked = select(AlertRaise.rule_id, AlertRaise.device_id, AlertRaise.raised_at)
        asked = asked.where(AlertRaise.raised_at >= start, AlertRaise.raised_at < end)
        raises = pl.DataFrame([tuple(row) for row in session.execute(asked)], schema=RAISES, orient="row")
        names = {row.id: row.name for row in session.execute(select(Rule.id, Rule.name))}
        keys = {row.id: row.device_key for row in session.execute(select(Device.id, Device.device_key))}
    return alerts.filter(pl.col("severity").is_in(SEVERITIES)), raises, names, keys
