"""What stands out in each factory, a partition a factory: found each night from the last week, in sentences with their numbers."""

import re
from datetime import timedelta
from typing import Any, Final

import dagster as dg

from assets.nightly import nightly, not_judged, warned
from assets.rollups import FACTORIES
from warehouse.factories import factory_zones
from warehouse.installation import Installation

LOOKS_BACK: Final = timedelta(days=7)
CHECKS = [
    dg.AssetCheckSpec("every_number_is_proven", asset="insights", description="Each number of each sentence is among its facts; warns."),
    dg.AssetCheckSpec("every_sentence_links", asset="insights", description="Each sentence links to a page that shows it; warns."),
]


@dg.asset(
    group_name="analytics", kinds={"duckdb"}, partitions_def=FACTORIES, check_specs=CHECKS, pool="analytics",
    deps=["anomalies", "failure_risks", "energy_forecasts", "energy_days", "availability_days"],
    description="What changed most, which machine needs attention and why, alerts that belong together, energy that is wasted.",
    # Made every night: one that was left out is a warning, two are a fault.
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)),
)  # fmt: skip
def insights(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult:
    """Replaces those of the night before. A factory with too little data keeps what it had."""
    from assets.analytics.contract import NotEnoughDataError  # noqa: PLC0415  # the code location must stay light
    from assets.analytics.copilot import make_insights  # noqa: PLC0415  # as said above

    factory_id = next(number for number, (slug, _) in factory_zones(installation.db).items() if slug == context.partition_key)
    try:
        found = make_insights(installation, factory_id, LOOKS_BACK)
    except NotEnoughDataError as missing:
        return not_judged(CHECKS, missing.message)
    details = found["details"]
    unproven = [each["sentence"] for each in details if not is_proven(each)]
    unlinked = [each["sentence"] for each in details if not each["links"]]
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": len(details), "headline": found["headline"],
            "findings": dg.MetadataValue.md("\n".join(f"- {text}" for text in found["findings"])),
        },
        check_results=[
            warned("every_number_is_proven", {"unproven": unproven or None}, passed=not unproven),
            warned("every_sentence_links", {"unlinked": unlinked or None}, passed=not unlinked),
        ],
    )  # fmt: skip


def is_proven(finding: dict[str, Any]) -> bool:
    """Whether each number of the sentence, apart from those in names and times, is one of its facts, rounded as it is written; pure."""
    bare = re.sub(r"“[^”]*”|\d{1,2} \w{3} \d{2}:\d{2}|\bof 100\b", " ", finding["sentence"])
    for name in finding["machines"]:
        bare = bare.replace(name, " ")
    values = [float(value) for value in finding["facts"].values() if isinstance(value, int | float)]
    return all(
        any(abs(round(abs(value), len(found.partition(".")[2])) - float(found.replace(",", ""))) < 1e-9 for value in values)
        for found in re.findall(r"(?<![A-Za-z0-9_-])\d+(?:,\d{3})*(?:\.\d+)?", bare)
    )


insights_job = dg.define_asset_job(
    "insights_of_a_night", selection=[insights], executor_def=dg.in_process_executor,
    description="Finds what stands out in a factory's last week.",
)  # fmt: skip
# After the other analyses of the night, because it tells what they found.
nightly_insights = nightly(insights_job, "37 3 * * *", "Every night at 03:37 UTC")
defs = dg.Definitions(assets=[insights], jobs=[insights_job], schedules=[nightly_insights])
