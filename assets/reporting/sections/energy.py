"""Energy by machine, area and day, against output and baseline (ISO 50001, ISO 50006)."""

from typing import Any

import numpy as np
import polars as pl

from assets.reporting.author import Report
from assets.reporting.blocks import plain
from assets.reporting.charts.energy import EnergyFigures, energy, energy_figures
from assets.reporting.sections.opening import with_data


@with_data
def energy_section(report: Report, *, new: bool = True) -> None:
    """The whole section; says so when nothing measures power."""
    run, t, w = report.run, report.t, report.w
    report.heading(t("Energy"), new=new)
    if run.total_kwh is None:
        report.empty(t("Not monitored"), t("No machine of this report measures its power, so nothing can be said about energy."))
        return
    found = energy_figures(run)
    used, expected = run.total_kwh, sum(found.expected_kwh)
    if expected:
        change = (used / expected - 1) * 100
        report.lead(
            t(
                "The plant used {used} MWh, {change} % against what the baseline expects for its output.",
                used=w.num(used / 1000),
                change=w.signed(change),
            )
        )
    else:
        report.lead(
            t(
                "The plant used {used} MWh. There is no baseline: it needs ten whole days with a counter of good parts.",
                used=w.num(used / 1000),
            )
        )
    _chart(report, found)
    indicators(report)
    _where(report)
    _by_day(report, found)


def _chart(report: Report, found: EnergyFigures) -> None:
    t, w, base = report.t, report.w, found.baseline
    peak = t("The highest quarter of an hour drew {peak} kW", peak=w.num(found.peak_kw))
    when = t(" on {when}", when=w.at(found.peak_at)) if found.peak_at else ""
    note = None
    alt = t("Demand by quarter of an hour with a peak of {peak} kilowatts.", peak=w.num(found.peak_kw))
    if base is not None:
        note = t("Baseline (ISO 50006): daily energy = {base} MWh + {slope} kWh per good part, from {days} days before the period, R² {r2}. Grey: those days; petrol: this period.",
                 base=w.num(base.base_kwh / 1000), slope=w.num(base.kwh_per_part), days=base.days, r2=w.fixed(base.r_squared, 2))  # fmt: skip
        alt += " " + t("Daily energy against output with the baseline, and the running difference from it.")
    else:
        alt += " " + t("Energy by day.")
    report.figure(energy(report.run), peak + when, alt, "fig-energy", note)


def indicators(report: Report) -> None:
    """Energy performance indicators against the period before."""
    run, t, w = report.run, report.t, report.w
    found = energy_figures(run)
    hours = (run.end - run.start).total_seconds() / 3600
    used, before = run.total_kwh or 0.0, run.total_kwh_before
    parts = sum(p for p in found.days["parts"] if p is not None)
    low = float(np.quantile(found.demand["kw"].to_numpy(), 0.05)) if found.demand.height else None
    rows: list[Any] = [
        [t("Energy"), "MWh", w.num(used / 1000), w.num(before / 1000 if before else None), f"{w.signed((used / before - 1) * 100)} %" if before else "—"],
        [t("Mean demand"), "kW", w.num(used / hours), w.num(before / hours if before else None), f"{w.signed((used / before - 1) * 100)} %" if before else "—"],
        [t("Peak demand, 15 min"), "kW", w.num(found.peak_kw), "—", "—"],
        [t("Base load, 5th percentile"), "kW", w.num(low), "—", "—"],
    ]  # fmt: skip
    if parts:
        rows.append([t("Energy per thousand good parts"), "kWh", w.num(used / parts * 1000), _per_part_before(report, found), "—"])
    report.heading(t("Energy performance indicators"), 2)
    report.table(
        t("Indicator|Unit|This period|Before|Change"),
        "llrrr",
        "1fr 18mm 28mm 28mm 24mm",
        rows,
        t("Indicators of the period"),
        "tbl-enpi",
        size=7.8,
    )


def _per_part_before(report: Report, found: EnergyFigures) -> str:
    known = found.reference.drop_nulls().filter(pl.col("day") >= report.run.previous_start)
    parts = float(known["parts"].sum())
    return report.w.num(float(known["kwh"].sum()) / parts * 1000 if parts else None)


def _where(report: Report) -> None:
    run, t, w = report.run, report.t, report.w
    total = run.total_kwh or 1.0
    areas = {area: sum(run.energy.get(d) or 0 for d in devices if d not in run.metered) for area, devices in run.areas.items()}
    report.heading(t("Where and when"), 2)
    if len(areas) > 1:
        rows: list[Any] = [
            [plain(area) or t("No area"), w.num(kwh / 1000), {"bar": kwh / total}, w.percent(kwh / total)]
            for area, kwh in sorted(areas.items(), key=lambda item: -item[1]) if kwh
        ]  # fmt: skip
        rows.append({"total": [t("Sum"), w.num(total / 1000), "", "100"]})
        report.table(t("Area|Energy MWh|Share|Share %"), "lrlr", "1fr 30mm 34mm 24mm", rows, t("By area"), "tbl-area", size=7.8)
    known = {d: kwh for d, kwh in run.energy.items() if kwh and d not in run.metered}
    top = sorted(known, key=lambda d: -known[d])[:12]
    rows = [
        [
            f"**{report.name(d)}**",
            plain(run.device_rows[d]["kind"]),
            w.num(known[d] / 1000),
            {"bar": known[d] / total},
            w.percent(known[d] / total),
        ]
        for d in top
    ]
    caption = t("The {count} machines that use most", count=len(top)) if len(known) > len(top) else t("By machine")
    report.table(t("Machine|Kind|Energy MWh|Share|Share %"), "llrlr", "38mm 1fr 26mm 34mm 20mm", rows, caption, "tbl-users", size=7.8)


def _by_day(report: Report, found: EnergyFigures) -> None:
    t, w = report.t, report.w
    if not 1 < found.days.height <= 31:
        return
    expected: list[float | None] = [*found.expected_kwh] or [None] * found.days.height
    rows = [
        [w.day(row["day"]), w.num((row["kwh"] or 0) / 1000), w.fixed(row["parts"], 0) if row["parts"] is not None else None,
         w.num(row["kwh"] / row["parts"] * 1000) if row["kwh"] and row["parts"] else None,
         w.num(e / 1000) if e is not None else None, f"{w.signed((row['kwh'] / e - 1) * 100)} %" if e and row["kwh"] else None]
        for row, e in zip(found.days.iter_rows(named=True), expected, strict=True)
    ]  # fmt: skip
    report.table(
        t("Day|Energy MWh|Good parts|kWh per thousand|Baseline MWh|Difference"),
        "lrrrrr",
        "24mm 1fr 1fr 1fr 1fr 1fr",
        rows,
        t("By day"),
        "tbl-days",
        size=7.8,
    )
