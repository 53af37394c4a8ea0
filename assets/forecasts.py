"""The energy of the week ahead, a partition a factory: models tried on the last weeks each night, the best one taken."""

from datetime import timedelta
from typing import Final

import dagster as dg

from assets.anomalies import POOL, factory_of
from assets.nightly import nightly, not_judged, warned
from assets.rollups import FACTORIES
from warehouse.installation import Installation

COVERS: Final = (0.65, 0.92)
"""Of the values in the backtest, by intervals of 80 %."""
MOST_CHANGED: Final = 2.0
"""Energy of the week ahead over the last week's, or the other way round."""
CHECKS = [
    dg.AssetCheckSpec(
        "intervals_cover", asset="energy_forecasts",
        description="In the backtest 65 to 92 % of the factory's values lay in the 80 % interval; warns.",
    ),
    dg.AssetCheckSpec(
        "better_than_last_week", asset="energy_forecasts",
        description="In the backtest the chosen model was at least as good as the same time last week; warns.",
    ),
    dg.AssetCheckSpec(
        "no_sudden_change", asset="energy_forecasts",
        description="The week ahead is within half and twice of the last week: else data or plant have drifted; warns.",
    ),
]  # fmt: skip


@dg.asset(
    group_name="analytics", kinds={"ducklake", "prophet", "scikitlearn"}, pool=POOL, partitions_def=FACTORIES, check_specs=CHECKS,
    deps=["rollup_5m"],
    description="Energy and cost of each machine and the factory by the quarter of an hour for the next 7 days, with intervals.",
    # Made every night: one that was left out is a warning, two are a fault.
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)),
)  # fmt: skip
def energy_forecasts(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult:
    """A factory without enough energy readings has no rows, and the metadata say what is missing."""
    # Only here: models take a second and 100 MB to import, and the code location must stay light.
    from assets.analytics.contract import NotEnoughDataError  # noqa: PLC0415  # as said above
    from assets.analytics.energy_night import make_night  # noqa: PLC0415  # as said above

    factory_id = factory_of(installation, context.partition_key)
    try:
        night = make_night(installation, factory_id, lambda percent, stage: context.log.info("%.0f %% %s", percent, stage))
    except NotEnoughDataError as missing:
        return not_judged(CHECKS, missing.message)
    covered, error, naive = night.covered, night.error, night.naive_error
    is_better = error is None or naive is None or error <= naive
    is_steady = 1 / MOST_CHANGED <= night.change <= MOST_CHANGED
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": night.rows, "headline": night.headline, "series": night.series,
            "models": dg.MetadataValue.json(dict(night.models)), "backtest_wape": dg.MetadataValue.json(dict(night.errors)),
            "findings": dg.MetadataValue.md("\n".join(f"- {text}" for text in night.findings)),
        },
        check_results=[
            warned("intervals_cover", {"covered": covered}, passed=covered is None or COVERS[0] <= covered <= COVERS[1]),
            warned("better_than_last_week", {"wape": error, "wape_last_week": naive}, passed=is_better),
            warned("no_sudden_change", {"ahead_over_last_week": night.change}, passed=is_steady),
        ],
    )  # fmt: skip


forecasts_job = dg.define_asset_job(
    "energy_forecasts_of_a_night", selection=[energy_forecasts], executor_def=dg.in_process_executor,
    description="Tries models on the last weeks of a factory's energy and forecasts the next one.",
)  # fmt: skip
nightly_energy_forecasts = nightly(forecasts_job, "7 2 * * *", "Every night at 02:07 UTC")
defs = dg.Definitions(assets=[energy_forecasts], jobs=[forecasts_job], schedules=[nightly_energy_forecasts])
