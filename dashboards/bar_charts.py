"""ECharts options with bars: amounts a step of time, stacked by kind."""

from collections.abc import Mapping, Sequence

from dashboards.axes import Option
from dashboards.charts import SERIES, base, small, value_axis
from dashboards.tokens import CHART


def stacked(
    steps: Sequence[str], amounts: Mapping[str, Sequence[float]], unit: str, before: Sequence[float | None] | None = None
) -> Option:
    """A bar a step, stacked by name in the order given; `before` as a dashed line over it. Steps are named as people read them."""
    names = [name.capitalize() for name in amounts]
    series: list[Option] = [
        {
            "name": name,
            "type": "bar",
            "stack": "all",
            "barMaxWidth": 34,
            "data": [round(value, 3) for value in values],
            "itemStyle": {"color": SERIES[number % len(SERIES)]},
        }
        for number, (name, values) in enumerate(zip(names, amounts.values(), strict=True))
    ]
    if before is not None:
        names.append("Before")
        dashed = {"color": CHART["d"], "width": 1.4, "type": [4, 3]}
        drawn = [None if value is None else round(value, 3) for value in before]
        series.append({"name": "Before", "type": "line", "showSymbol": False, "step": "middle", "data": drawn, "lineStyle": dashed,
                       "itemStyle": {"color": CHART["d"]}})  # fmt: skip
    legend = {"data": names, "top": 0, "right": 8, "itemWidth": 14, "itemHeight": 8, "icon": "roundRect", "textStyle": small(12, "ink-2")}
    axis = {
        "type": "category",
        "data": list(steps),
        "axisLabel": {**small(), "hideOverlap": True},
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": {"color": CHART["grid"]}},
    }
    return {**base(top=30, bottom=24), "legend": legend, "xAxis": axis, "yAxis": value_axis(unit, min=0), "series": series}
