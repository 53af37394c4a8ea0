"""How good an alarm system is, by the measures of ISA-18.2 and IEC 62682, from a list of alerts; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from warehouse.terms import SEVERITIES

FLOOD_WINDOW: Final = timedelta(minutes=10)
FLOOD_ABOVE: Final = 10
CHATTER_COUNT: Final = 3
STANDING_AFTER: Final = timedelta(hours=24)
ACKNOWLEDGE_WITHIN_MIN: Final[Mapping[str, float]] = {"critical": 10, "high": 30, "medium": 240, "low": 480}
"""Response expected, in minutes."""


@dataclass(frozen=True)
class AlarmQuality:
    """The measures over one period; None where there is nothing to measure."""

    total: int
    by_severity: dict[str, int]
    per_hour: float
    most_in_10_min: int
    flood_at: datetime | None
    """When the busiest ten minutes began."""
    top_ten_share: float | None
    """Share of all alerts that the ten most frequent (rule and machine) make."""
    standing: int
    """Open at the end of the period and older than 24 hours."""
    chattering: list[tuple[int, int]]
    """(rule, machine) pairs that fired three times or more within ten minutes."""
    acknowledged_in_time: dict[str, float | None]
    """Share by severity, of those that could have been acknowledged in time by the end of the period."""
    median_acknowledge_min: dict[str, float | None]
    never_acknowledged: int
    """Neither acknowledged nor resolved by a person within the period."""


def measure(alerts: pl.DataFrame, start: datetime, end: datetime) -> AlarmQuality:
    """The measures of ALERTS (`warehouse.queries.report_data`) that were raised in [start, end)."""
    raised = alerts.filter(pl.col("triggered_at").is_between(start, end, closed="left")).sort("triggered_at")
    flood, flood_at = _busiest(raised["triggered_at"].to_list())
    pairs = raised.group_by("rule_id", "device_id").len().sort("len", descending=True)
    open_then = alerts.filter(pl.col("resolved_at").is_null() | (pl.col("resolved_at") >= end))
    counts = dict(raised.group_by("severity").len().iter_rows())
    return AlarmQuality(
        total=raised.height,
        by_severity={level: int(counts.get(level, 0)) for level in SEVERITIES},
        per_hour=raised.height / ((end - start).total_seconds() / 3600),
        most_in_10_min=flood,
        flood_at=flood_at,
        top_ten_share=int(pairs["len"].head(10).sum()) / raised.height if raised.height else None,
        standing=open_then.filter(pl.col("triggered_at") < end - STANDING_AFTER).height,
        chattering=_chattering(raised),
        acknowledged_in_time={level: _in_time(raised, level, end) for level in SEVERITIES},
        median_acknowledge_min={level: _median_minutes(raised, level) for level in SEVERITIES},
        never_acknowledged=raised.filter(pl.col("acknowledged_at").is_null() & pl.col("resolved_at").is_null()).height,
    )


def _busiest(moments: list[datetime]) -> tuple[int, datetime | None]:
    """The most alerts in any ten minutes, and when those begin; `moments` are in order."""
    most, at, first = 0, None, 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= FLOOD_WINDOW:
            first += 1
        if last - first + 1 > most:
            most, at = last - first + 1, moments[first]
    return most, at


def _chattering(raised: pl.DataFrame) -> list[tuple[int, int]]:
    found = []
    for (rule, device), group in raised.group_by("rule_id", "device_id", maintain_order=True):
        if _busiest(group["triggered_at"].to_list())[0] >= CHATTER_COUNT:
            found.append((int(str(rule)), int(str(device))))
    return sorted(found)


def _minutes(raised: pl.DataFrame, severity: str) -> pl.Series:
    """Time to acknowledge, or to resolve when nobody acknowledged first, in minutes; null where neither happened."""
    seen = pl.min_horizontal("acknowledged_at", "resolved_at")
    return raised.filter(pl.col("severity") == severity).select(
        ((seen - pl.col("triggered_at")).dt.total_seconds() / 60).alias("minutes")
    )["minutes"]  # fmt: skip


def _in_time(raised: pl.DataFrame, severity: str, end: datetime) -> float | None:
    limit = ACKNOWLEDGE_WITHIN_MIN[severity]
    due = raised.filter(pl.col("triggered_at") <= end - timedelta(minutes=limit))
    minutes = _minutes(due, severity)
    return float((minutes.fill_null(float("inf")) <= limit).sum()) / len(minutes) if len(minutes) else None


def _median_minutes(raised: pl.DataFrame, severity: str) -> float | None:
    found = _minutes(raised, severity).drop_nulls().median()
    return float(found) if isinstance(found, int | float) else None
