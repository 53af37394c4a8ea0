"""Charts of data quality: what is missing, how late readings come, whose clock is off."""

from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from assets.reporting.charts.plant import short
from assets.reporting.charts.style import C, canvas, svg, time_axis
from assets.reporting.run_data import RunData
from warehouse.queries.data_quality import DELAY_LIMITS_S

CLASSES: Final = ("10 s", "1 min", "5 min", "1 h", "6 h", ">")
ACCEPTED_S: Final = 2.0
MOST_CLOCKS: Final = 8


def delay_shares(run: RunData) -> list[float]:
    """Percent of readings by how late they came, in the order of CLASSES."""
    found = run.frame("delays")
    whole = int(found["readings"].sum())
    if not whole:
        return [0.0] * len(CLASSES)
    passed = [int(found[f"within_{name}"].sum()) for name in DELAY_LIMITS_S]
    parts = [now - before for now, before in zip([*passed, whole], [0, *passed], strict=True)]
    return [part / whole * 100 for part in parts]


def data_quality(run: RunData) -> str:
    """Missing machine time by hour, readings by delay, delays by machine."""
    figure, (missing, late, clocks) = canvas(47, 3, left=8, gap=17, bottom=8.5, top=7)
    _missing(run, missing)
    shares = delay_shares(run)
    late.bar(range(6), shares, width=0.72, color=[C["running"]] * 4 + [C["medium"]] * 2)
    late.set_xticks(range(6), CLASSES)
    late.set(title=run.words("Readings by delay on arrival, %"), ylim=(0, 112), xlabel=run.words("delay up to"))
    late.set_yticks([0, 25, 50, 75, 100])
    for i, share in enumerate(shares):
        late.annotate(run.write.num(share), (i, share), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=6)
    _clocks(run, clocks)
    return svg(figure, run.words)


def _missing(run: RunData, ax: Axes) -> None:
    hours = (
        run.states.with_columns(hour=((pl.col("bucket") - run.start).dt.total_seconds() // 3600))
        .group_by("hour")
        .agg(share=(pl.col("state") == "nodata").mean() * 100)
        .sort("hour")
    )
    ax.bar(hours["hour"].to_numpy() + 0.5, hours["share"].to_numpy(), width=1, color=C["high"])
    time_axis(run, ax, short=True)
    top = float(hours["share"].max() or 0)  # type: ignore[arg-type]  # a float column's maximum
    ax.set(title=run.words("Machines without data by hour, %"), ylim=(0, min(100, max(4, np.ceil(top * 1.2)))))


def _clocks(run: RunData, ax: Axes) -> None:
    worst = run.frame("delays").with_columns(off=pl.max_horizontal(pl.col("most_s").abs(), pl.col("least_s").abs())).sort(
        ["off", "device_id"], descending=[True, False]
    ).head(MOST_CLOCKS)  # fmt: skip
    ax.axvspan(-ACCEPTED_S, ACCEPTED_S, color=C["soft"], lw=0)
    ax.axvline(0, color=C["line"], lw=0.5)
    y = np.arange(worst.height)[::-1]
    for at, row in zip(y, worst.iter_rows(named=True), strict=True):
        bad = row["off"] > ACCEPTED_S
        colour = C["medium" if bad else "d"]
        ax.plot([row["least_s"], row["most_s"]], [at, at], color=colour, lw=1.6, solid_capstyle="butt")
        ax.plot([row["median_s"]], [at], "D" if bad else "o", ms=3.2, color=colour)
    ax.set_yticks(y, [short(run.keys.get(d, "?"), 11) for d in worst["device_id"]])
    far = max(float(worst["off"].max() or 0) * 1.1, 3.0)  # type: ignore[arg-type]  # a float column's maximum
    ax.set(
        title=run.words("Delay by machine, s"),
        xlim=(-3, far),
        ylim=(-0.7, max(worst.height, 4) - 0.3),
        xlabel=run.words("grey band: accepted ±2 s"),
    )
    ax.grid(visible=False)
