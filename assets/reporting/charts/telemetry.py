"""Small multiples of machines: three panels on one period, with limits and the alerts where they fired."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from assets.reporting.charts.plant import short
from assets.reporting.charts.style import C, canvas, close, hours_since, limit_line, marker, no_data, svg_of, time_axis
from assets.reporting.run_data import Limit, RunData

PANELS: Final = 3
ZERO_BASED: Final = frozenset({"mm/s", "W", "kW", "A", "g", "K", "L/min", "m³/h", "m³/min", "pcs", "%", "rpm", "kg", "m/s", "Pa"})
COUNTERS: Final = frozenset({"good_parts", "rejected_parts"})


def panel_parameters(run: RunData, device_id: int) -> list[str]:
    """What a machine's three panels show: what its rules watch, worst first, then KPIs; power last."""
    mine = run.parameters.filter((pl.col("device_id") == device_id) & ~pl.col("parameter").is_in(list(COUNTERS)))
    measured = set(run.series.filter(pl.col("device_id") == device_id)["parameter"].unique())
    keys = [key for key in mine["parameter"] if key in measured]
    rank = ("critical", "high", "medium", "low")
    watched = sorted(run.limits.get(device_id, []), key=lambda limit: rank.index(limit.severity))
    wanted = [limit.parameter for limit in watched if limit.parameter in keys] + [key for key in keys if key != "power"]
    chosen = list(dict.fromkeys(wanted))[: PANELS - ("power" in keys)]
    return chosen + (["power"] if "power" in keys else [])


def device_rows(run: RunData, device_ids: Sequence[int]) -> Iterator[str]:
    """For each machine: mean line, range of the interval, limit, alerts where they fired; hatched where nothing was received.

    All are drawn on the same panels, one after the other: making axes and ticks takes longer than all lines on them.
    """
    figure, axes = canvas(41, PANELS, width_mm=141, left=8, gap=9, top=7, bottom=5, right=0.5)
    for ax in axes:
        time_axis(run, ax, short=True)
    ground = {artist for ax in axes for artist in _drawn(ax)}
    for device_id in device_ids:
        _device(run, axes, device_id)
        yield svg_of(figure, run.words)
        for artist in [artist for ax in axes for artist in _drawn(ax) if artist not in ground]:
            artist.remove()
    close(figure)


def _drawn(ax: Axes) -> list[Artist]:
    return [*ax.lines, *ax.collections, *ax.patches, *ax.texts]


def _device(run: RunData, axes: list[Axes], device_id: int) -> None:
    keys = panel_parameters(run, device_id)
    gaps = [
        (hours_since(run, row["begin"]), hours_since(run, row["end"]))
        for row in run.gaps.filter(pl.col("device_id") == device_id).iter_rows(named=True)
    ]
    for i, ax in enumerate(axes):
        ax.set_visible(i < len(keys))
        if i >= len(keys):
            continue
        _panel(run, ax, device_id, keys[i], i if keys[i] != "power" else 3)
        no_data(ax, gaps)


def _panel(run: RunData, ax: Axes, device_id: int, key: str, colour: int) -> None:
    data = run.series.filter((pl.col("device_id") == device_id) & (pl.col("parameter") == key)).sort("bucket")
    x = (data["bucket"] - run.start).dt.total_seconds().to_numpy() / 3600
    unit = _unit(run, device_id, key)
    scale, unit = (0.001, "kW") if unit == "W" else (1.0, unit)
    mean, low, high = (data[name].to_numpy() * scale for name in ("mean", "min", "max"))
    x, mean, low, high = _broken(x, mean, low, high)
    shade = "abcd"[colour]
    ax.fill_between(x, low, high, color=C[shade], alpha=0.22, lw=0)
    ax.plot(x, mean, color=C[shade], lw=0.75)
    limit = run.limit(device_id, key)
    if limit is not None and scale != 1.0:
        limit = Limit(limit.parameter, limit.value * scale, limit.is_upper, limit.severity)
    _scale(ax, low, high, limit, unit)
    ax.set_title(f"{short(_name(run, device_id, key), 24)}" + (f", {unit}" if unit else ""), pad=4, fontsize=7)
    if limit is not None:
        limit_line(ax, limit, f"{run.words('limit')} {run.write.exact(limit.value)}")
    _alerts(run, ax, device_id, key, x, high if limit is None or limit.is_upper else low)


def _broken(x: np.ndarray, *lines: np.ndarray) -> tuple[np.ndarray, ...]:
    """Lines with a hole where a bucket is missing."""
    if len(x) < 3:
        return (x, *lines)
    step = float(np.median(np.diff(x)))
    holes = np.flatnonzero(np.diff(x) > 2.5 * step) + 1
    return tuple(np.insert(line, holes, np.nan) for line in (x, *lines))


def _scale(ax: Axes, low: np.ndarray, high: np.ndarray, limit: Limit | None, unit: str) -> None:
    bottom, top = float(np.nanmin(low)), float(np.nanmax(high))
    # A limit far outside would flatten the line: then it is left out of the scale.
    if limit is not None and limit.is_upper and limit.value < 4 * max(top, 1e-9):
        top = max(top, limit.value * 1.06)
    elif limit is not None and not limit.is_upper:
        bottom = min(bottom, limit.value * 0.85)
    if bottom >= 0 and (unit in ZERO_BASED or bottom < 0.35 * top):
        bottom = 0.0
    pad = (top - bottom) * 0.1 or 1.0
    ax.set_ylim(bottom if bottom == 0 else bottom - pad, top + pad)
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))


def _alerts(run: RunData, ax: Axes, device_id: int, key: str, x: np.ndarray, edge: np.ndarray) -> None:
    """The critical and high alerts of rules that watch this parameter, on the extreme reading of their interval."""
    fired = run.alerts.filter((pl.col("device_id") == device_id) & pl.col("severity").is_in(["critical", "high"]))
    watching = {rule["rule_id"]: rule["conditions"] for rule in run.frame("rules").iter_rows(named=True)}
    for alert in fired.iter_rows(named=True):
        if f'"{key}"' not in watching.get(alert["rule_id"], "") or not len(x):
            continue
        at = hours_since(run, alert["triggered_at"])
        near = edge[np.flatnonzero(~np.isnan(x) & (x <= at))]
        if len(near):
            marker(ax, at, float(near[-1]), alert["severity"], 30)


def _name(run: RunData, device_id: int, key: str) -> str:
    found = run.parameters.filter((pl.col("device_id") == device_id) & (pl.col("parameter") == key))["name"]
    return run.words(found[0]) if len(found) else key


def _unit(run: RunData, device_id: int, key: str) -> str:
    found = run.parameters.filter((pl.col("device_id") == device_id) & (pl.col("parameter") == key))["unit"]
    return str(found[0]) if len(found) else ""
