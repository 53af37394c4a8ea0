"""Charts of machines and their states: the strip of the cover, time lost, availability by day and area."""

from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from assets.reporting import measures
from assets.reporting.charts.style import C, bare, canvas, day_labels, svg, time_axis
from assets.reporting.run_data import RunData

LONGEST_LABEL: Final = 22
MOST_AREAS: Final = 6


def short(text: str, most: int = LONGEST_LABEL) -> str:
    """The text cut to what fits beside a chart."""
    return text if len(text) <= most else text[: most - 1] + "…"


def state_strip(run: RunData) -> str:
    """One row a machine, one column a quarter of an hour. Grey is normal."""
    order = run.devices["device_id"].to_list()
    height = float(np.clip(3.2 * len(order), 14, 92))
    figure, (ax,) = canvas(height + 5, left=26, right=0, top=0, bottom=5)
    grids = {int(str(key[0])): part for key, part in run.states.group_by("device_id", maintain_order=True)}
    for row, device in enumerate(order):
        for first, last, state in measures.stretches(grids[device]["state"].to_list()):
            _rectangle(ax, row, first * measures.SLOT_H, last * measures.SLOT_H, state)
    time_axis(run, ax, weekend=False)
    ax.set_ylim(len(order), 0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    _area_labels(run, ax, order)
    ax.tick_params(length=0)
    return svg(figure, run.words)


def _rectangle(ax: Axes, row: int, begin: float, end: float, state: str) -> None:
    tall = 0.16 if state == "fault" else -0.12
    is_unknown = state == "nodata"
    ax.add_patch(
        Rectangle(
            (begin, row - tall), end - begin, 1 + 2 * tall, fc=C[state], ec=C["high"] if is_unknown else "none",
            hatch="////////" if is_unknown else None, lw=0, zorder=3 if state in {"fault", "nodata"} else 1,
        )
    )  # fmt: skip


def _area_labels(run: RunData, ax: Axes, order: list[int]) -> None:
    if len(order) <= 12:
        ax.set_yticks([i + 0.5 for i in range(len(order))], [short(run.keys[d], 20) for d in order], fontsize=6.5)
        return
    position = {device: i for i, device in enumerate(order)}
    areas = [(name or run.words("No area"), [position[d] for d in devices]) for name, devices in run.areas.items()]
    tall = [area for area in areas if len(area[1]) >= len(order) / 45]
    ax.set_yticks([np.mean(rows) + 0.5 for _, rows in tall], [short(name, 20) for name, _ in tall], fontsize=7)
    for _, rows in areas[1:]:
        ax.axhline(rows[0], color="white", lw=2 if len(order) < 100 else 1, zorder=5)


def time_lost(run: RunData, worst: list[tuple[str, float]]) -> str:
    """Hours in fault by machine, and availability of the plant by day."""
    figure, (left, right) = canvas(47, 2, left=24, gap=16, top=7)
    # From the top down, also when there are few.
    y = max(len(worst), 4) - 1 - np.arange(len(worst))
    left.barh(y, [hours for _, hours in worst], height=0.66, color=[C["fault"] if i < 3 else C["running"] for i in range(len(worst))])
    for at, (_, hours) in zip(y, worst, strict=True):
        left.annotate(
            run.write.num(hours), (hours, at), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5, color=C["ink"]
        )
    left.set_yticks(y, [short(name, 18) for name, _ in worst])
    left.set_title(run.words("Time in fault by machine, h"))
    left.set_xlim(0, max(hours for _, hours in worst) * 1.2)
    left.set_ylim(-0.6, max(len(worst), 4) - 0.4)
    bare(left)
    _availability_by_day(run, right)
    return svg(figure, run.words)


def availability_by_day(run: RunData) -> str:
    """Availability of the plant by day, by itself."""
    figure, (ax,) = canvas(42, left=9, top=7)
    _availability_by_day(run, ax)
    return svg(figure, run.words)


def _availability_by_day(run: RunData, ax: Axes) -> None:
    found = [measures.hours_of(day).availability for day in run.by_day]
    known = [(x, share * 100) for x, share in enumerate(found) if share is not None]
    low = min((value for _, value in known), default=0)
    floor = max(0.0, np.floor((low - 4) / 10) * 10)
    if len(known) <= 14:
        ax.plot([x for x, _ in known], [value for _, value in known], color=C["d"], marker="o", ms=3.4, lw=1.1)
        for x, value in known:
            ax.annotate(
                run.write.fixed(value, 1), (x, value), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=6.5, color=C["ink"]
            )
    else:
        ax.plot([x for x, _ in known], [value for _, value in known], color=C["d"], lw=1.1)
    ax.set_xticks(range(len(found)), day_labels(run))
    title = run.words("Availability by day, %")
    ax.set_title(title + (run.words("  (axis starts at {floor})", floor=int(floor)) if floor else ""))
    ax.set_ylim(floor, 100 + (100 - floor) * 0.12)
    ax.set_yticks(np.linspace(floor, 100, 5))
    ax.set_xlim(-0.4, len(found) - 0.6)


def area_days(run: RunData) -> str:
    """Availability by area and day: each panel shows its own line over the others in grey."""
    areas = sorted(run.areas.items(), key=lambda item: -len(item[1]))[:MOST_AREAS]
    figure, axes = canvas(38, len(areas), left=8, gap=4, top=7, sharey=True)
    lines = {name: [_share(day, devices) for day in run.by_day] for name, devices in areas}
    low = min((v for line in lines.values() for v in line if v is not None), default=0)
    for ax, (name, _) in zip(axes, areas, strict=True):
        for other in lines.values():
            ax.plot(range(len(other)), [np.nan if v is None else v for v in other], color=C["idle"], lw=0.6)
        mine = [np.nan if v is None else v for v in lines[name]]
        ax.plot(range(len(mine)), mine, color=C["petrol"], lw=1.3)
        if not np.isnan(mine[-1]):
            ax.plot(len(mine) - 1, mine[-1], "o", ms=3, color=C["petrol"])
            ax.annotate(
                run.write.fixed(mine[-1], 0),
                (len(mine) - 1, mine[-1]),
                xytext=(0, -9),
                textcoords="offset points",
                ha="center",
                fontsize=6.5,
                color=C["ink"],
            )
        ax.set_title(short(name or run.words("No area"), 15), fontsize=7)
        ax.set_ylim(max(0, np.floor((low - 8) / 10) * 10), 104)
        ax.set_xlim(-0.3, len(mine) - 0.5)
        ax.set_xticks(range(len(mine)), _initials(run))
        ax.tick_params(axis="x", length=0)
    return svg(figure, run.words)


def _initials(run: RunData) -> list[str]:
    if len(run.days) > 8:
        return [""] * len(run.days)
    return [run.words.days[run.write.local(begin).weekday()][: 1 if run.words.code == "en" else 2] for begin, _ in run.days]


def _share(day: pl.DataFrame, devices: list[int]) -> float | None:
    found = measures.hours_of(day.filter(pl.col("device_id").is_in(devices))).availability
    return None if found is None else found * 100
