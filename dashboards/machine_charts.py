"""What the chart of a machine has beyond panels: a compared time or machine, anomalies, two axes in one panel, saving as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboards import charts
from dashboards.axes import Option, Pairs, axis_bounds
from dashboards.charts import Panel
from dashboards.fmt import Local
from dashboards.tokens import CHART
from warehouse.queries.analytics import AnomalyMark

TOGETHER_PX: Final = 320


@dataclass(frozen=True)
class Beside:
    """What is drawn behind the line of a panel: the same parameter at another time, or of another machine."""

    name: str
    points: Pairs


def stacked(
    shown: Sequence[Panel],
    beside: Sequence[Beside],
    anomalies: Sequence[AnomalyMark],
    bounds: tuple[int, int],
    local: Local,
) -> tuple[Option, int]:
    """Panels below each other on one clock, and the height in pixels. `beside`: one for each panel; `bounds` in wall-clock milliseconds."""
    option, height = charts.panels(shown, *bounds, local)
    for number, other in enumerate(beside):
        if other.points:
            seen = [*shown[number].seen, *other.points]
            axis = option["yAxis"][number]
            axis.update(axis_bounds(seen, [limit.value for limit in shown[number].limits], 4 if number == 0 else 2))
            option["series"].append(_dashed(other, xAxisIndex=number, yAxisIndex=number))
    if anomalies:
        for number in range(len(shown)):
            option["series"].append({**_shaded(anomalies, bounds, local), "xAxisIndex": number, "yAxisIndex": number})
    return {**option, **_toolbox()}, height


def together(
    shown: Sequence[Panel], units: Sequence[str], anomalies: Sequence[AnomalyMark], bounds: tuple[int, int], local: Local
) -> tuple[Option, int]:
    """All parameters in one panel: those with the first unit on the left axis, those with the next unit on the right one.

    What has a third unit has no axis and is left out: `left_out` says so beforehand.
    """
    axes = _axes_of(units)
    series = []
    seen: dict[int, list[Any]] = {0: [], 1: []}
    for number, (panel, unit) in enumerate(zip(shown, units, strict=True)):
        if unit not in axes:
            continue
        side = axes.index(unit)
        seen[side] += panel.seen
        series += [{**each, "xAxisIndex": 0, "yAxisIndex": side} for each in charts.expected_lines(panel, number)]
        series.append(charts.line(panel.title, panel.points, charts.SERIES[number % len(charts.SERIES)], yAxisIndex=side))
    if anomalies and series:
        series.append(_shaded(anomalies, bounds, local))
    legend = {"top": 0, "left": 40, "itemWidth": 18, "itemHeight": 3, "icon": "roundRect", "textStyle": charts.small(12, "ink-2")}
    right = 14 if len(axes) == 1 else 48
    values = [
        charts.value_axis(unit or "", scale=True, position=side, **axis_bounds(seen[number], [], 4))
        for number, (unit, side) in enumerate(zip(axes, ("left", "right"), strict=False))
    ]
    for axis in values[1:]:
        axis["splitLine"] = {"show": False}
        axis["nameTextStyle"] = {**axis["nameTextStyle"], "align": "left", "padding": [0, 0, 0, 6]}
    option = {
        **charts.base(top=52, right=right),
        "legend": {**legend, "data": [line["name"] for line in series if line.get("name")]},
        "xAxis": charts.time_axis(*bounds),
        "yAxis": values,
        "series": series,
        "dataZoom": [{"type": "inside", "zoomOnMouseWheel": "ctrl", "moveOnMouseWheel": False}],
        **_toolbox(),
    }
    return option, TOGETHER_PX


def left_out(names: Sequence[str], units: Sequence[str]) -> list[str]:
    """The parameters that `together` cannot draw, because there are two axes only; pure."""
    axes = _axes_of(units)
    return [name for name, unit in zip(names, units, strict=True) if unit not in axes]


def _axes_of(units: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(units))[:2]


def _dashed(other: Beside, **more: int) -> Option:
    style = {"color": CHART["d"], "width": 1.2, "type": [4, 3]}
    return charts.line(other.name, other.points, CHART["d"], lineStyle=style, z=1, **more)


def _shaded(anomalies: Sequence[AnomalyMark], bounds: tuple[int, int], local: Local) -> Option:
    """Violet bands over the times of anomalies."""
    data = [[{"xAxis": max(local.wall(mark.begin), bounds[0])}, {"xAxis": min(local.wall(mark.end), bounds[1])}] for mark in anomalies]
    return {
        "type": "line",
        "data": [],
        "silent": True,
        "markArea": {"silent": True, "itemStyle": {"color": CHART["anomaly"]}, "label": {"show": False}, "data": data},
    }


def _toolbox() -> Option:
    """A button that saves the chart as a picture."""
    save = {"title": "Save as picture", "name": "factoryops", "pixelRatio": 2, "backgroundColor": charts.text_colour("card")}
    style = {"borderColor": charts.text_colour("ink-3")}
    return {"toolbox": {"right": 8, "top": -4, "itemSize": 14, "feature": {"saveAsImage": save}, "iconStyle": style}}
