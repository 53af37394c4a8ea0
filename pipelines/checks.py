"""Checks of what the assets hold."""

from datetime import timedelta

import dagster as dg

from warehouse.installation import Installation
from warehouse.lake_checks import ReadingFacts, reading_facts
from warehouse.rollups import missing_readings


@dg.asset_check(
    asset="rollup_1h", name="no_reading_is_missing", description="The last two complete hours count as many readings as there are raw ones."
)
def rollup_is_complete(installation: dg.ResourceParam[Installation]) -> dg.AssetCheckResult:
    """Late readings may make it fail until the next run of the rollup, so it only warns."""
    hour = installation.clock.now().replace(minute=0, second=0, microsecond=0)
    missing = missing_readings(installation.lake, "1h", hour - timedelta(hours=2), hour)
    return dg.AssetCheckResult(passed=missing == 0, severity=dg.AssetCheckSeverity.WARN, metadata={"readings_missing": missing})


@dg.asset_check(
    asset="rollup_1m", name="no_reading_twice", description="In the last two complete hours each machine, parameter and time is there once."
)
def no_reading_twice(installation: dg.ResourceParam[Installation]) -> dg.AssetCheckResult:
    """Repeats are dropped before the lake; one that got in is a fault of ours."""
    facts = _last_hours(installation)
    return dg.AssetCheckResult(passed=facts.repeated == 0, metadata={"readings": facts.readings, "repeated": facts.repeated})


@dg.asset_check(asset="rollup_1m", name="clocks_agree", description="No machine's readings are from the future: then its clock is wrong.")
def clocks_agree(installation: dg.ResourceParam[Installation]) -> dg.AssetCheckResult:
    """Warns: the readings are kept as they were sent."""
    facts = _last_hours(installation)
    return dg.AssetCheckResult(
        passed=facts.machines_ahead == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"machines_ahead": facts.machines_ahead, "readings_ahead": facts.ahead_of_time, "machines": facts.machines},
    )


def _last_hours(installation: Installation) -> ReadingFacts:
    hour = installation.clock.now().replace(minute=0, second=0, microsecond=0)
    return reading_facts(installation.lake, hour - timedelta(hours=2), hour + timedelta(hours=1))


CHECKS = [rollup_is_complete, no_reading_twice, clocks_agree]
