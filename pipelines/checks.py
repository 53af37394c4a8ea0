"""Checks of what the assets hold."""

from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from warehouse.installation import Installation
from warehouse.lake_checks import CountFacts, ReadingFacts, count_facts, reading_facts, wrong_hours
from warehouse.maintenance import files_a_day
from warehouse.rollups import missing_readings
from warehouse.tables import ROLLUP_LEVELS, TELEMETRY

HOUR = timedelta(hours=1)
SETTLED = timedelta(minutes=10)
MOST_FILES_A_DAY = 200


@dg.asset_check(
    asset="rollup_1h", name="no_reading_is_missing", description="The last two complete hours count as many readings as there are raw ones."
)
def rollup_is_complete(installation: dg.ResourceParam[Installation]) -> dg.AssetCheckResult:
    """Late readings may make it fail until the next run of the rollup, so it only warns."""
    hour = _hour(installation)
    missing = missing_readings(installation.lake, "1h", hour - 2 * HOUR, hour)
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


@dg.asset_check(
    asset="rollup_1h",
    name="rollup_equals_raw",
    description="The last two complete hours: count, sum, least and greatest are those of the readings.",
)
def rollup_equals_raw(installation: dg.ResourceParam[Installation]) -> dg.AssetCheckResult:
    """Late readings may make it fail until the next run of the rollup, so it only warns."""
    hour = _hour(installation)
    wrong = {level: wrong_hours(installation.lake, level, hour - 2 * HOUR, hour) for level in ("1m", "5m", "1h")}
    passed, metadata = not any(wrong.values()), {f"wrong_{level}": number for level, number in wrong.items()}
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)


@dg.asset_check(
    asset="rollup_1m",
    name="as_many_readings_as_usual",
    description="The last two complete hours have at least half of the readings of a day before.",
)
def as_many_readings_as_usual(installation: dg.ResourceParam[Installation]) -> dg.AssetCheckResult:
    """Warns: a plant may stand still."""
    facts = _counts(installation)
    metadata = {"readings": facts.readings, "readings_a_day_before": facts.day_before}
    passed = facts.readings * 2 >= facts.day_before
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)


@dg.asset_check(
    asset="rollup_1m", name="no_machine_has_a_gap", description="Every machine that sent within a day sent in the last two complete hours."
)
def no_machine_has_a_gap(installation: dg.ResourceParam[Installation]) -> dg.AssetCheckResult:
    """Warns: a machine may be switched off."""
    facts = _counts(installation)
    metadata: dict[str, Any] = {"machines": facts.machines, "silent": len(facts.silent_machines), "silent_ids": list(facts.silent_machines)}
    return dg.AssetCheckResult(passed=not facts.silent_machines, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)


@dg.asset_check(asset="rollup_1m", name="files_are_few", description="No day of readings or of a rollup has 200 files or more.")
def files_are_few(installation: dg.ResourceParam[Installation]) -> dg.AssetCheckResult:
    """Many small files make every question slow: then the loader's merging or the maintenance job does not work."""
    found = {table: files_a_day(installation.lake, table) for table in (TELEMETRY, *(f"rollup_{level}" for level in ROLLUP_LEVELS))}
    return dg.AssetCheckResult(passed=max(found.values()) < MOST_FILES_A_DAY, metadata={f"files_{name}": n for name, n in found.items()})


def _counts(installation: Installation) -> CountFacts:
    hour = _hour(installation)
    return count_facts(installation.lake, hour - 2 * HOUR, hour)


def _hour(installation: Installation) -> datetime:
    """The last full hour before which rollups must stand: an hour is rolled up within a few minutes of its end."""
    return (installation.clock.now() - SETTLED).replace(minute=0, second=0, microsecond=0)


def _last_hours(installation: Installation) -> ReadingFacts:
    hour = installation.clock.now().replace(minute=0, second=0, microsecond=0)
    return reading_facts(installation.lake, hour - timedelta(hours=2), hour + timedelta(hours=1))


CHECKS = [
    rollup_is_complete,
    rollup_equals_raw,
    no_reading_twice,
    clocks_agree,
    as_many_readings_as_usual,
    no_machine_has_a_gap,
    files_are_few,
]
checks_job = dg.define_asset_job(
    "checks",
    # By name: what analyses check about themselves is checked as they are made, and cannot be run without them.
    selection=dg.AssetSelection.checks(*CHECKS),
    executor_def=dg.in_process_executor,
    description="Looks whether the data are as they should be.",
)
hourly_checks = dg.ScheduleDefinition(
    name="hourly_checks", job=checks_job, cron_schedule="22 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour at 22 minutes past, when the hour before has been rolled up.",
)  # fmt: skip
