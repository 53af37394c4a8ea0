"""The page that is read by somebody with one minute: verdict, key figures, findings, what to decide, requirements."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from assets.reporting import measures
from assets.reporting.author import Report
from assets.reporting.blocks import plain
from assets.reporting.charts.energy import energy_figures
from assets.reporting.findings import Finding, findings, open_alerts
from assets.reporting.sections.opening import with_data

COVERAGE_REQUIRED = 0.995


@with_data
def summary(report: Report) -> None:
    """The whole page."""
    report.heading(report.t("Executive summary"))
    report.verdict(verdict(report))
    report.kpis(*key_figures(report))
    report.note(report.t("Lines: the days of the period; point: the last one. Definitions in the glossary."))
    _numbered(report, findings(report.run))
    _decisions(report)
    _requirements(report)


def verdict(report: Report) -> str:
    """One sentence: how the plant did, and what is still open."""
    run, t = report.run, report.t
    share = report.w.percent(run.hours.without_fault)
    if run.hours.without_fault is None:
        first = t("No machine was on and known in this period")
    elif len(run.keys) == 1:
        first = t("The machine ran **without a fault in {share} % of its known hours**", share=share)
    else:
        first = t("The plant ran **without a fault in {share} % of all known machine hours**", share=share)
    count = open_alerts(run).height
    second = t("no critical or high alert is open") if not count else t("one critical or high alert is still open") if count == 1 else t(
        "{count} critical or high alerts are still open", count=count
    )  # fmt: skip
    return f"{first}; {second}."


def key_figures(report: Report) -> list[dict[str, Any]]:
    """Availability, alerts, energy, coverage, each with its days and the period before."""
    run, t, w = report.run, report.t, report.w
    days = [measures.hours_of(day) for day in run.by_day]
    serious = sum(run.quality.by_severity[level] for level in ("critical", "high"))
    serious_before = sum(run.quality_before.by_severity[level] for level in ("critical", "high"))
    before = measures.hours_of(run.states_before).availability if run.had_data_before else None
    energy, energy_before = run.total_kwh, run.total_kwh_before
    return [
        _kpi(report, t("Availability"), w.percent(run.hours.availability), "%", [h.availability for h in days],
             _compare(report, w.percent(before) if before is not None else None, _points(report, run.hours.availability, before))),
        _kpi(report, t("Alerts, critical and high"), str(serious), t("of {count}", count=run.alerts.height), _alerts_by_day(report),
             _compare(report, str(serious_before) if run.had_data_before else None, w.signed(serious - serious_before, 0))),
        _kpi(report, t("Energy"), w.num(energy / 1000) if energy is not None else "—", "MWh" if energy is not None else "",
             [measures.energy_kwh(day.filter(~pl.col("device_id").is_in(list(run.metered)))) for day in run.by_day],
             _compare(report, w.num(energy_before / 1000) if energy_before else None,
                      w.signed((energy / energy_before - 1) * 100) + " %" if energy is not None and energy_before else "—")),
        _kpi(report, t("Data coverage"), w.percent(run.coverage_share, 2), "%",
             [1 - h.nodata / h.total if h.total else None for h in days],
             _compare(report, w.percent(run.coverage_before, 2) if run.coverage_before else None,
                      _points(report, run.coverage_share, run.coverage_before, 2))),
    ]  # fmt: skip


def _kpi(report: Report, label: str, value: str, unit: str, trend: Sequence[float | None], compare: str) -> dict[str, Any]:
    known = [number for number in trend if number is not None]
    item: dict[str, Any] = {"label": label, "value": value, "unit": unit, "compare": compare}
    if len(known) == len(report.run.days) > 1:
        item["trend"] = known
    return item


def _compare(report: Report, before: str | None, change: str) -> str:
    if before is None:
        return report.t("period before unknown")
    return report.t("period before {value}", value=before) + (f" · {change}" if change else "")


def _points(report: Report, now: float | None, before: float | None, places: int = 1) -> str:
    return "—" if now is None or before is None else report.w.signed((now - before) * 100, places)


def _alerts_by_day(report: Report) -> list[float | None]:
    serious = report.run.alerts.filter(pl.col("severity").is_in(["critical", "high"]))
    return [measures.within(serious, begin, end, "triggered_at").height for begin, end in report.run.days]


def _decisions(report: Report) -> None:
    """The open serious alerts: what was done about the same rule before is what history offers as advice."""
    run, t = report.run, report.t
    found = open_alerts(run).head(5)
    if not found.height:
        return
    rows = []
    for alert in found.iter_rows(named=True):
        earlier = run.all_alerts.filter((pl.col("rule_id") == alert["rule_id"]) & (pl.col("comment") != "")).sort("resolved_at")
        seen = plain(alert["acknowledged_by"]) if alert["acknowledged_at"] else t("nobody yet")
        rows.append(
            [
                {"mark": alert["severity"], "text": f"**{report.name(alert['device_id'])}** {plain(alert['title'])}"},
                run.when(alert["triggered_at"]),
                seen,
                plain(earlier["comment"][-1]) if earlier.height else None,
            ]
        )
    report.subhead(t("Needs a decision"))
    report.table(
        t("Open alert|Since|Acknowledged by|What was done last time"), "llll", "1.3fr 32mm 30mm 1fr", rows, size=8, pad=4.0, valign="top"
    )


def _requirements(report: Report) -> None:
    """Limits of this type of report against what was measured."""
    run, t, w, quality = report.run, report.t, report.w, report.run.quality
    has_alerts = run.alerts.height > 0
    alarm = "@tbl-isa" if has_alerts else t("no alerts")
    rows = [
        _requirement(report, t("Monitoring is complete"), f"≥ {w.fixed(99.5, 1)} %", f"{w.percent(run.coverage_share, 2)} %",
                     run.coverage_share is not None and run.coverage_share >= COVERAGE_REQUIRED, "@fig-quality"),
        _share_requirement(report, t("Critical alerts acknowledged in 10 min"), "100 %", quality.acknowledged_in_time["critical"], 1.0, alarm),
        _share_requirement(report, t("High alerts acknowledged in 30 min"), "≥ 90 %", quality.acknowledged_in_time["high"], 0.9, alarm),
        _requirement(report, t("Alarm load (ISA-18.2)"), t("≤ 6 per h"), t("{rate} per h", rate=w.num(quality.per_hour)), quality.per_hour <= 6, alarm),
        _requirement(report, t("Most alerts in 10 minutes"), "≤ 10", str(quality.most_in_10_min), quality.most_in_10_min <= 10, alarm),
    ]  # fmt: skip
    found = energy_figures(run)
    expected = sum(found.expected_kwh)
    if found.baseline and expected:
        used = sum(kwh or 0 for kwh in found.days["kwh"])
        change = (used / expected - 1) * 100
        rows.append(
            _requirement(report, t("Energy against baseline (ISO 50001)"), "≤ +2 %", f"{w.signed(change)} %", change <= 2, "@fig-energy")
        )
    report.subhead(t("Requirements at a glance"))
    report.table(t("Requirement|Limit|Measured|Verdict|Where"), "lrrll", "1fr 22mm 28mm 34mm 22mm", rows, size=8, pad=3.7, gap=[3])


def _requirement(report: Report, what: str, limit: str, measured: str, is_met: bool, where: str) -> list[Any]:  # noqa: FBT001  # a verdict
    mark = {"mark": "good", "text": report.t("met")} if is_met else {"mark": "high", "text": f"**{report.t('not met')}**"}
    return [what, limit, measured, mark, where]


def _share_requirement(report: Report, what: str, limit: str, share: float | None, least: float, where: str) -> list[Any]:
    if share is None:
        return [what, limit, "—", {"mark": "unknown", "text": report.t("none raised")}, where]
    return _requirement(report, what, limit, f"{report.w.percent(share, 0)} %", share >= least, where)


@with_data
def machines(report: Report) -> None:
    """The first page of the weekly equipment report."""
    report.heading(report.t("Summary"))
    report.verdict(verdict(report))
    report.kpis(*key_figures(report))
    _numbered(report, findings(report.run, with_alarm_quality=False))
    _decisions(report)


@with_data
def energy(report: Report) -> None:
    """The first page of the energy report."""
    run, t, w = report.run, report.t, report.w
    found = energy_figures(run)
    report.heading(t("Summary"))
    if run.total_kwh is None:
        report.verdict(t("No machine of this report measures its power: **energy is not monitored**."))
        return
    used, before, expected = run.total_kwh, run.total_kwh_before, sum(found.expected_kwh)
    change = f" ({w.signed((used / before - 1) * 100)} %)" if before else ""
    text = t(
        "The plant used **{used} MWh**{change}; the highest demand was {peak} kW.",
        used=w.num(used / 1000),
        change=change,
        peak=w.num(found.peak_kw),
    )
    if expected:
        text += " " + t("Against the baseline that is {difference} %.", difference=w.signed((used / expected - 1) * 100))
    report.verdict(text)
    parts = sum(p for p in found.days["parts"] if p is not None)
    unknown = t("period before unknown")
    report.kpis(
        key_figures(report)[2],
        {"label": t("Peak demand, 15 min"), "value": w.num(found.peak_kw), "unit": "kW", "compare": w.at(found.peak_at) if found.peak_at else "—"},
        {"label": t("Energy per thousand good parts"), "value": w.num(used / parts * 1000) if parts else "—", "unit": "kWh" if parts else "",
         "compare": t("{count} good parts", count=w.fixed(parts, 0)) if parts else t("no counter")},
        {"label": t("Against the baseline"), "value": w.signed((used / expected - 1) * 100) if expected else "—", "unit": "%" if expected else "",
         "compare": t("R² {r2}, {days} days", r2=w.fixed(found.baseline.r_squared, 2), days=found.baseline.days) if found.baseline else unknown},
    )  # fmt: skip


@with_data
def alarms(report: Report) -> None:
    """The first page of the alarm review."""
    run, t, w, q, before = report.run, report.t, report.w, report.run.quality, report.run.quality_before
    report.heading(t("Summary"))
    text = t("**{count} alerts**, {rate} per hour", count=q.total, rate=w.num(q.per_hour))
    handled = t("one operator can handle that") if q.per_hour <= 6 and q.most_in_10_min <= 10 else t("more than one operator can handle")
    report.verdict(f"{text}: {handled}.")
    old = lambda value: _compare(report, value if run.had_data_before else None, "")  # noqa: E731  # one line, used four times
    seen, late = q.acknowledged_in_time["critical"], q.acknowledged_in_time["high"]
    report.kpis(
        {"label": t("Alerts per hour"), "value": w.num(q.per_hour), "unit": "", "compare": old(w.num(before.per_hour))},
        {"label": t("Most alerts in 10 minutes"), "value": str(q.most_in_10_min), "unit": "", "compare": old(str(before.most_in_10_min))},
        {"label": t("Critical acknowledged in 10 min"), "value": w.percent(seen, 0), "unit": "%" if seen is not None else "",
         "compare": old(w.percent(before.acknowledged_in_time["critical"], 0))},
        {"label": t("High acknowledged in 30 min"), "value": w.percent(late, 0), "unit": "%" if late is not None else "",
         "compare": old(w.percent(before.acknowledged_in_time["high"], 0))},
    )  # fmt: skip
    _numbered(report, [f for f in findings(run, most=6) if "tbl-plant" not in f.evidence])
    _decisions(report)


def _numbered(report: Report, found: Sequence[Finding]) -> None:
    report.subhead(report.t("Findings"))
    for number, finding in enumerate(found[:3], start=1):
        report.finding(number, finding.severity, finding.title, finding.body, finding.evidence)
    if not found:
        report.text(report.t("Nothing stands out: no open critical or high alert, no long gap, no rule that fires too often."))
