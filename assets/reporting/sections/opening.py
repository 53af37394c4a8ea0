"""Cover, contents, how to read the report; and the whole report of a period without data."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec

from assets.reporting.author import Report, period_text
from assets.reporting.blocks import plain
from assets.reporting.charts.plant import state_strip
from assets.reporting.places import TEMPLATE_VERSION

More = ParamSpec("More")


def with_data(section: Callable[Concatenate[Report, More], None]) -> Callable[Concatenate[Report, More], None]:
    """A section that is left out of a report without data: `nothing` says all there is to say then."""

    @wraps(section)
    def guarded(report: Report, /, *args: More.args, **more: More.kwargs) -> None:
        if report.run.has_data:
            section(report, *args, **more)

    return guarded


def run_facts(report: Report) -> list[list[str]]:
    """Where the numbers come from, and how to check that."""
    facts, t = report.run.facts, report.t
    digest = facts["data_sha256"]
    versions = (
        f"FactoryOps {facts['versions']['factoryops']} · {t('template')} {TEMPLATE_VERSION} · {t('notebook')} `{facts['report_type']}`"
    )
    readings = report.w.fixed(facts["readings"], 0)
    snapshot = t("read {when} · {machines} machines, {readings} readings", when=report.w.stamp(report.run.prepared_at),
                 machines=len(report.run.keys), readings=readings)  # fmt: skip
    return [
        [t("Report run"), f"`{plain(facts['run'])}` · {versions}"],
        [t("Lake snapshot"), f"`ducklake {facts['snapshot_id']}` · {snapshot}"],
        [t("Data digest, SHA-256"), "`" + " ".join(digest[i : i + 8] for i in range(0, 64, 8)) + "`"],
        [t("How to verify"), t("`factoryops report verify FILE`, or the page Reports: checks the seal, the ledger and this file")],
    ]


@with_data
def cover(report: Report) -> None:
    """Factory, period, what the plant did at a glance, signatures, origin of the data."""
    run, t = report.run, report.t
    hours = run.hours
    report.block(
        "cover",
        report=plain(run.facts["title"]),
        factory=run.facts["factory"]["name"],
        period=period_text(run, long=True),
        strip=t("Every machine in every quarter of an hour: one row per machine ({count}). Grey is normal.", count=len(run.keys)),
        svg=state_strip(run),
        alt=t(
            "Strip chart of {count} machines over the period: running {running} %, idle {idle} %, off {off} %, fault {fault} %, no data {nodata} % of all machine hours.",
            count=len(run.keys), **{state: report.w.percent(share) for state, share in zip(("running", "idle", "off", "fault", "nodata"), hours.shares, strict=True)},
        ),
        rows=None,
        facts=run_facts(report),
        **_logo(report),
        **{"class": _class(report)},
    )  # fmt: skip


def _class(report: Report) -> str:
    until, t = report.run.facts["keep_until"], report.t
    kept = " · " + t("kept until {date}", date=report.w.date(datetime.fromisoformat(until))) if until else ""
    return t("Confidential") + kept


def _logo(report: Report) -> dict[str, str]:
    found = report.run.frame("logo")
    if not found.height:
        return {}
    return {"logo_png": found["base64"][0], "logo_alt": report.t("Logo of {factory}", factory=report.run.facts["factory"]["name"])}


@with_data
def contents(report: Report) -> None:
    """Contents with page numbers, lists of figures and tables, and how to read signs and numbers."""
    t = report.t
    report.block("contents", text=t("Contents"))
    report.block("lists")
    report.subhead(t("How to read this report"))
    rows = [
        [{"sev": "critical"}, t("Danger to people, product or machine; act now"), t("acknowledged in 10 min")],
        [{"sev": "high"}, t("Will become critical or stops a machine; act in this shift"), t("acknowledged in 30 min")],
        [{"sev": "medium"}, t("Not normal; plan the work"), t("acknowledged in 4 h")],
        [{"sev": "low"}, t("To be known"), t("none")],
    ]
    report.table(t("Sign|Meaning|Response expected"), "lll", "26mm 1fr 50mm", rows, size=8)
    report.block("legend")
    report.text(
        t(
            "Colour is used for what is not normal; every colour comes with a shape and a word, so the report can be printed in grey. "
            "Times are factory time on the 24-hour clock; a day runs from 00:00 to 24:00. Numbers have three significant digits; "
            "“—” means none or unknown and is never a zero. “The period before” has the same length and ends where this one begins."
        )
    )


def nothing(report: Report) -> None:
    """All that can be said when not one reading arrived."""
    run, t = report.run, report.t
    if run.has_data:
        return
    report.block("title", text=plain(run.facts["title"]))
    report.verdict(t("No statement about this period is possible: **not one reading arrived** from {count} machines.", count=len(run.keys)))
    unknown = {"value": "—", "unit": "", "compare": t("unknown")}
    report.kpis(
        {"label": t("Availability"), **unknown},
        {"label": t("Alerts, critical and high"), **unknown},
        {"label": t("Energy"), **unknown},
        {"label": t("Data coverage"), "value": "0", "unit": "%", "compare": _before(report)},
    )
    why = (
        t("This factory has no machines yet. They appear by themselves when they send their first message.")
        if not run.keys
        else t("No machine of this report was heard between {start} and {end}. Machines may have run: this report does not know.",
               start=report.w.stamp(run.start), end=report.w.stamp(run.end))
    )  # fmt: skip
    report.empty(t("Why there is nothing"), why)
    rows = [
        [t("Plant overview, {count} machines", count=len(run.keys)), t("states of all hours")],
        [t("Telemetry"), t("every reading")],
        [t("Alert register"), t("rules could not be evaluated; {count} alerts were raised all the same", count=run.alerts.height)],
        [t("Energy"), t("meter readings")],
    ]
    report.table(
        t("Part of the report|What is missing"), "ll", "60mm 1fr", rows, t("What this report cannot show"), "tbl-missing", size=8, pad=3.4
    )
    report.callout(
        t("Consequence"),
        t(
            "The period counts as **not monitored**, not as “no alerts”. If your permit demands continuous monitoring, tell the authority within its time limit."
        ),
    )
    report.block("signatures", rows=None)
    report.block("facts", rows=run_facts(report))


def _before(report: Report) -> str:
    share = report.run.coverage_before
    return report.t("period before {value}", value=report.w.percent(share, 2)) if share else report.t("unknown")
