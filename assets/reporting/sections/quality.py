"""How the numbers are made, and how far they can be trusted."""

from assets.reporting.author import Report
from assets.reporting.charts.quality import data_quality, delay_shares
from assets.reporting.sections.opening import with_data

MOST_GAPS = 60


@with_data
def quality(report: Report, *, new: bool = True) -> None:
    """Method, completeness, punctuality, gaps; below what stands before unless `new`."""
    run, t, w = report.run, report.t, report.w
    report.heading(t("Method and data quality"), new=new)
    report.lead(
        t("{readings} readings were used. Machines were heard in {share} % of the period; gaps longer than {minutes} minutes: {gaps}.",
          readings=w.fixed(run.facts["readings"], 0), share=w.percent(run.coverage_share, 2), gaps=run.gaps.height,
          minutes=f"{run.facts['offline_after_minutes']:g}")
    )  # fmt: skip
    report.heading(t("How the numbers are made"), 2)
    report.text(
        t("All figures are computed from one read-only snapshot of the data lake by a reviewed notebook. Nobody can change a number between "
          "the snapshot and this page; the digest on the cover covers every value that was used."),
        t("States are told by the quarter of an hour: **no data** when nothing arrived, **fault** while a critical alert stood, otherwise "
          "**off**, **idle** or **running** by power against what the machine draws while it works. Time without data is left out of "
          "availability and shown beside it, never filled in. Energy is the integral of measured power; gaps count as nothing."),
        note=t("Not checked by this report: calibration of sensors, counters set by hand, product quality."),
    )  # fmt: skip
    late = delay_shares(run)
    slow = late[4] + late[5]
    caption = (
        t("Readings are nearly complete and on time") if (run.coverage_share or 0) > 0.99 and slow < 1
        else t("{share} % of readings came more than an hour late", share=w.num(slow)) if slow >= 1
        else t("{share} % of the machine time is without data", share=w.num((1 - (run.coverage_share or 0)) * 100))
    )  # fmt: skip
    alt = t("Three panels: machines without data by hour; {fast} percent of readings within 10 seconds, {slow} percent after more than an hour; delay by machine.",
            fast=w.num(late[0]), slow=w.num(slow))  # fmt: skip
    note = t("Late readings are stored and marked; those that came after the snapshot are not part of this report. Delay: line from the least "
             "to the 99th percentile, point at the median, against the server’s clock.")  # fmt: skip
    report.figure(data_quality(run), caption, alt, "fig-quality", note)
    _gaps(report)


def _gaps(report: Report) -> None:
    run, t, w = report.run, report.t, report.w
    if not run.gaps.height:
        report.text(t("There was no gap: every machine was heard all the time."))
        return
    rows = [
        [report.name(row["device_id"]), w.at(row["begin"]), w.at(row["end"]), w.span(row["length"].total_seconds() / 60), _state_of(report, row["begin"], row["end"])]
        for row in run.gaps.head(MOST_GAPS).iter_rows(named=True)
    ]  # fmt: skip
    caption = (
        t("All gaps, longest first ({count})", count=run.gaps.height) if run.gaps.height <= MOST_GAPS
        else t("The {shown} longest of {count} gaps", shown=MOST_GAPS, count=run.gaps.height)
    )  # fmt: skip
    report.table(t("Machine|From|To|Length|Remark"), "lllrl", "38mm 26mm 26mm 26mm 1fr", rows, caption, "tbl-gaps", gap=[4])


def _state_of(report: Report, begin: object, end: object) -> str | None:
    if begin == report.run.start and end == report.run.end:
        return report.t("never heard in this period")
    if end == report.run.end:
        return report.t("silent at the end of the period")
    return report.t("silent since before the period") if begin == report.run.start else None
