"""ECharts options of the analytics page."""

import polars as pl

from dashboards.analytics_data import EnergyAhead
from dashboards.axes import Option, Pairs
from dashboards.charts import SERIES, Limit, base, limit_line, line, points, small, time_axis, value_axis
from dashboards.fmt import Local
from dashboards.tokens import CHART

VIOLET = CHART["c"]
MOST_SHOWN = 10.0
"""Times the limit; a line that goes beyond leaves the chart, so that what is near the limit can be seen."""


def score_line(scores: pl.DataFrame, spans: list[tuple[int, int]], bounds: tuple[int, int], local: Local) -> Option:
    """How unusual a machine was, against its limit 1, its anomalies shaded. `spans` and `bounds` are wall-clock milliseconds."""
    drawn = points(scores.rename({"ts": "bucket"}), "score", local)
    highest = max((value for _, value in drawn if value is not None), default=1.0)
    series = line("How unusual", drawn, VIOLET, areaStyle={"color": VIOLET, "opacity": 0.12})
    series["markLine"] = {"silent": True, "symbol": "none", "data": [limit_line(Limit(1.0, "limit of what is usual", "high"))]}
    series["markArea"] = {
        "silent": True,
        "itemStyle": {"color": CHART["anomaly"]},
        "data": [[{"xAxis": begin}, {"xAxis": end}] for begin, end in spans],
    }
    return {
        **base(top=26, bottom=24),
        "xAxis": time_axis(*bounds),
        "yAxis": value_axis("× limit", min=0, max=round(min(max(1.2, highest * 1.08), MOST_SHOWN), 2)),
        "series": [series],
    }


def forecast(found: EnergyAhead, local: Local) -> Option:
    """Energy an hour: what was measured, what is expected, and the bands that hold it 80 and 95 times of a hundred."""
    measured = points(found.measured, "kwh", local) if found.measured.height else []
    expected = points(found.ahead, "kwh", local)
    both = [*measured, *expected]
    bounds = (int(both[0][0] or 0), int(both[-1][0] or 0))
    legend = {
        "data": ["Measured", "Expected", "80 %", "95 %"], "top": 0, "right": 8, "itemWidth": 16, "itemHeight": 8, "icon": "roundRect",
        "textStyle": small(12, "ink-2"),
    }  # fmt: skip
    return {
        **base(top=30, bottom=24),
        "legend": legend,
        "xAxis": time_axis(*bounds),
        "yAxis": value_axis("kWh", min=0),
        "series": [
            *_band(found.ahead, "95", local, 0.12),
            *_band(found.ahead, "80", local, 0.20),
            line("Measured", measured, CHART["d"]),
            line("Expected", expected, SERIES[0], lineStyle={"color": SERIES[0], "width": 2}),
        ],
    }


def _band(ahead: pl.DataFrame, level: str, local: Local, opacity: float) -> list[Option]:
    """Two stacked lines that are not drawn, with the room between them filled."""
    low, high = points(ahead, f"kwh_low_{level}", local), points(ahead, f"kwh_high_{level}", local)
    floor: Pairs = [[at, None if value is None else max(value, 0)] for at, value in low]
    room: Pairs = [
        [at, None if top is None or bottom is None else round(top - bottom, 6)] for (at, bottom), (_, top) in zip(floor, high, strict=True)
    ]
    edge: Option = {
        "type": "line", "showSymbol": False, "silent": True, "stack": f"band-{level}", "stackStrategy": "all", "lineStyle": {"opacity": 0},
        "tooltip": {"show": False},
    }  # fmt: skip
    fill = {"color": SERIES[0], "opacity": opacity}
    # The colour of the item is what the legend shows.
    return [
        {**edge, "name": f"low {level}", "data": floor},
        {**edge, "name": f"{level} %", "data": room, "areaStyle": fill, "itemStyle": fill},
    ]
