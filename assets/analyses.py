"""Analyses in Dagster: a job that makes one, a backstop that finds those nobody took, those that were lost, and those that are due."""

import multiprocessing
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import dagster as dg

from assets.analytics.run import Done, run
from assets.analytics.schedules import order_due
from assets.launch import ANALYSIS
from assets.opened import installation as opened_installation
from assets.rollups import FACTORIES, UNFINISHED
from warehouse.factories import factory_zones
from warehouse.installation import Installation
from warehouse.job_runs import fail_lost, give_up, waiting

# What page and API submit is taken at once; the backstop leaves it that long before it looks.
LEFT_ALONE = timedelta(seconds=10)
NICENESS = 10
MOST_RUNS = 5
KINDS = {
    "anomaly": "Ordered anomaly detections.",
    "failure_prediction": "Ordered failure predictions.",
    "energy_forecast": "Ordered energy forecasts.",
    "ai_copilot": "Ordered explanations.",
}


class OneAnalysis(dg.Config):
    """Which analysis to make."""

    job_id: str


@dg.op(name=ANALYSIS.op, pool="analytics", out=dg.Out(dg.Nothing), description="Reads, analyses, stores tables, charts and result.")
def make_analysis(context: dg.OpExecutionContext, config: OneAnalysis, installation: dg.ResourceParam[Installation]) -> None:
    """An analysis that another run has taken, or that is over, is left alone."""
    if multiprocessing.parent_process() is not None:
        # In a process of its own it goes behind messages, alerts and pages, which cannot wait.
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    done = run(installation, config.job_id, context.run_id, lambda percent, stage: context.log.info("%.0f %% %s", percent, stage))
    if done is None:
        context.add_output_metadata({"job_id": config.job_id, "status": "taken by another run, or over"})
        return
    context.add_output_metadata({"job_id": config.job_id, "said": done.message, "complete": done.is_complete})
    if not done.is_complete:
        raise dg.Failure(f"the analysis failed, as its row says: {done.message}", allow_retries=False)
    context.log_event(materialization(done, factory_zones(installation.db)[done.job.factory_id][0]))


def materialization(done: Done, slug: str) -> dg.AssetMaterialization:
    """What the asset view shows of an ordered analysis; pure."""
    took = (done.job.date_range_end - done.job.date_range_start).total_seconds()
    metadata: dict[str, Any] = {
        "job_id": done.job.id,
        "headline": done.message,
        "machines": len(done.job.device_ids),
        "days": round(took / 86400, 1),
    }
    rows = {f"rows_{name}": number for name, number in done.tables.items()}
    return dg.AssetMaterialization(["ordered", done.job.job_type], partition=slug, metadata=metadata | rows)


@dg.job(name=ANALYSIS.job, executor_def=dg.in_process_executor, description="Makes one ordered analysis.")
def analysis_job() -> None:
    """One step."""
    make_analysis()


def backstop(opened: Callable[[], Installation] = opened_installation) -> dg.SensorDefinition:
    """The sensor; it asks Dagster for no resource, see `assets.opened`."""

    @dg.sensor(
        name="analysis_sensor",
        job_name=analysis_job.name,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Orders scheduled analyses that are due, starts those that nobody has taken, fails those whose run is gone. "
        "No cursor: the rows say what waits.",
    )
    def analysis_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """The claim on the row decides who makes an analysis, so asking twice is harmless."""
        inst = opened()
        _, refused = order_due(inst)
        for problem in refused:
            context.log.warning("a scheduled analysis was not ordered: %s", problem)
        lost, now = fail_lost(inst.db, inst.clock), inst.clock.now()
        requests = [
            # A new key each minute: a run that was lost before it claimed its job is asked for again.
            dg.RunRequest(run_key=f"{job_id}:{now:%Y%m%d%H%M}", run_config=ANALYSIS.run_config(job_id), tags=ANALYSIS.tags(job_id))
            for job_id in waiting(inst.db, now - LEFT_ALONE)
            if _needs_a_run(context.instance, inst, job_id)
        ]
        said = f"{len(lost)} lost analyses were failed" if lost else "no analysis waits"
        return dg.SensorResult(run_requests=requests, skip_reason=None if requests else dg.SkipReason(said))

    return analysis_sensor


def _needs_a_run(instance: dg.DagsterInstance, inst: Installation, job_id: str) -> bool:
    """Whether no run waits for its turn, or is about to claim it; gives up what never began in MOST_RUNS.

    Asked only when something waits: it opens Dagster's databases.
    """
    own = {f"factoryops/{ANALYSIS.job}": job_id}
    if instance.get_runs_count(dg.RunsFilter(tags=own, statuses=UNFINISHED)):
        return False
    if instance.get_runs_count(dg.RunsFilter(tags=own)) < MOST_RUNS:
        return True
    give_up(inst.db, inst.clock, job_id)
    return False


ORDERED = [
    dg.AssetSpec(["ordered", kind], partitions_def=FACTORIES, group_name="analytics", kinds={"ducklake"}, description=said)
    for kind, said in KINDS.items()
]
"""Made by runs of the job above, never by Dagster's own wish; a partition a factory."""
analysis_sensor = backstop()
defs = dg.Definitions(assets=ORDERED, jobs=[analysis_job], sensors=[analysis_sensor])
