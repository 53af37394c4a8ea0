"""The nightly backup: by the clock, to BACKUP_URL, and one that can be restored."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from pipelines.definitions import defs
from tests.warehouse.frames import series
from warehouse import backup
from warehouse.clock import ManualClock
from warehouse.installation import Installation
from warehouse.settings import Settings


@pytest.mark.slow
def test_the_nightly_job_adds_a_whole_backup(
    embedded_settings: Settings, sqlite_template: Path, manual_clock: ManualClock, tmp_path: Path
) -> None:
    settings = embedded_settings.model_copy(update={"backup_url": str(tmp_path / "backups")})
    settings.home.mkdir(parents=True)
    shutil.copy(sqlite_template, settings.home / "factoryops.sqlite")
    installation = Installation.open(settings, manual_clock)
    installation.lake.append(series(1, "power", [1.0] * 300))
    schedule = defs.get_repository_def().get_schedule_def("nightly_backup")
    assert schedule.cron_schedule == "42 2 * * *"
    with dg.DagsterInstance.ephemeral() as instance:
        result = schedule.job.execute_in_process(resources={"installation": installation}, instance=instance)
    installation.close()
    assert result.success
    assert backup.list_backups(settings, settings.backup_url) == ["20260105T080000Z"]
    assert backup.verify_backup(settings, settings.backup_url) == []
