"""Charts of alerts: all on one clock, the most frequent, the time to acknowledge."""

import numpy as np
import polars as pl

from assets.reporting.charts.plant import short
from assets.reporting.charts.style import MARK, C, bare, canvas, hours_since, svg, time_axis
from assets.reporting.run_data import RunData
from warehouse.queries.alarm_quality import ACKNOWLEDGE_WITHIN_MIN, FLOOD_ABOVE
from warehouse.terms import SEVERITIES


def alert_clock(run: RunData) -> str:
    """Every alert of the period by severity and time."""
    # The widest name of a severity in any language.
    figure, (ax,) = canvas(42, left=19, top=4, right=8)
    spread = np.random.default_rng(5)  # jitter only, so that signs do not hide each other
    whole = hours_since(run, run.end)
    for i, severity in enumerate(SEVERITIES):
        moments = run.alerts.filter(pl.col("severity") == severity)["triggered_at"]
        x = [hours_since(run, moment) for moment in moments]
        y = 3 - i + spread.uniform(-0.22, 0.22, len(x)) * (len(x) > 6)
        ax.scatter(x, y, marker=MARK[severity], s=[30, 22, 14, 12][i], color=C[severity], edgecolor="white", lw=0.5, zorder=4)
        ax.annotate(
            str(len(x)), (whole, 3 - i), xytext=(20, 0), textcoords="offset points", va="center", ha="right", fontsize=7.5, weight="semibold",
            color=C["ink"],
        )  # fmt: skip
    time_axis(run, ax)
    ax.set_yticks([3, 2, 1, 0], [run.words(word) for word in ("Critical", "High", "Medium", "Low")])
    ax.set_ylim(-0.5, 3.6)
    ax.tick_params(axis="y", labelsize=7)
    if run.quality.most_in_10_min > FLOOD_ABOVE and run.quality.flood_at is not None:
        at = hours_since(run, run.quality.flood_at)
        ax.axvspan(at, at + 1 / 6, color=C["c"], alpha=0.22, lw=0)
        text = run.words("flood, {count} alerts in 10 min", count=run.quality.most_in_10_min)
        ax.annotate(text, (at, 3.45), xytext=(2, 0), textcoords="offset points", fontsize=6.5, va="center")
    return svg(figure, run.words)


def frequent(run: RunData) -> list[tuple[str, int]]:
    """The ten most frequent alerts: machine and rule, and how often."""
    found = run.alerts.group_by("device_id", "title").len().sort(["len", "device_id", "title"], descending=[True, False, False]).head(10)
    return [(f"{run.keys.get(device, '?')} {title}", count) for device, title, count in found.iter_rows()]


def acknowledge_minutes(run: RunData, severity: str) -> list[float]:
    """Minutes until a person acknowledged or resolved each alert of that severity."""
    seen = pl.min_horizontal("acknowledged_at", "resolved_at")
    mine = run.alerts.filter(pl.col("severity") == severity)
    return [m for m in mine.select((seen - pl.col("triggered_at")).dt.total_seconds() / 60).to_series() if m is not None]


def alarm_quality(run: RunData) -> str:
    """Most frequent alerts, and time to acknowledge by severity with median and target."""
    top = frequent(run)
    figure, (left, right) = canvas(50, 2, left=46, gap=17, top=7)
    y = np.arange(len(top))[::-1]
    left.barh(y, [count for _, count in top], height=0.66, color=C["d"])
    for at, (_, count) in zip(y, top, strict=True):
        left.annotate(str(count), (count, at), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5, color=C["ink"])
    left.set_yticks(y, [short(name, 38) for name, _ in top], fontsize=6.2)
    left.set(title=run.words("Most frequent alerts (count)"), xlim=(0, max((count for _, count in top), default=1) * 1.2))
    left.set_ylim(-0.6, max(len(top), 4) - 0.4)
    bare(left)
    spread = np.random.default_rng(2)
    for i, severity in enumerate(SEVERITIES):
        minutes = np.maximum(acknowledge_minutes(run, severity), 1)
        right.scatter(
            minutes, 3 - i + spread.uniform(-0.2, 0.2, len(minutes)), s=7, color=C[severity], marker=MARK[severity], lw=0, alpha=0.75
        )
        if len(minutes):
            middle = float(np.median(minutes))
            right.plot([middle, middle], [2.62 - i, 3.38 - i], color=C["ink"], lw=1.2)
        target = ACKNOWLEDGE_WITHIN_MIN[severity]
        right.plot([target, target], [2.62 - i, 3.38 - i], color=C["ink3"], lw=0.8, ls=(0, (1, 1.2)))
    right.set_xscale("log")
    right.set_xticks([1, 10, 60, 480], ["1 min", "10 min", "1 h", "8 h"])
    right.minorticks_off()
    right.set_yticks([3, 2, 1, 0], [run.words(word) for word in ("Critical", "High", "Medium", "Low")])
    right.set(title=run.words("Time to acknowledge"), xlim=(1, 2880), ylim=(-0.6, 3.6))
    right.grid(visible=True, axis="x")
    return svg(figure, run.words)
