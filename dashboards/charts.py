"""ECharts options. Lines are mid-tones that suit both themes; text takes the theme of this run (`text_colour`)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import polars as pl
import streamlit as st

from dashboards import fmt
from dashboards.axes import Option, Pairs, axis_bounds
from dashboards.fmt import Local
from dashboards.tokens import CHART, text_in_theme

SERIES: Final = (CHART["a"], CHART["b"], CHART["c"], CHART["d"])
COLOUR: Final = {"critical": CHART["alarm"], "high": CHART["warn"], "medium": "#AD8600", "low": CHART["d"]}
# The same outlines as the severity icons.
SYMBOLS: Final = {
    "critical": "path://M5 1h6l4 4v6l-4 4H5l-4-4V5z",
    "high": "path://M8 .9l7.6 13.7H.4z",
    "medium": "path://M8 .6L15.4 8 8 15.4.6 8z",
    "low": "circle",
}


@dataclass(frozen=True)
class Marker:
    """An alert on a chart."""

    at: datetime
    value: float | None
    severity: str


@dataclass(frozen=True)
class Limit:
    """A threshold of a rule."""

    value: float
    text: str
    severity: str


@dataclass(frozen=True)
class Expected:
    """What a forecast expects of a parameter: the middle, and the band that holds 80 of 100 values."""

    middle: Pairs
    lowest: Pairs
    highest: Pairs


@dataclass(frozen=True)
class Panel:
    """One parameter in a stack of panels on one clock."""

    title: str
    points: Pairs
    """[wall-clock milliseconds, value or None]."""
    markers: tuple[Marker, ...] = ()
    limits: tuple[Limit, ...] = ()
    lowest: Pairs = field(default_factory=list)
    """With `highest`, for coarse steps: the band that the readings of each step filled, so that no spike is lost."""
    highest: Pairs = field(default_factory=list)
    expected: Expected | None = None

    @property
    def seen(self) -> Pairs:
        """Everything that the axis must have room for."""
        forecast = [*self.expected.lowest, *self.expected.highest, *self.expected.middle] if self.expected else []
        return [*self.points, *self.lowest, *self.highest, *forecast]


_theme: ContextVar[str | None] = ContextVar("theme", default=None)


def theme() -> str:
    """The theme of this run, `light` or `dark`; within `in_theme` that one."""
    return _theme.get() or st.context.theme.type or "light"


@contextmanager
def in_theme(name: str) -> Iterator[None]:
    """For options that are made once for many sessions, outside of a run."""
    before = _theme.set(name)
    try:
        yield
    finally:
        _theme.reset(before)


def text_colour(name: str) -> str:
    """The colour of text in the theme of this run."""
    return text_in_theme(name, theme())


def small(size: int = 11, ink: str = "ink-3") -> Option:
    """Text style of axes and legends."""
    return {"fontSize": size, "fontWeight": 400, "color": text_colour(ink)}


def tooltip() -> Option:
    """One for all lines, inside the chart."""
    return {
        "trigger": "axis",
        "confine": True,
        "axisPointer": {"type": "line", "lineStyle": {"color": CHART["d"]}},
        "backgroundColor": text_colour("card"),
        "borderColor": text_colour("line"),
        "textStyle": {"color": text_colour("ink"), "fontSize": 12},
    }


def base(top: int = 28, left: int = 44, right: int = 14, bottom: int = 26) -> Option:
    """What every chart shares: factory time, no animation, faint grid, one tooltip for all lines."""
    return {
        "useUTC": True,
        "animation": False,
        "color": list(SERIES),
        "grid": {"left": left, "right": right, "top": top, "bottom": bottom, "outerBoundsMode": "none"},
        "tooltip": tooltip(),
    }


def points(frame: pl.DataFrame, column: str, local: Local, factor: float = 1) -> Pairs:
    """A column over `bucket` as [wall-clock milliseconds, value], five significant digits; None breaks the line. Pure."""
    wall = pl.col("bucket").dt.convert_time_zone(local.zone.key).dt.replace_time_zone(None).dt.epoch("ms")
    drawn = frame.select(wall, (pl.col(column) * factor).round_sig_figs(5))
    return [list(pair) for pair in drawn.iter_rows()]


def time_axis(start: int, end: int, *, labels: bool = True, **more: Any) -> Option:
    """A time axis between two wall-clock milliseconds; days are named where the range needs them."""
    hours = (end - start) / 3_600_000
    formatter = "{HH}:{mm}" if hours <= 30 else "{d} {MMM} {HH}:{mm}" if hours <= 24 * 3 else "{d} {MMM}"
    label = {**small(), "hideOverlap": True, "formatter": formatter, "alignMaxLabel": "right", "alignMinLabel": "left", "show": labels}
    return {
        "type": "time",
        "min": start,
        "max": end,
        "axisLabel": label,
        "splitLine": {"show": False},
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": {"color": CHART["grid"]}},
        **more,
    }


def value_axis(name: str, **more: Any) -> Option:
    """A value axis with three faint lines."""
    return {
        "type": "value",
        "name": name,
        "nameLocation": "end",
        "nameGap": 10,
        "nameTextStyle": {**small(), "align": "right", "padding": [0, 6, 0, 0]},
        "axisLabel": small(),
        "axisTick": {"show": False},
        "axisLine": {"show": False},
        "splitLine": {"lineStyle": {"color": CHART["grid"]}},
        "splitNumber": 3,
        **more,
    }


def limit_line(limit: Limit, end: str = "Start") -> Option:
    """A dashed line in its severity, named on the line."""
    label = {"formatter": limit.text, "position": f"inside{end}Top", "fontSize": 11, "color": text_colour(limit.severity), "distance": 3,
             "textBorderColor": text_colour("card"), "textBorderWidth": 3}  # fmt: skip
    return {"yAxis": limit.value, "lineStyle": {"color": COLOUR[limit.severity], "type": "dashed", "width": 1.2}, "label": label}


def line(name: str, points: Pairs, colour: str, **more: Any) -> Option:
    """A thin line that breaks where values are missing."""
    return {
        "name": name,
        "type": "line",
        "showSymbol": False,
        "sampling": "minmax",
        "connectNulls": False,
        "data": points,
        "lineStyle": {"color": colour, "width": 1.6},
        "itemStyle": {"color": colour},
        **more,
    }


def plant_power(today: Pairs, yesterday: Pairs, start: int, end: int) -> Option:
    """Power in kW of today over yesterday, from midnight to midnight of the factory; the peak of today is named."""
    known = [(at, value) for at, value in today if value is not None]
    peak = max(known, key=lambda point: point[1]) if known else None
    mark: Option = {}
    if peak is not None:
        is_late = peak[0] is not None and peak[0] - start > (end - start) * 0.2
        label = {"show": True, "formatter": f"Peak {fmt.num(peak[1])} kW", "position": "left" if is_late else "right", "fontSize": 11,
                 "color": text_colour("ink"), "textBorderWidth": 0}  # fmt: skip
        mark = {
            "markPoint": {
                "symbol": "circle",
                "symbolSize": 7,
                "data": [{"coord": list(peak)}],
                "itemStyle": {"color": SERIES[0]},
                "label": label,
            }
        }
    legend = {
        "data": ["Today", "Yesterday"],
        "top": 0,
        "right": 8,
        "itemWidth": 18,
        "itemHeight": 8,
        "icon": "roundRect",
        "textStyle": small(12, "ink-2"),
    }
    dashed = {"color": CHART["d"], "width": 1.2, "type": [4, 3]}
    return {
        **base(top=30, bottom=24),
        "legend": legend,
        "xAxis": time_axis(start, end),
        "yAxis": value_axis("kW", min=0),
        "series": [
            line("Yesterday", yesterday, CHART["d"], lineStyle=dashed),
            line(
                "Today",
                today,
                SERIES[0],
                lineStyle={"color": SERIES[0], "width": 2},
                areaStyle={"color": SERIES[0], "opacity": 0.16},
                **mark,
            ),
        ],
    }


def panels(shown: Sequence[Panel], start: int, end: int, local: Local) -> tuple[Option, int]:
    """Stacked panels on one clock, and the height in pixels that they need."""
    grids, titles, axes, values, series, top = [], [], [], [], [], 24
    for i, panel in enumerate(shown):
        height = 206 if i == 0 else 106
        grids.append({"left": 44, "right": 14, "top": top, "height": height, "outerBoundsMode": "none"})
        titles.append({"text": panel.title, "left": 40, "top": top - 24, "textStyle": {**small(12, "ink-2"), "fontWeight": 500}})
        axes.append(time_axis(start, end, labels=i == len(shown) - 1, gridIndex=i))
        bounds = axis_bounds(panel.seen, [limit.value for limit in panel.limits], 4 if i == 0 else 2)
        values.append(value_axis("", gridIndex=i, scale=True, **bounds))
        series += [*extremes(panel, i), *expected_lines(panel, i), _panel_line(panel, i, local)]
        top += height + 32
    option = {
        "useUTC": True,
        "animation": False,
        "title": titles,
        "grid": grids,
        "tooltip": tooltip(),
        "axisPointer": {"link": [{"xAxisIndex": "all"}]},
        "dataZoom": [{"type": "inside", "xAxisIndex": list(range(len(shown))), "zoomOnMouseWheel": "ctrl", "moveOnMouseWheel": False}],
        "xAxis": axes,
        "yAxis": values,
        "series": series,
    }
    return option, top - 2


def extremes(panel: Panel, i: int) -> list[Option]:
    """The band that the readings of each step filled."""
    return _band(panel.lowest, panel.highest, f"{i}", SERIES[i % len(SERIES)], 0.16, i) if panel.lowest else []


def expected_lines(panel: Panel, i: int) -> list[Option]:
    """What a forecast expects: its band, and a dashed line in the middle."""
    if panel.expected is None:
        return []
    known, colour = panel.expected, CHART["c"]
    style = {"color": colour, "width": 1.4, "type": [5, 4]}
    middle = line("Forecast", known.middle, colour, lineStyle=style, z=1, xAxisIndex=i, yAxisIndex=i)
    return [*_band(known.lowest, known.highest, f"expected-{i}", colour, 0.14, i), middle]


def _band(lowest: Pairs, highest: Pairs, name: str, colour: str, opacity: float, i: int) -> list[Option]:
    """Two stacked lines that are not drawn, with the room between them filled."""
    spread = [
        [at, None if low is None or high is None else round(high - low, 6)] for (at, low), (_, high) in zip(lowest, highest, strict=True)
    ]
    edge: Option = {
        "type": "line", "showSymbol": False, "silent": True, "xAxisIndex": i, "yAxisIndex": i, "stack": f"band-{name}",
        "stackStrategy": "all", "lineStyle": {"opacity": 0}, "tooltip": {"show": False},
    }  # fmt: skip
    fill = {"color": colour, "opacity": opacity}
    return [{**edge, "name": f"low-{name}", "data": lowest}, {**edge, "name": f"spread-{name}", "data": spread, "areaStyle": fill}]


def _panel_line(panel: Panel, i: int, local: Local) -> Option:
    more: Option = {"xAxisIndex": i, "yAxisIndex": i}
    if panel.limits:
        more["markLine"] = {"silent": True, "symbol": "none", "data": [limit_line(found) for found in panel.limits]}
    points = [
        {"coord": [local.wall(m.at), m.value], "symbol": SYMBOLS[m.severity], "itemStyle": {"color": COLOUR[m.severity]}}
        for m in panel.markers
        if m.value is not None
    ]
    if points:
        more["markPoint"] = {"symbolSize": 12, "data": points, "label": {"show": False}}
    return line(panel.title, panel.points, SERIES[i % len(SERIES)], **more)


@dataclass(frozen=True)
class Raised:
    """When an alert was raised, in wall-clock milliseconds and in words, and how bad."""

    at: int
    words: str
    severity: str
    until: int | None = None
    """Until when the condition held; None: not shown."""


def around_alert(panel: Panel, unit: str, bounds: tuple[int, int], raised: Raised) -> Option:
    """A parameter around the moment an alert was raised. `bounds` are wall-clock milliseconds."""
    colour = COLOUR[raised.severity]
    label = {"formatter": f"Raised {raised.words}", "fontSize": 11, "color": text_colour(raised.severity), "position": "end"}
    moment = {"xAxis": raised.at, "lineStyle": {"color": colour, "type": "solid"}, "label": label}
    drawn = line(panel.title, panel.points, SERIES[0], lineStyle={"color": SERIES[0], "width": 1.8})
    drawn["markLine"] = {"silent": True, "symbol": "none", "data": [*(limit_line(found) for found in panel.limits), moment]}
    if raised.until is not None and raised.until > raised.at:
        held = [[{"xAxis": raised.at}, {"xAxis": raised.until}]]
        drawn["markArea"] = {"silent": True, "itemStyle": {"color": colour, "opacity": 0.12}, "data": held}
    room = axis_bounds(panel.points, [limit.value for limit in panel.limits], 3)
    return {
        **base(top=26, bottom=24),
        "xAxis": time_axis(*bounds, splitNumber=4),
        "yAxis": value_axis(unit, scale=True, **room),
        "series": [drawn],
    }


def show(option: Option, height: int, key: str, alt: str) -> None:
    """Draws it; `alt` says in words what there is to see."""
    st.echarts_chart(option, height=height, key=key, alt=alt)
