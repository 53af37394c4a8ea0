"""What assets that are made each night for each factory have in common."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.rollups import FACTORIES
from warehouse.factories import factory_zones
from warehouse.installation import Installation

OF_A_NIGHT = "_of_a_night"
"""Ends the names of such jobs: one that is called as its asset cannot be in the same repository."""


def nightly(job: Any, cron_schedule: str, described: str) -> dg.ScheduleDefinition:
    """A schedule that runs `job` once for each factory that Dagster knows as a partition; the rollup's sensor tells it of new ones."""

    @dg.schedule(
        name=f"nightly_{job.name.removesuffix(OF_A_NIGHT)}", job=job, cron_schedule=cron_schedule,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{described}, each factory in a run of its own.",
    )  # fmt: skip
    def runs(context: dg.ScheduleEvaluationContext, installation: dg.ResourceParam[Installation]) -> list[dg.RunRequest] | dg.SkipReason:
        known = set(context.instance.get_dynamic_partitions(str(FACTORIES.name)))
        day = context.scheduled_execution_time
        slugs = [slug for slug, _ in factory_zones(installation.db).values() if slug in known]
        if not slugs:
            return dg.SkipReason("no factory has readings yet: the rollup's sensor tells of those that have")
        return [dg.RunRequest(run_key=f"{slug} {day:%Y-%m-%d}", partition_key=slug) for slug in slugs]

    return runs


def warned(name: str, metadata: Mapping[str, Any], *, passed: bool) -> dg.AssetCheckResult:
    """The result of a check that only warns; what is None is left out of its metadata."""
    known = {key: value for key, value in metadata.items() if value is not None}
    return dg.AssetCheckResult(check_name=name, passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=known)


def not_judged(specs: list[dg.AssetCheckSpec], missing: str) -> dg.MaterializeResult:
    """Of a factory of which there is too little data: no rows, and its checks have nothing to complain of."""
    return dg.MaterializeResult(
        metadata={"dagster/partition_row_count": 0, "missing": missing},
        check_results=[warned(spec.name, {"not_judged": missing}, passed=True) for spec in specs],
    )
