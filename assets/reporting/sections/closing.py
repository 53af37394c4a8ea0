"""Analytics, changes of rules and machines, glossary, and the raw data extract."""

from typing import Any

import polars as pl

from assets.reporting.author import Report
from assets.reporting.blocks import plain
from assets.reporting.charts.telemetry import COUNTERS
from assets.reporting.sections.opening import with_data
from warehouse.terms import ANALYSIS_HEADLINE

MOST_COLUMNS = 8


@with_data
def insights(report: Report) -> None:
    """Results of the analysis that was ordered with the report; without one it says so."""
    run, t = report.run, report.t
    report.heading(t("Analytics insights"), new=False)
    found = run.frame("analysis")
    if not found.height:
        why = (
            t("This report was ordered with analytics, but there is no finished analysis of these machines and this period.")
            if run.facts["include_analytics"]
            else t("This report was ordered without analytics. Anomalies, failure risk and energy forecast are not part of it.")
        )
        report.empty(t("Not monitored"), why)
        return
    report.lead(t("The models are advice: no limit, state or alert in this report depends on them."))
    names = {
        "anomaly": t("Anomalies"), "failure_prediction": t("Failure risk"), "energy_forecast": t("Energy forecast"), "ai_copilot": t("Explanations"),
    }  # fmt: skip
    rows: list[Any] = []
    for (kind, job), facts in found.group_by("job_type", "job_id", maintain_order=True):
        rows.append({"group": names.get(str(kind), plain(kind)), "note": f"`{plain(job)}`"})
        rows += [_fact(report, fact, value) for fact, value in facts.select("fact", "value").iter_rows()]
    report.table(t("Fact|Value"), "ll", "60mm 1fr", rows, t("The analyses and what they found"), "tbl-analysis", size=7.6, valign="top")


def _fact(report: Report, fact: str, value: str) -> list[str]:
    """A row; what the analysis says in one sentence stands out."""
    name, text = plain(report.t(fact)), plain(value)
    return [f"**{name}**", f"**{text}**"] if fact == ANALYSIS_HEADLINE else [name, text]


@with_data
def changes(report: Report) -> None:
    """Every change of a rule, machine or parameter in the period that could alter a number."""
    run, t, w = report.run, report.t, report.w
    found = run.frame("changes")
    report.heading(t("Changes of rules and machines in the period"), new=False)
    if not found.height:
        report.text(t("None: the audit trail holds no change of a rule, machine or parameter in this period."))
        return
    rows = [
        [w.at(row["happened_at"]), plain(row["action"]), plain(row["target"]), _short(row["before"]), _short(row["after"]), plain(row["person"]) or "—", plain(row["reason"]) or None]
        for row in found.head(60).iter_rows(named=True)
    ]  # fmt: skip
    report.table(t("When|What|Which|Before|After|By|Reason"), "lllllll", "22mm 24mm 18mm 1fr 1fr 22mm 26mm", rows,
                 t("Every change that could alter a number of this report"), "tbl-log", size=7.4, valign="top")  # fmt: skip


def _short(text: str, most: int = 80) -> str | None:
    return plain(text if len(text) <= most else text[: most - 1] + "…") if text else None


@with_data
def glossary(report: Report) -> None:
    """How each figure is computed, and after which standard."""
    t = report.t
    report.heading(t("Glossary and formulas"), new=False)
    rows = [
        [t("Availability"), t("running ÷ (running + idle + fault), in machine hours"), "ISO 22400-2"],
        [t("Without a fault"), t("1 − fault ÷ (running + idle + fault)"), t("house rule")],
        [t("Coverage"), t("share of the period without a silence longer than {minutes} minutes, mean of the machines", minutes=f"{report.run.facts['offline_after_minutes']:g}"), t("house rule")],
        [t("Running, idle, off"), t("mean power of the quarter of an hour against the 90th percentile of this and the period before: 35 % and more, 3 to 35 %, less"), t("house rule")],
        [t("Health"), t("100 − 22 per critical − 7 per high − 0.8 per medium − 0.3 per low alert raised in the period, at least 0"), t("house rule")],
        [t("Energy"), t("integral of measured power by the trapezoidal rule; steps longer than 5 minutes count as nothing; energy meters are left out of sums"), "ISO 50001"],
        [t("Energy baseline"), t("least squares of daily energy on daily good parts over up to 28 days before the period"), "ISO 50006"],
        ["CUSUM", t("running sum of energy less baseline; falling means saving"), "ISO 50006"],
        [t("Flood"), t("more than 10 alerts within 10 minutes"), "ISA-18.2"],
        [t("Chattering"), t("the same alert 3 times or more within 10 minutes"), "ISA-18.2"],
    ]  # fmt: skip
    report.table(t("Term|How it is computed|Source"), "lll", "34mm 1fr 30mm", rows, size=7.6, pad=2.6, valign="top")


@with_data
def appendix(report: Report) -> None:
    """The first reading of every hour of the machine with the weightiest alerts, and where the rest is."""
    run, t, w = report.run, report.t, report.w
    report.block("appendix")
    report.heading(t("Raw data extract"))
    extract = run.frame("extract")
    if run.detail and extract.height:
        device = run.detail[0]
        names = {
            row["parameter"]: (row["name"], row["unit"])
            for row in run.parameters.filter(pl.col("device_id") == device).iter_rows(named=True)
        }
        keys = [key for key in names if key in set(extract["parameter"].unique()) and key not in COUNTERS][:MOST_COLUMNS]
        report.lead(t("The first reading of every hour of {machine}. All {count} readings of the report are in the lake and in its files.",
                      machine=report.name(device), count=w.fixed(run.facts["readings"], 0)))  # fmt: skip
        columns = "|".join([t("Time"), *(plain(t(names[key][0])) + (f" {plain(names[key][1])}" if names[key][1] else "") for key in keys)])
        rows: list[Any] = []
        for (hour,), part in extract.group_by("hour", maintain_order=True):
            values = dict(part.select("parameter", "value").iter_rows())
            rows.append([f"{w.local(part['ts'].min()):%Y-%m-%d %H:%M:%S}", *(_value(report, values.get(key)) for key in keys)])  # type: ignore[arg-type]  # a moment
            del hour
        caption = t("{machine}, hourly extract ({count} rows)", machine=report.name(device), count=len(rows))
        report.table(columns, "l" + "r" * len(keys), " ".join(["32mm"] + ["1fr"] * len(keys)), rows, caption, "tbl-raw", size=7.0, pad=2.2)
    files(report)


def _value(report: Report, value: float | None) -> str | None:
    return None if value is None else report.w.fixed(value, 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2)


def files(report: Report) -> None:
    """The inputs of this run with their digests, so that each can be checked by itself; then the report is over."""
    t, w = report.t, report.w
    report.heading(t("Inputs of this run"), 2)
    rows = [
        [f"`{name}`", w.fixed(frame["rows"], 0), f"`{' '.join(frame['sha256'][i : i + 4] for i in range(0, 16, 4))}`"]
        for name, frame in report.run.facts["frames"].items()
    ]
    versions = ", ".join(f"{name} {number}" for name, number in report.run.facts["versions"].items())
    report.table(t("Frame|Rows|SHA-256, first 16"), "lrl", "44mm 30mm 1fr", rows, t("Every table of data that this report was made from"), "tbl-frames",
                 size=7.4, gap=[2], note=t("Made with {versions}.", versions=versions))  # fmt: skip
    report.callout(
        t("End of report"),
        t(
            "Corrections appear as a new run with its own number. The unsigned rendering can be made again from the snapshot: `factoryops report reproduce {id}`.",
            id=plain(report.run.facts["report_id"]),
        ),
    )


@with_data
def inputs(report: Report) -> None:
    """The inputs alone, for reports without an extract."""
    report.block("appendix")
    report.heading(report.t("Origin of the numbers"))
    files(report)
