"""Charts of energy: demand by quarter of an hour, energy against output, the running difference from the baseline."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from assets.reporting import measures
from assets.reporting.charts.style import C, canvas, day_labels, hours_since, marker, svg, time_axis
from assets.reporting.run_data import RunData
from warehouse.queries.energy_performance import Baseline, fit_baseline


@dataclass(frozen=True)
class EnergyFigures:
    """What the energy pages print."""

    demand: pl.DataFrame
    """bucket and kw of the whole plant by quarter of an hour in the period."""
    peak_kw: float | None
    peak_at: datetime | None
    baseline: Baseline | None
    reference: pl.DataFrame
    """kwh and parts of whole days before the period."""
    days: pl.DataFrame
    """day (start), kwh, parts of the days of the period."""

    @property
    def expected_kwh(self) -> list[float]:
        """What the baseline expects of each day; empty without one."""
        return [self.baseline.expected_kwh(parts or 0) for parts in self.days["parts"]] if self.baseline else []


@cache
def energy_figures(run: RunData) -> EnergyFigures:
    """The figures of one run, computed once."""
    all_slots = run.frame("energy")
    mine = measures.within(all_slots, run.start, run.end)
    demand = mine.select("bucket", kw=pl.col("kwh") / measures.SLOT_H).drop_nulls()
    peak = demand.sort("kw", descending=True).head(1)
    first = all_slots["bucket"].min()
    before = (
        _daily(all_slots, measures.local_days(first, run.start, run.zone)[1:-1])
        if isinstance(first, datetime) and first < run.start
        else _daily(all_slots, [])
    )
    return EnergyFigures(
        demand,
        peak["kw"][0] if peak.height else None,
        peak["bucket"][0] if peak.height else None,
        fit_baseline(before),
        before,
        _daily(all_slots, run.days),
    )


def _daily(slots: pl.DataFrame, days: list[tuple[datetime, datetime]]) -> pl.DataFrame:
    rows = []
    for begin, end in days:
        day = measures.within(slots, begin, end)
        rows.append(
            (begin, float(day["kwh"].sum()) if day["kwh"].count() else None, float(day["parts"].sum()) if day["parts"].count() else None)
        )
    return pl.DataFrame(rows, schema={"day": pl.Datetime("us", "UTC"), "kwh": pl.Float64, "parts": pl.Float64}, orient="row")


def energy(run: RunData) -> str:
    """Demand; daily energy and output with the baseline; CUSUM. Without a baseline: demand and energy by day."""
    found = energy_figures(run)
    figure, axes = canvas(56, 3 if found.baseline else 2, left=9, gap=13, top=7, bottom=9)
    x = (found.demand["bucket"] - run.start).dt.total_seconds().to_numpy() / 3600
    kw = found.demand["kw"].to_numpy()
    axes[0].fill_between(x, 0, kw, color=C["a"], alpha=0.16, lw=0)
    axes[0].plot(x, kw, color=C["a"], lw=0.5)
    time_axis(run, axes[0], short=True)
    axes[0].set_title(run.words("Demand, kW, 15 min"))
    axes[0].set_ylim(0, (float(np.max(kw)) if len(kw) else 1) * 1.15)
    if found.peak_at is not None and found.peak_kw is not None:
        marker(axes[0], hours_since(run, found.peak_at), found.peak_kw, "medium", 16)
    if found.baseline is None:
        _by_day(run, axes[1], found)
    else:
        _against_output(run, axes[1], found)
        _cusum(run, axes[2], found)
    return svg(figure, run.words)


def _by_day(run: RunData, ax: Axes, found: EnergyFigures) -> None:
    mwh = [(kwh or 0) / 1000 for kwh in found.days["kwh"]]
    ax.bar(range(len(mwh)), mwh, width=0.7, color=C["running"])
    ax.set_xticks(range(len(mwh)), day_labels(run, is_narrow=True))
    ax.set_title(run.words("Energy by day, MWh"))


def _against_output(run: RunData, ax: Axes, found: EnergyFigures) -> None:
    base = found.baseline
    assert base is not None  # noqa: S101  # asked before
    reference = found.reference.drop_nulls()
    mine = found.days.drop_nulls()
    parts = np.concatenate([reference["parts"].to_numpy(), mine["parts"].to_numpy()]) / 1000
    line = np.array([parts.min(), parts.max()])
    ax.plot(line, [base.expected_kwh(p * 1000) / 1000 for p in line], color=C["ink2"], lw=0.8)
    ax.scatter(reference["parts"] / 1000, reference["kwh"] / 1000, s=9, color=C["running"], lw=0, alpha=0.8)
    ax.scatter(mine["parts"] / 1000, mine["kwh"] / 1000, s=20, marker="D", color=C["petrol"], zorder=5)
    ax.set_title(run.words("Daily energy, MWh, and output"))
    ax.set_xlabel(run.words("good parts, thousand"))


def _cusum(run: RunData, ax: Axes, found: EnergyFigures) -> None:
    difference = np.cumsum([(kwh or 0) - expected for kwh, expected in zip(found.days["kwh"], found.expected_kwh, strict=True)]) / 1000
    ax.axhline(0, color=C["ink3"], lw=0.6)
    ax.plot(range(len(difference)), difference, color=C["petrol"], marker="o", ms=2.6)
    ax.set_xticks(range(len(difference)), day_labels(run, is_narrow=True))
    ax.set_title(run.words("CUSUM against baseline, MWh"))
