"""Figures and charts of a backtest: alerts a day, which faults it would have come with, and the line that it watched. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Final

import polars as pl

from dashboards.axes import Option, Pairs, axis_bounds
from dashboards.charts import COLOUR, SERIES, Limit, Panel, base, extremes, limit_line, line, small, time_axis, value_axis
from dashboards.fmt import Local
from dashboards.tokens import CHART
from rules.backtest import Backtest, Episode

EARLY: Final = timedelta(hours=4)
"""An alert this long before a fault counts as its warning."""
BEFORE_COLOUR: Final = "rgba(111,126,143,.45)"
BAND_COLOUR: Final = "rgba(217,72,59,.16)"


@dataclass(frozen=True)
class Caught:
    """What a rule had to do with the faults that other rules told of."""

    faults: int
    caught: int
    warning_min: float | None
    """Median time from its alert to the fault, of those that it came before; None: before none."""
    without: int
    """Its alerts that no fault came with."""


def caught(episodes: Sequence[Episode], faults: pl.DataFrame, rule_name: str, until: datetime) -> Caught:
    """`faults`: device_id, begin, end, reason; those of the rule itself do not count."""
    of_others = faults.filter(pl.col("reason").ne_missing(rule_name))
    matched: set[int] = set()
    warnings: list[float] = []
    found = 0
    for device_id, begin, end in of_others.select("device_id", "begin", "end").iter_rows():
        with_it = [
            (number, one) for number, one in enumerate(episodes)
            if one.device_id == device_id and one.start <= end and (one.end or until) >= begin - EARLY
        ]  # fmt: skip
        found += bool(with_it)
        matched |= {number for number, _ in with_it}
        before = [(begin - one.start).total_seconds() / 60 for _, one in with_it if one.start < begin]
        warnings += [max(before)] if before else []
    return Caught(of_others.height, found, median(warnings) if warnings else None, len(episodes) - len(matched))


def typical_length_s(found: Backtest) -> float | None:
    """Median length of its alerts."""
    return median([((one.end or found.until) - one.start).total_seconds() for one in found.episodes]) if found.episodes else None


def day_bars(draft: Mapping[str, int], present: Mapping[str, int] | None) -> Option:
    """Alerts a day of the draft, beside those of the rule in use."""
    days = [f"{date.fromisoformat(day):%-d %b}" for day in draft]
    most = max([*draft.values(), *(present or {}).values(), 1])

    def bars(name: str, values: Sequence[int], colour: str) -> Option:
        return {"name": name, "type": "bar", "data": list(values), "barMaxWidth": 9, "itemStyle": {"color": colour}}

    series = [bars("This draft", list(draft.values()), SERIES[0])]
    if present is not None:
        series.append(bars("Rule in use", [present.get(day, 0) for day in draft], BEFORE_COLOUR))
    legend = {"top": 0, "right": 0, "itemWidth": 10, "itemHeight": 10, "textStyle": small(12, "ink-2"), "data": [s["name"] for s in series]}
    axis = {
        "type": "category", "data": days, "axisTick": {"show": False}, "axisLabel": {**small(), "hideOverlap": True},
        "axisLine": {"lineStyle": {"color": CHART["grid"]}},
    }  # fmt: skip
    return {**base(top=30, left=30, bottom=24), "legend": legend, "xAxis": axis,
            "yAxis": value_axis("", min=0, max=most, minInterval=1), "series": series}  # fmt: skip


@dataclass(frozen=True)
class Watched:
    """A parameter over time; wall-clock milliseconds. The extremes of each step are drawn too, so that no spike is lost."""

    name: str
    unit: str
    points: Pairs
    lowest: Pairs
    highest: Pairs


def watched_line(watched: Watched, limits: Sequence[Limit], bands: Sequence[tuple[int, int]], bounds: tuple[int, int]) -> Option:
    """A parameter with the limits of the rule, and a band for each alert that it would have raised; wall-clock milliseconds."""
    drawn = line(watched.name, watched.points, SERIES[0], lineStyle={"color": SERIES[0], "width": 1.6})
    drawn["markLine"] = {"silent": True, "symbol": "none", "data": [limit_line(limit) for limit in limits]}
    areas = [[{"xAxis": start}, {"xAxis": end}] for start, end in bands]
    edge = {"color": BAND_COLOUR, "borderColor": COLOUR["critical"], "borderWidth": 0.8}
    drawn["markArea"] = {"silent": True, "itemStyle": edge, "data": areas}
    panel = Panel(watched.name, watched.points, lowest=watched.lowest, highest=watched.highest)
    room = axis_bounds([*watched.points, *watched.lowest, *watched.highest], [limit.value for limit in limits], 3)
    axis = value_axis(watched.unit, scale=True, **room)
    return {**base(top=26, bottom=24), "xAxis": time_axis(*bounds), "yAxis": axis, "series": [*extremes(panel, 0), drawn]}


def bands_of(episodes: Sequence[Episode], until: datetime, local: Local) -> list[tuple[int, int]]:
    """Beginning and end of each alert in wall-clock milliseconds; none is so short that it could not be seen."""
    return [(local.wall(one.start), max(local.wall(one.end or until), local.wall(one.start) + 60_000)) for one in episodes]
