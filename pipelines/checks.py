"""Checks of what the assets hold."""

from datetime import timedelta

import dagster as dg

from warehouse.installation import Installation
from warehouse.rollups import missing_readings


@dg.asset_check(
    asset="rollup_1h", name="no_reading_is_missing", description="The last two complete hours count as many readings as there are raw ones."
)
def rollup_is_complete(installation: dg.ResourceParam[Installation]) -> dg.AssetCheckResult:
    """Late readings may make it fail until the next run of the rollup, so it only warns."""
    hour = installation.clock.now().replace(minute=0, second=0, microsecond=0)
    missing = missing_readings(installation.lake, "1h", hour - timedelta(hours=2), hour)
    return dg.AssetCheckResult(passed=missing == 0, severity=dg.AssetCheckSeverity.WARN, metadata={"readings_missing": missing})


CHECKS = [rollup_is_complete]
