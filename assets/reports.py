"""Reports in Dagster: a job that makes one, a backstop that finds those nobody took, schedules, mails and expiry."""

from datetime import timedelta

import dagster as dg

from assets.launch import REPORT
from assets.reporting.deliveries import enqueue_deliveries, send_due
from assets.reporting.schedules import create_due
from warehouse.installation import Installation
from warehouse.reports import pending

# What the page submits is taken at once; the backstop leaves it that long before it looks.
LEFT_ALONE = timedelta(seconds=15)


class OneReport(dg.Config):
    """Which report to make."""

    report_id: str


@dg.op(name=REPORT.op, pool="reporting", out=dg.Out(dg.Nothing), description="Collects, computes, renders, seals and stores one report.")
def make_report(context: dg.OpExecutionContext, config: OneReport, installation: dg.ResourceParam[Installation]) -> None:
    """A report that another run has taken, or that is done, is left alone."""
    from assets.reporting import run as reporting  # noqa: PLC0415  # seconds of import that other runs and the code server need not

    status = reporting.run(installation, config.report_id, lambda percent, stage: context.log.info("%.0f %% %s", percent, stage))
    context.add_output_metadata({"report_id": config.report_id, "status": status or "taken by another run"})
    if status == "failed":
        raise dg.Failure("the report failed; its row says why", allow_retries=False)


@dg.job(name=REPORT.job, executor_def=dg.in_process_executor, description="Makes one report.")
def report_job() -> None:
    """One step."""
    make_report()


@dg.op(out=dg.Out(dg.Nothing), description="Deletes the files of reports whose time is over; rows and ledger stay.")
def expire_reports(context: dg.OpExecutionContext, installation: dg.ResourceParam[Installation]) -> None:
    """Shows how many."""
    from assets.reporting import run as reporting  # noqa: PLC0415  # as above

    context.add_output_metadata({"reports_expired": reporting.expire(installation)})


@dg.job(executor_def=dg.in_process_executor, description="Retention of report files.")
def report_retention() -> None:
    """One step."""
    expire_reports()


retention_schedule = dg.ScheduleDefinition(
    name="report_retention_daily",
    job=report_retention,
    cron_schedule="20 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night at 03:20 UTC: deletes files of reports whose time is over.",
)


@dg.sensor(
    # By name: by object Dagster makes the sensor anew, with a warning.
    job_name=report_job.name,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Orders scheduled reports that are due, and starts every report that nobody has taken. No cursor: the rows say what waits.",
)
def report_sensor(installation: dg.ResourceParam[Installation]) -> dg.SensorResult:
    """The claim on the row decides who makes a report, so asking twice is harmless."""
    create_due(installation)
    now = installation.clock.now()
    waiting = pending(installation.db, now - LEFT_ALONE)
    requests = [
        # A new key each minute: a run that was lost before it claimed its report is asked for again.
        dg.RunRequest(run_key=f"{report_id}:{now:%Y%m%d%H%M}", run_config=REPORT.run_config(report_id), tags=REPORT.tags(report_id))
        for report_id, _ in waiting
    ]
    return dg.SensorResult(run_requests=requests, skip_reason=None if requests else dg.SkipReason("no report waits"))


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Mails finished scheduled reports to their recipients, and failures to the schedule's owner.",
)
def report_mail_sensor(installation: dg.ResourceParam[Installation]) -> dg.SkipReason:
    """Each delivery is a row; a failed one is tried again, later each time."""
    enqueue_deliveries(installation)
    sent, failed = send_due(installation)
    return dg.SkipReason(f"{sent} sent, {failed} failed")


defs = dg.Definitions(
    jobs=[report_job, report_retention], sensors=[report_sensor, report_mail_sensor], schedules=[retention_schedule]
)  # fmt: skip
