"""The checks run by themselves and tell the truth about the lake."""

from datetime import timedelta

import dagster as dg
import pytest

from pipelines import checks
from tests.warehouse.frames import readings, series
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.rollups import roll_up
from warehouse.settings import Settings

pytestmark = pytest.mark.slow


def results(installation: Installation) -> dict[str, bool]:
    return {check.check_key.name: bool(check(installation).passed) for check in checks.CHECKS}  # type: ignore[operator,union-attr]  # a function


def test_a_good_lake_passes_and_each_fault_fails_its_check(
    settings: Settings, sqlite_database: Database, lake: Lake, manual_clock: ManualClock
) -> None:
    installation = Installation(settings, sqlite_database, lake, manual_clock)
    manual_clock.advance(timedelta(hours=2, minutes=15))
    lake.append(series(1, "power", [1.0] * 120))
    lake.append(series(1, "power", [1.0] * 120, start_s=-86_400))
    lake.append(series(2, "power", [1.0] * 120))
    lake.append(series(2, "power", [1.0] * 120, start_s=-86_400))
    roll_up(lake, manual_clock.now(), {})
    assert set(results(installation).values()) == {True}
    lake.append(readings((1, "power", 0, 1.0)))
    lake.append(
        readings(
            (
                3,
                "power",
                8000,
                1.0,
            ),
            received_s=0,
        )
    )
    lake.append(series(9, "power", [1.0] * 1000, start_s=-40_000, step_s=1))
    found = results(installation)
    assert not any(
        found[name] for name in ("no_reading_is_missing", "rollup_equals_raw", "no_reading_twice", "clocks_agree", "no_machine_has_a_gap")
    )
    assert found["as_many_readings_as_usual"]
    lake.append(series(8, "power", [1.0] * 1000, start_s=-86_400, step_s=1))
    assert not results(installation)["as_many_readings_as_usual"]


def test_many_files_of_a_day_are_told(settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        lake.append(series(1, "power", [1.0] * 250, step_s=1, start_s=number * 250))
    installation = Installation(settings, Database(settings.operational_url), lake)
    assert checks.files_are_few(installation).passed  # type: ignore[union-attr]  # its result
    monkeypatch.setattr(checks, "MOST_FILES_A_DAY", 3)
    assert not checks.files_are_few(installation).passed  # type: ignore[union-attr]  # as above


def test_every_check_is_run_every_hour() -> None:
    assert checks.hourly_checks.default_status == dg.DefaultScheduleStatus.RUNNING
    assert checks.hourly_checks.job_name == checks.checks_job.name
