"""The chart of a machine as it is drawn: panels with limits, alerts, anomalies and forecast, and what the marks mean."""

from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import Final

import polars as pl

from dashboards import charts, fmt, kpis, machine_charts, ui
from dashboards.axes import Option, Pairs
from dashboards.charts import Expected, Limit, Marker, Panel
from dashboards.fmt import Local
from dashboards.machine_charts import Beside
from dashboards.machine_data import Live, Past, Wanted
from warehouse.queries.alerts import AlertRow
from warehouse.queries.analytics import MachineMarks
from warehouse.queries.energy import POWER
from warehouse.queries.live import LiveValue

BAND_FROM: Final = timedelta(minutes=10)
KEY_ALERTS: Final = 3
STACKED, TOGETHER = "Below each other", "Two axes"
KW_IN: Final = {"W": 1000.0, "kW": 1.0, "MW": 0.001}


@dataclass(frozen=True)
class Drawn:
    """What the chart shows."""

    wanted: Wanted
    past: Past
    shown: list[LiveValue]
    raised: list[AlertRow]
    beside: str | None
    """With what it is compared: a time before, or the key of another machine."""
    other: Past | None
    layout: str
    marks: MachineMarks | None
    """What analyses found; None while the lake is away."""


@dataclass(frozen=True)
class Chart:
    """The chart in one theme."""

    words: str
    """What the marks and lines mean, as HTML."""
    option: Option | None
    """None: nothing was measured."""
    height: int
    names: list[str]
    left_out: list[str]
    """What two axes cannot carry."""
    end: int
    """Of the clock, in wall-clock milliseconds: later than the range when a forecast reaches beyond it."""


def made(drawn: Drawn, live: Live, local: Local, theme: str) -> Chart:
    """The lines on one clock, alerts marked where they were raised, anomalies shaded, what is expected of the power behind it. Pure."""
    with charts.in_theme(theme):
        return _made(drawn, live, local)


def _made(drawn: Drawn, live: Live, local: Local) -> Chart:
    past, shown = drawn.past, drawn.shown
    panels = [panel(past, v, drawn.raised, live, local, drawn.marks) for v in shown]
    anomalies = drawn.marks.anomalies if drawn.marks else ()
    names = [kpis.name_of(v) for v in shown]
    words = legend(drawn, panels, [mark.sentence for mark in anomalies], local)
    begin, end = local.wall(past.start), local.wall(past.end)
    if not any(one.points for one in panels):
        return Chart(words, None, 0, names, [], end)
    end = max([end, *(int(at) for one in panels if one.expected for at, _ in one.expected.middle[-1:] if at is not None)])
    if drawn.layout == TOGETHER:
        units = [one.title.rpartition(", ")[2] if ", " in one.title else "" for one in panels]
        option, height = machine_charts.together(panels, units, anomalies, (begin, end), local)
        return Chart(words, option, height, names, machine_charts.left_out(names, units), end)
    beside = [_beside_panel(drawn, v, one, local) for v, one in zip(shown, panels, strict=True)]
    option, height = machine_charts.stacked(panels, beside, anomalies, (begin, end), local)
    return Chart(words, option, height, names, [], end)


def expected(marks: MachineMarks | None, unit: str, local: Local) -> Expected | None:
    """What the newest forecast expects of the power, in `unit`, one point in the middle of each interval; None without one. Pure."""
    if marks is None or marks.forecast.is_empty() or unit not in KW_IN:
        return None
    lines: tuple[Pairs, Pairs, Pairs] = ([], [], [])
    for at, interval_s, *energies in marks.forecast.select("ts", "interval_s", "kwh", "kwh_low_80", "kwh_high_80").iter_rows():
        middle = local.wall(at + timedelta(seconds=interval_s / 2))
        for line, kwh in zip(lines, energies, strict=True):
            line.append([middle, None if kwh is None else float(f"{kwh * 3600 / interval_s * KW_IN[unit]:.5g}")])
    return Expected(*lines)


def _beside_panel(drawn: Drawn, v: LiveValue, own: Panel, local: Local) -> Beside:
    if drawn.other is None:
        return Beside("", [])
    rows = drawn.other.frame.filter(pl.col("parameter") == v.parameter_key, pl.col("bucket") < drawn.past.end)
    is_kw = own.title.endswith(", kW") and v.unit == "W"
    return Beside(drawn.beside or "", charts.points(rows, "mean", local, 0.001 if is_kw else 1))


def legend(drawn: Drawn, panels: list[Panel], anomalies: list[str], local: Local) -> str:
    """What the marks and lines mean."""
    raised = drawn.raised
    marks = "".join(
        ui.link(
            ui.alert_url(a.id),
            f"{ui.icon(a.severity, a.severity + '-f')} {local.time(a.triggered_at)} {escape(a.title)}",
            f"{a.severity}-t",
        )
        for a in raised[:KEY_ALERTS]
    )
    if len(raised) > KEY_ALERTS:
        marks += f"<span>and {len(raised) - KEY_ALERTS} earlier</span>"
    if any(one.lowest for one in panels):
        marks += f'<span><i class="band"></i>Lowest to highest of each {fmt.span(drawn.past.step.total_seconds())}; line: mean</span>'
    if drawn.beside:
        marks += f'<span><i class="dashed"></i>{escape(drawn.beside)}</span>'
    if any(one.expected for one in panels):
        marks += '<span><i class="expected"></i>Forecast of the power; band: 80 of 100 times within it</span>'
    if anomalies:
        said = escape("; ".join(sentence for sentence in anomalies if sentence)[:300], quote=True)
        marks += f'<span title="{said}"><i class="anomaly"></i>{fmt.plural(len(anomalies), "anomaly", "anomalies")}</span>'
    return f'<div class="key">{marks}</div>' if marks else ""


def panel(past: Past, v: LiveValue, raised: list[AlertRow], live: Live, local: Local, marks: MachineMarks | None = None) -> Panel:
    """One parameter: its line, its limits, the alerts that it took part in, and for the power what was expected. Pure."""
    rows = past.frame.filter(pl.col("parameter") == v.parameter_key)
    usual = live.usual.get(v.parameter_key)
    is_kw = v.unit == "W" and usual is not None and usual.greatest >= 1000
    factor, unit = (0.001, "kW") if is_kw else (1, v.unit)
    points = charts.points(rows, "mean", local, factor)
    is_coarse = past.step >= BAND_FROM
    markers = []
    for alert in (a for a in raised if any(limit.rule_name == a.title for limit in live.limits.get(v.parameter_key, []))):
        measured = alert.telemetry_snapshot.get(v.parameter_key)
        if isinstance(measured, int | float):
            markers.append(Marker(alert.triggered_at, float(f"{measured * factor:.5g}"), alert.severity))
    known = [value for _, value in points if value is not None]
    limits = [
        Limit(
            limit.threshold * factor,
            f"{limit.severity.capitalize()} {'above' if limit.is_upper else 'below'} {fmt.exact(limit.threshold * factor)} {unit}".strip(),
            limit.severity,
        )
        for limit in live.limits.get(v.parameter_key, [])
        if known and _is_near(limit.threshold * factor, known)
    ]
    low, high = (charts.points(rows, side, local, factor) if is_coarse else [] for side in ("min", "max"))
    return Panel(
        f"{kpis.name_of(v)}{', ' + unit if unit else ''}",
        points,
        tuple(markers),
        tuple(limits),
        low,
        high,
        expected=expected(marks, unit, local) if v.parameter_key == POWER else None,
    )


def _is_near(limit: float, known: list[float]) -> bool:
    """A limit far away would press the line flat."""
    low, high = min(known), max(known)
    reach = max(high - low, abs(high) * 0.1) * 2
    return low - reach <= limit <= high + reach
