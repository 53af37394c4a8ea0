"""The alert register, and how good the alarm system is (ISA-18.2, IEC 62682)."""

from typing import Any

import polars as pl

from assets.reporting.author import Report
from assets.reporting.blocks import plain
from assets.reporting.charts.alarms import alarm_quality, alert_clock, frequent
from assets.reporting.sections.opening import with_data
from warehouse.queries.alarm_quality import AlarmQuality
from warehouse.terms import SEVERITIES

MOST_ROWS = 120
MOST_STANDING = 30
LONGEST_MESSAGE = 90


@with_data
def register(report: Report, *, all_severities: bool = False, new: bool = True) -> None:
    """All alerts on one clock; the serious ones, or all, in order of time."""
    run, t, q = report.run, report.t, report.run.quality
    report.heading(t("Alert register"), new=new)
    if not run.alerts.height:
        report.empty(
            t("No alerts"),
            t(
                "No rule raised an alert in this period, while machines were heard in {share} % of it.",
                share=report.w.percent(run.coverage_share, 2),
            ),
        )
        _standing(report)
        return
    counts = ", ".join(
        f"{q.by_severity[level]} {t(word)}" for level, word in zip(SEVERITIES, ("critical", "high", "medium", "low"), strict=True)
    )
    report.lead(t("{count} alerts were raised: {counts}.", count=run.alerts.height, counts=counts))
    alt = t(
        "Dot plot of {count} alerts by severity over the period; at most {flood} within ten minutes.",
        count=run.alerts.height,
        flood=q.most_in_10_min,
    )
    report.figure(alert_clock(run), _clock_caption(report), alt, "fig-clock")
    shown = run.alerts if all_severities else run.alerts.filter(pl.col("severity").is_in(["critical", "high"]))
    if not shown.height:
        report.text(t("None of them was critical or high; all are in the sheet “Alerts” of the Excel file."))
    else:
        caption = t("All alerts, in order of time") if all_severities else t("Critical and high alerts, in order of time")
        if shown.height > MOST_ROWS:
            caption = t("The first {shown} of {count} alerts, in order of time", shown=MOST_ROWS, count=shown.height)
        note = t("“—” as cause: none was written. Medium and low alerts: sheet “Alerts” of the Excel file.") if not all_severities else None
        report.table(t("No.|Raised|Severity|Machine|Alert and message|Acknowledged after|Resolved after|Cause or action"), "llllllll",
                     "11mm 21mm 16mm 18mm 2fr 22mm 20mm 1.3fr", [_alert(report, row) for row in shown.head(MOST_ROWS).iter_rows(named=True)],
                     caption, "tbl-register", note=note, size=7.2, pad=1.9, valign="top")  # fmt: skip
    _standing(report)


def _clock_caption(report: Report) -> str:
    q = report.run.quality
    if q.most_in_10_min > 10:
        return report.t("A flood of {count} alerts within ten minutes; the rest on one clock", count=q.most_in_10_min)
    return report.t("All alerts on one clock; never more than {count} within ten minutes", count=q.most_in_10_min)


def _alert(report: Report, row: dict[str, Any]) -> list[Any]:
    t, w, end = report.t, report.w, report.run.end
    after = lambda moment: w.span((moment - row["triggered_at"]).total_seconds() / 60)  # noqa: E731  # one line, used twice
    seen = {"two": [after(row["acknowledged_at"]), plain(row["acknowledged_by"])]} if row["acknowledged_at"] else None
    if row["resolved_at"] is None or row["resolved_at"] >= end:
        over: Any = {"two": [f"**{t('open')}**", t("at end of period")]}
    else:
        over = {"two": [after(row["resolved_at"]), plain(row["resolved_by"]) or "—"]}
    return [
        f"A-{row['alert_id']}", w.at(row["triggered_at"]), {"sev": row["severity"]}, report.name(row["device_id"]),
        {"two": [plain(row["title"]), plain(_cut(row["message"]))]}, seen, over, plain(row["comment"]) if row["comment"] else None,
    ]  # fmt: skip


def _standing(report: Report) -> None:
    """Alerts from before the period that still stood when it began."""
    run, t = report.run, report.t
    found = run.all_alerts.filter(
        (pl.col("triggered_at") < run.start) & (pl.col("resolved_at").is_null() | (pl.col("resolved_at") >= run.start))
    ).sort(pl.col("severity").replace_strict({level: i for i, level in enumerate(SEVERITIES)}, return_dtype=pl.Int8), "triggered_at")
    if not found.height:
        return
    rows = [
        [f"A-{row['alert_id']}", report.w.stamp(row["triggered_at"]), {"sev": row["severity"]}, report.name(row["device_id"]),
         {"two": [plain(row["title"]), plain(_cut(row["message"]))]}, plain(row["acknowledged_by"]) or "—",
         report.w.stamp(row["resolved_at"]) if row["resolved_at"] and row["resolved_at"] < run.end else f"**{t('open')}**"]
        for row in found.head(MOST_STANDING).iter_rows(named=True)
    ]  # fmt: skip
    caption = t("Already open when the period began ({count})", count=found.height)
    if found.height > MOST_STANDING:
        caption = t("The first {shown} of {count} alerts that were open when the period began", shown=MOST_STANDING, count=found.height)
    report.table(t("No.|Raised|Severity|Machine|Alert and message|Acknowledged by|Resolved"), "lllllll", "12mm 32mm 17mm 22mm 1fr 26mm 32mm",
                 rows, caption, "tbl-standing", size=7.2, pad=1.9, valign="top")  # fmt: skip


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"


@with_data
def quality(report: Report, *, new: bool = True) -> None:
    """Measures against targets, the most frequent alerts, time to acknowledge."""
    run, t, w, q, before = report.run, report.t, report.w, report.run.quality, report.run.quality_before
    report.heading(t("Alarm quality"), new=new and run.alerts.height > 0)
    if not run.alerts.height:
        report.empty(
            t("Nothing to measure"),
            t("Without alerts there is no alarm load. Whether the rules watch the right things cannot be told from this."),
        )
        return
    report.lead(_quality_lead(report))
    rows = [
        [t("Alerts per hour, mean"), w.num(q.per_hour), _old(report, w.num(before.per_hour)), "≤ 6", _verdict(report, is_met=q.per_hour <= 6)],
        [t("Most alerts in 10 minutes"), str(q.most_in_10_min), _old(report, str(before.most_in_10_min)), "≤ 10", _verdict(report, is_met=q.most_in_10_min <= 10)],
        [t("Critical / high / medium or low, %"), _split(report, q), _old(report, _split(report, before)), "≤ 5 / 15 / ≥ 80", _verdict(report, is_met=_is_balanced(q))],
        [t("Share of the ten most frequent, %"), w.percent(q.top_ten_share), _old(report, w.percent(before.top_ten_share)), "≤ 30", _verdict(report, is_met=(q.top_ten_share or 0) <= 0.3)],
        [t("Standing longer than 24 h at the end"), str(q.standing), _old(report, str(before.standing)), "≤ 5", _verdict(report, is_met=q.standing <= 5)],
        [t("Chattering (3 times in 10 min)"), str(len(q.chattering)), _old(report, str(len(before.chattering))), "0", _verdict(report, is_met=not q.chattering)],
        [t("Critical acknowledged in 10 min, %"), w.percent(q.acknowledged_in_time["critical"], 0), _old(report, w.percent(before.acknowledged_in_time["critical"], 0)), "100", _share(report, q.acknowledged_in_time["critical"], 1)],
        [t("High acknowledged in 30 min, %"), w.percent(q.acknowledged_in_time["high"], 0), _old(report, w.percent(before.acknowledged_in_time["high"], 0)), "≥ 90", _share(report, q.acknowledged_in_time["high"], 0.9)],
    ]  # fmt: skip
    note = t(
        "Targets: ISA-18.2 and IEC 62682 for one operator; times to acknowledge: house rule. An alert that was resolved first counts as acknowledged then."
    )
    report.table(t("Measure (ISA-18.2, IEC 62682)|This period|Before|Target|Verdict"), "lrrrl", "1fr 29mm 29mm 28mm 28mm", rows,
                 t("Alarm system performance"), "tbl-isa", size=7.8, gap=[4], note=note)  # fmt: skip
    top = frequent(run)
    alt = t(
        "Left: the most frequent alerts, led by {name} with {count}. Right: time to acknowledge each alert by severity on a logarithmic scale.",
        name=top[0][0],
        count=top[0][1],
    )
    note = t(
        "Right: one sign per alert; bar: median; dotted: target (10 min, 30 min, 4 h, 8 h). Neither acknowledged nor resolved: {count}.",
        count=q.never_acknowledged,
    )
    caption = t("{name} fires most often: {count} of {all}", name=plain(top[0][0]), count=top[0][1], all=run.alerts.height)
    report.figure(alarm_quality(run), caption, alt, "fig-alarm", note)


def _old(report: Report, text: str) -> str:
    return text if report.run.had_data_before else "—"


def _quality_lead(report: Report) -> str:
    t, q = report.t, report.run.quality
    load = (
        t("The load is easy to handle.")
        if q.per_hour <= 6 and q.most_in_10_min <= 10
        else t("The load is higher than one operator can handle.")
    )
    shape = (
        t("Priorities keep their meaning.")
        if _is_balanced(q)
        else t("Too many alerts are critical or high for the words to keep their meaning.")
    )
    return f"{load} {shape}"


def _parts(q: AlarmQuality) -> tuple[float, float, float]:
    whole = q.total or 1
    return q.by_severity["critical"] / whole, q.by_severity["high"] / whole, (q.by_severity["medium"] + q.by_severity["low"]) / whole


def _is_balanced(q: AlarmQuality) -> bool:
    critical, high, _ = _parts(q)
    return critical <= 0.05 and high <= 0.15


def _split(report: Report, q: AlarmQuality) -> str:
    return " / ".join(report.w.fixed(part * 100, 1) for part in _parts(q)) if q.total else "—"


def _verdict(report: Report, *, is_met: bool) -> dict[str, str]:
    return {"mark": "good", "text": report.t("met")} if is_met else {"mark": "medium", "text": report.t("missed")}


def _share(report: Report, share: float | None, least: float) -> dict[str, str]:
    return {"mark": "unknown", "text": report.t("none raised")} if share is None else _verdict(report, is_met=share >= least)


@with_data
def rules(report: Report) -> None:
    """Every active rule and how often it fired: those that never do, and those that do too often."""
    run, t = report.run, report.t
    report.heading(t("Rules"), new=False)
    fired = dict(run.alerts.group_by("rule_id").len().iter_rows())
    open_now = dict(run.alerts.filter(pl.col("resolved_at").is_null()).group_by("rule_id").len().iter_rows())
    known = run.frame("rules").filter(pl.col("is_active")).iter_rows(named=True)
    rows = [
        [plain(rule["name"]), {"sev": rule["severity"]}, str(len(rule["device_ids"]) or len(run.keys)), str(fired.get(rule["rule_id"], 0)),
         str(open_now.get(rule["rule_id"], 0)) if open_now.get(rule["rule_id"]) else None, None if rule["rule_id"] in fired else t("never fired in this period")]
        for rule in sorted(known, key=lambda rule: -fired.get(rule["rule_id"], 0))
    ]  # fmt: skip
    if not rows:
        report.empty(t("No rules"), t("This factory has no active rule: nothing could raise an alert."))
        return
    report.table(
        t("Rule|Severity|Machines|Alerts|Open|Remark"),
        "llrrrl",
        "1fr 20mm 18mm 16mm 14mm 44mm",
        rows,
        t("Active rules and how often they fired"),
        "tbl-rules",
        gap=[5],
    )
