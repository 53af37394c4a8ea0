"""House style of charts on paper: the only place that sets matplotlib's parameters, colours, limits and signs."""

import io
import logging
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import matplotlib as mpl
from cycler import cycler

mpl.use("svg")

import matplotlib.font_manager as fonts  # the backend is chosen first
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from assets.reporting.places import FONTS
from assets.reporting.run_data import Limit, RunData
from assets.reporting.words import Language

FONT_FILES: Final = (
    ("Inter-Regular.otf", "Inter", (400,)), ("Inter-Medium.otf", "Inter", (500,)), ("Inter-SemiBold.otf", "Inter", (600, 700)),
    ("NotoSansArabic-Regular.ttf", "Noto Sans Arabic", (400, 500)), ("NotoSansArabic-Bold.ttf", "Noto Sans Arabic", (600, 700)),
    ("NotoSansCJKsc-Subset.otf", "Noto Sans CJK SC", (400, 500, 600, 700)),
)  # fmt: skip
"""File, family, and the weights that it stands for."""
# Told and not looked at: reading the large fonts to learn their names would take longer than drawing a chart.
fonts.fontManager.ttflist[:0] = [
    fonts.FontEntry(fname=str(FONTS / file), name=name, weight=weight) for file, name, weights in FONT_FILES for weight in weights
]
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

C: Final = {
    "petrol": "#0B6470", "ink": "#1A2027", "ink2": "#4A5561", "ink3": "#5B6772", "line": "#C3CAD0", "soft": "#E7EAED", "band": "#F1F3F5",
    "a": "#3F7CBF", "b": "#2E8F86", "c": "#8A66C2", "d": "#6F7E8F",
    "running": "#98A4B0", "idle": "#D3D9DF", "off": "#F1F3F5", "fault": "#C4291C", "nodata": "#FFFFFF",
    "critical": "#C4291C", "high": "#D9660F", "medium": "#AD8600", "low": "#6D8499",
    "critical_ink": "#B3261E", "high_ink": "#A04A00", "medium_ink": "#6E5600", "low_ink": "#3D566E",
}  # fmt: skip
MARK: Final[dict[str, Any]] = {"critical": (8, 0, 22.5), "high": "^", "medium": "D", "low": "o"}
MM: Final = 1 / 25.4
# Tall enough for a name of people in every script that is vendored.
FAMILIES: Final = ["Inter", "Noto Sans Arabic", "Noto Sans CJK SC"]
mpl.rcParams.update(
    {
        "font.family": FAMILIES, "font.size": 7, "text.color": C["ink2"], "svg.fonttype": "none", "svg.hashsalt": "factoryops",
        "axes.titlesize": 7.5, "axes.titleweight": "medium", "axes.titlelocation": "left", "axes.titlecolor": C["ink"], "axes.titlepad": 6,
        "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False, "axes.edgecolor": C["line"], "axes.linewidth": 0.5,
        "axes.axisbelow": True, "axes.grid": True, "axes.grid.axis": "y", "grid.color": C["soft"], "grid.linewidth": 0.4,
        "axes.labelcolor": C["ink3"], "axes.labelsize": 7, "xtick.color": C["line"], "ytick.color": C["line"],
        "xtick.labelcolor": C["ink3"], "ytick.labelcolor": C["ink3"], "xtick.labelsize": 6.5, "ytick.labelsize": 6.5,
        "xtick.major.size": 2, "xtick.major.width": 0.5, "ytick.major.size": 0, "ytick.major.pad": 2, "xtick.major.pad": 2,
        "lines.linewidth": 0.9, "lines.solid_joinstyle": "round", "patch.linewidth": 0, "hatch.linewidth": 0.5,
        "axes.prop_cycle": cycler(color=[C["a"], C["b"], C["c"], C["d"]]), "axes.unicode_minus": True, "text.parse_math": False,
    }
)  # fmt: skip


def canvas(
    height_mm: float, panels: int = 1, *, width_mm: float = 170, left: float = 9, right: float = 1, top: float = 6, bottom: float = 4.6,
    gap: float = 9, **more: Any,
) -> tuple[Figure, list[Axes]]:  # fmt: skip
    """A figure in millimetres: panels with the same margins, so that figures align with the text block and with each other."""
    figure, axes = plt.subplots(1, panels, figsize=(width_mm * MM, height_mm * MM), squeeze=False, **more)
    inner = (width_mm - left - right - gap * (panels - 1)) / panels
    figure.subplots_adjust(
        left=left / width_mm, right=1 - right / width_mm, top=1 - top / height_mm, bottom=bottom / height_mm, wspace=gap / inner
    )
    return figure, list(axes[0])


def hours_since(run: RunData, moment: Any) -> float:
    """Position of a moment on the time axis: hours since the period began."""
    return float((moment - run.start).total_seconds() / 3600)


def time_axis(run: RunData, ax: Axes, *, short: bool = False, weekend: bool = True, labels: bool = True) -> None:
    """The period on the factory's clock: ticks at midnight, names in the middle of days, weekends on grey ground."""
    whole = hours_since(run, run.end)
    ax.set_xlim(0, whole)
    edges = [hours_since(run, begin) for begin, _ in run.days]
    ax.set_xticks([*edges, whole], [""] * (len(edges) + 1))
    step = -(-len(edges) // (7 if short else 10))
    if labels and len(edges) <= 2:
        marks = list(range(0, int(whole) + 1, (12 if short else 6) if whole > 12 else 1))
        ax.set_xticks(marks, [f"{run.write.local(run.start + timedelta(hours=h)):%H:%M}" for h in marks], minor=True)
    elif labels:
        middles = [(hours_since(run, begin) + hours_since(run, end)) / 2 for begin, end in run.days]
        names = [_day_name(run, i, short=short) for i in range(len(edges))]
        ax.set_xticks(middles[::step], names[::step], minor=True)
    ax.tick_params(axis="x", which="minor", length=0, pad=2)
    for begin, end in run.days if weekend and len(edges) > 2 else []:
        if run.write.local(begin).weekday() >= 5:
            ax.axvspan(hours_since(run, begin), hours_since(run, end), color=C["band"], lw=0, zorder=0)


def _day_name(run: RunData, index: int, *, short: bool) -> str:
    moment = run.write.local(run.days[index][0])
    if short and len(run.days) <= 7:
        return run.words.days[moment.weekday()][: 1 if run.words.code == "en" else 2]
    return str(moment.day) if short else f"{run.words.days[moment.weekday()]} {moment.day}"


def day_labels(run: RunData, *, is_narrow: bool = False) -> list[str]:
    """A name for each day, thinned when there are many; in a narrow panel initials or numbers."""
    step = -(-len(run.days) // 10)
    return [_day_name(run, i, short=is_narrow or len(run.days) > 7) if i % step == 0 else "" for i in range(len(run.days))]


def limit_line(ax: Axes, limit: Limit, text: str) -> None:
    """A dashed line in the colour of its severity, named on the line."""
    ax.axhline(limit.value, color=C[limit.severity], lw=0.8, ls=(0, (4, 2.5)), zorder=2)
    ax.annotate(
        text, (0, limit.value), xytext=(1, 1.6 if limit.is_upper else -1.6), textcoords="offset points", ha="left",
        va="bottom" if limit.is_upper else "top", fontsize=6, color=C[f"{limit.severity}_ink"], zorder=5,
        bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.4}, xycoords=("axes fraction", "data"),
        # A limit that is left out of the scale has no label either.
        annotation_clip=True,
    )  # fmt: skip


def marker(ax: Axes, x: float, y: float, severity: str, size: float = 22) -> None:
    """The sign of a severity, where an alert was raised."""
    ax.scatter([x], [y], marker=MARK[severity], s=size, color=C[severity], edgecolor="white", linewidth=0.6, zorder=6, clip_on=False)


def no_data(ax: Axes, spans: Sequence[tuple[float, float]]) -> None:
    """Hatching over the full height where nothing was received."""
    for begin, end in spans:
        ax.axvspan(begin, end, fc="none", ec=C["high"], hatch="//////", lw=0, alpha=0.6)


def bare(ax: Axes) -> None:
    """Takes grid, ticks and the bottom line away."""
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)


def svg(figure: Figure, words: Language) -> str:
    """The figure as SVG; it is closed."""
    try:
        return svg_of(figure, words)
    finally:
        close(figure)


class _Numbers(ScalarFormatter):
    """Numbers at an axis as the report writes them."""

    def __init__(self, words: Language) -> None:
        super().__init__(useOffset=False)
        self.set_scientific(b=False)
        self._signs = {ord("."): words.decimal}
        self._thousands = words.thousands

    def __call__(self, x: float, pos: int | None = None) -> str:
        if abs(x) >= 10_000:
            return f"{x:,.0f}".replace("-", "−").replace(",", self._thousands)
        return super().__call__(x, pos).translate(self._signs)


def close(figure: Figure) -> None:
    """Gives the figure's memory back."""
    plt.close(figure)


def svg_of(figure: Figure, words: Language) -> str:
    """The figure as SVG with text as text and numbers in that language: the same figure gives the same bytes."""
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        if type(axis.get_major_formatter()) is ScalarFormatter:
            axis.set_major_formatter(_Numbers(words))
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return re.sub(r"<metadata>.*?</metadata>", "", out.getvalue(), flags=re.DOTALL)
