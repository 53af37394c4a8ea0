"""Unusual behaviour of machines, a partition a factory: learned anew each night, the last day judged, the models kept for live scores."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import dagster as dg

from assets.nightly import nightly, warned
from assets.opened import installation as opened_installation
from assets.rollups import FACTORIES
from warehouse.errors import NotFoundError, RetryableError
from warehouse.factories import factory_zones
from warehouse.installation import Installation
from warehouse.queries.coverage import most_hours

POOL = "analytics"
JUDGED: Final = timedelta(days=1)
MOST_UNUSUAL: Final = 0.1
"""Of a factory's minutes: more, and either the plant or the model is not as it was."""
LOOKED_BACK: Final = timedelta(days=21)
MOST_WANDERED: Final = 0.25
"""Of the machines: more that are beyond their limit for most of a day, and the models are out of date."""
CHECKS = [
    dg.AssetCheckSpec(
        "few_minutes_are_unusual", asset="anomalies",
        description="At most 10 % of the judged minutes are above the limit; warns.",
    ),
    dg.AssetCheckSpec(
        "models_fit_the_machines", asset="anomalies",
        description="At most a quarter of the machines are beyond the limit for most of the day: else they have drifted away; warns.",
    ),
]  # fmt: skip


@dg.asset(
    group_name="analytics", kinds={"ducklake", "scikitlearn"}, pool=POOL, partitions_def=FACTORIES, check_specs=CHECKS,
    deps=["rollup_1m"],
    description="Spans in which machines did not behave as usual, the score by the minute, and the models that live scores come from.",
    # Made every night: one that was left out is a warning, two are a fault.
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)),
)  # fmt: skip
def anomalies(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult:
    """Judges the 24 hours before now by models from the 21 days before them; again on the same day replaces."""
    # Only here: models take a second and 100 MB to import, and the code location must stay light.
    from assets.analytics.anomaly_night import make_night  # noqa: PLC0415  # as said above

    now = installation.clock.now()
    night = make_night(installation, factory_of(installation, context.partition_key), now - JUDGED, now, context.log.info)
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": night.scores, "anomalies": night.anomalies, "machines": night.machines,
            "not_judged": dg.MetadataValue.json(night.not_judged), "unusual_share": night.unusual_share,
            "strongest": dg.MetadataValue.md(night.table), "model_version": night.version or "none",
        },
        check_results=[
            warned("few_minutes_are_unusual", {"unusual_share": night.unusual_share, "score_median": night.quantiles[0],
                   "score_90": night.quantiles[1], "score_99": night.quantiles[2]}, passed=night.unusual_share <= MOST_UNUSUAL),
            warned("models_fit_the_machines", {"wandered": dg.MetadataValue.json(night.wandered)},
                   passed=len(night.wandered) <= MOST_WANDERED * max(1, night.machines)),
        ],
    )  # fmt: skip


def factory_of(installation: Installation, slug: str) -> int:
    """Id of the factory of a partition. Raises NotFoundError."""
    for factory_id, (found, _) in factory_zones(installation.db).items():
        if found == slug:
            return factory_id
    raise NotFoundError(f"there is no factory {slug}", noun="factory", key=slug)


anomalies_job = dg.define_asset_job(
    "anomalies_of_a_night", selection=[anomalies], executor_def=dg.in_process_executor,
    description="Learns what is usual of each machine of a factory and judges its last day.",
)  # fmt: skip


nightly_anomalies = nightly(anomalies_job, "37 1 * * *", "Every night at 01:37 UTC")


def first_models_sensor(opened: Callable[[], Installation] = opened_installation) -> dg.SensorDefinition:
    """A sensor that does not let a new factory wait for its first night: it has live scores as soon as there is enough to learn from."""

    @dg.sensor(
        name="first_anomaly_models",
        job_name=anomalies_job.name,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Learns the first anomaly models of a factory as soon as one of its machines has 48 hours of history.",
    )
    def first_models(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        inst = opened()
        known = set(context.instance.get_dynamic_partitions(str(FACTORIES.name)))
        try:
            waiting = [slug for slug in without_models(inst) if slug in known]
        except RetryableError as away:
            return dg.SensorResult(skip_reason=away.message)
        now = inst.clock.now()
        # Asked for again after six hours where the first attempt gave no model.
        requests = [dg.RunRequest(run_key=f"{slug} {now:%Y-%m-%d} {now.hour // 6}", partition_key=slug) for slug in waiting]
        return dg.SensorResult(run_requests=requests, skip_reason=None if requests else "no factory waits for its first models")

    return first_models


def without_models(installation: Installation) -> list[str]:
    """Factories that have no anomaly models although a machine has enough history. Raises RetryableError while a storage is away."""
    # Only in the process that ticks, as below.
    from assets.analytics.contract import LEAST_HOURS  # noqa: PLC0415  # as said above
    from assets.analytics.registry import ModelRegistry  # noqa: PLC0415  # as said above

    since = installation.clock.now() - LOOKED_BACK
    return [
        slug
        for factory_id, (slug, _) in factory_zones(installation.db).items()
        if most_hours(installation.lake, factory_id, since) >= LEAST_HOURS
        and ModelRegistry(installation, factory_id).current("anomaly") is None
    ]


def scoring_sensor(opened: Callable[[], Installation] = opened_installation) -> dg.SensorDefinition:
    """A sensor whose ticks score every machine that has a model.

    A sensor, because a run each minute would cost three seconds of a core; it asks Dagster for no resource, which costs 0.25 s a tick.
    """

    @dg.sensor(
        name="live_anomaly_scores",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Scores the last minute of every machine by its newest model and lands the score as its parameter `anomaly_score`.",
    )
    def live_scores(_context: dg.SensorEvaluationContext) -> dg.SkipReason:
        # Only in the process that ticks: what only shows definitions needs no models.
        from assets.analytics.live_scores import score_live  # noqa: PLC0415  # as said above

        try:
            done = score_live(opened())
        except RetryableError as away:
            return dg.SkipReason(away.message)
        return dg.SkipReason(f"{done.scored} machines scored, {done.unusual} unusual, in {done.seconds:.2f} s")

    return live_scores


defs = dg.Definitions(
    assets=[anomalies], jobs=[anomalies_job], schedules=[nightly_anomalies], sensors=[scoring_sensor(), first_models_sensor()]
)
