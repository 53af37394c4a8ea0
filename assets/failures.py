"""How probable failures are, a partition a factory: a model learned anew each night, every machine judged by the last hour."""

from datetime import timedelta
from typing import Final

import dagster as dg

from assets.anomalies import POOL, factory_of
from assets.nightly import nightly, not_judged, warned
from assets.rollups import FACTORIES
from warehouse.installation import Installation

CALIBRATED: Final = 0.1
"""Mean distance of probability and frequency on unseen machines."""
BETTER_THAN_CHANCE: Final = 2.0
"""PR-AUC over the share of hours that are before a failure."""
DRIFTED: Final = 0.5
"""Of the machines far from what was usual when the model was learned."""
CHECKS = [
    dg.AssetCheckSpec(
        "probabilities_are_calibrated", asset="failure_risks",
        description="On machines that the model had not seen, probabilities are off by at most 0.1 on average; warns.",
    ),
    dg.AssetCheckSpec(
        "better_than_chance", asset="failure_risks",
        description="On unseen machines, PR-AUC is at least twice what guessing reaches; warns.",
    ),
    dg.AssetCheckSpec(
        "machines_have_not_drifted", asset="failure_risks",
        description="At most half of the machines are far from everything that the model was learned from; warns.",
    ),
]  # fmt: skip


@dg.asset(
    group_name="analytics", kinds={"ducklake", "scikitlearn"}, pool=POOL, partitions_def=FACTORIES, check_specs=CHECKS,
    deps=["rollup_1h"],
    description="Chance of failing within 24 h and 7 days, time left and reasons of each machine; and the model, in the registry.",
    # Made every night: one that was left out is a warning, two are a fault.
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)),
)  # fmt: skip
def failure_risks(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult:
    """A factory without enough failures to learn from has no rows, and the metadata say what is missing."""
    # Only here: models take a second and 100 MB to import, and the code location must stay light.
    from assets.analytics.contract import NotEnoughDataError  # noqa: PLC0415  # as said above
    from assets.analytics.failure_night import make_night  # noqa: PLC0415  # as said above

    factory_id = factory_of(installation, context.partition_key)
    try:
        night = make_night(installation, factory_id, lambda percent, stage: context.log.info("%.0f %% %s", percent, stage))
    except NotEnoughDataError as missing:
        return not_judged(CHECKS, missing.message)
    error, auc, base = (night.metrics.get(f"{name}_168h") for name in ("calibration_error", "pr_auc", "base_rate"))
    is_better = auc is not None and base is not None and auc >= min(0.9, BETTER_THAN_CHANCE * base)
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": night.rows, "headline": night.headline, "model_version": night.version,
            "snapshot_id": night.snapshot_id, "label_source": night.label_source,
            "metrics": dg.MetadataValue.json({name: float(value) for name, value in night.metrics.items()}),
            "risks": dg.MetadataValue.md(night.table), "importance": dg.MetadataValue.json(dict(night.importance)),
        },
        check_results=[
            warned("probabilities_are_calibrated", {"calibration_error": error}, passed=error is not None and error <= CALIBRATED),
            warned("better_than_chance", {"pr_auc": auc, "by_chance": base}, passed=is_better),
            warned("machines_have_not_drifted", {"drifted_share": night.drifted_share}, passed=night.drifted_share <= DRIFTED),
        ],
    )  # fmt: skip


failures_job = dg.define_asset_job(
    "failure_risks_of_a_night", selection=[failure_risks], executor_def=dg.in_process_executor,
    description="Learns from the failures of a factory and judges each of its machines.",
)  # fmt: skip
nightly_failure_risks = nightly(failures_job, "52 1 * * *", "Every night at 01:52 UTC")
defs = dg.Definitions(assets=[failure_risks], jobs=[failures_job], schedules=[nightly_failure_risks])
