"""`factoryops upgrade` on a home that an old program left: a backup first, and everything still there.

tests/warehouse/old_homes/2026-11-24-migration-0002.tar.xz was made by the program of commit 6c7abe5 (two migrations, a lake of the first
version): the demo's factories, machines and rules, 8,645 readings, rollups as they were then, three landed batches, two alerts.
"""

import shutil
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from factoryops import safekeeping
from tests.helpers import REPOSITORY
from warehouse import backup, lake_upgrade, rollups
from warehouse.access.sign_in import sign_in
from warehouse.clock import ManualClock
from warehouse.db import Database, is_at_head
from warehouse.errors import PermanentError
from warehouse.lake import Lake
from warehouse.safekeeping import sqlite
from warehouse.safekeeping.databases import CATALOG
from warehouse.settings import Settings
from warehouse.tables import VERSION

pytestmark = pytest.mark.slow
OLD_HOME = REPOSITORY / "tests" / "warehouse" / "old_homes" / "2026-11-24-migration-0002.tar.xz"
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
PASSWORD = "a right long password"


@pytest.fixture
def old_home(embedded_settings: Settings) -> Settings:
    home = embedded_settings.home
    with tarfile.open(OLD_HOME) as packed:
        packed.extractall(home, filter="data")
    # It stood in another folder when it was packed.
    sqlite.point_catalog(home / CATALOG, embedded_settings.lake_files)
    return embedded_settings


def table_rows(database: Path) -> dict[str, int]:
    with closing(sqlite3.connect(database)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0] for name in names}


def test_an_old_home_is_upgraded_with_its_data_after_a_backup(old_home: Settings, tmp_path: Path) -> None:
    assert OLD_HOME.stat().st_size < 300_000
    before = table_rows(old_home.home / "factoryops.sqlite")
    assert (before["devices"], before["landing_batches"], before["alerts"]) == (49, 3, 2)
    safekeeping.upgrade(old_home, "")
    db = Database(old_home.operational_url)
    assert is_at_head(db)
    after = table_rows(old_home.home / "factoryops.sqlite")
    assert {name: after[name] for name in before} == before
    clock = ManualClock(NOW)
    assert sign_in(db, old_home, clock, factory_id=1, email=admin_of(old_home), password=PASSWORD).token
    db.dispose()
    with closing(Lake(old_home)) as lake:
        with lake.cursor() as cursor:
            assert lake_upgrade.version(cursor) == VERSION
        assert lake.loader_position("main") == 4
        asked = "SELECT count(*), count(DISTINCT device_id), sum(value), min(received_at - ts)::VARCHAR FROM telemetry"
        found = lake.reader(1).query(asked)
        assert found.rows() == [(8645, 3, 3 * sum(100.0 + i % 17 for i in range(2880)), "00:00:01.25")]
        rollups.roll_up(lake, NOW, {1: "Asia/Ho_Chi_Minh"})
        assert lake.reader(1).query("SELECT sum(count)::BIGINT FROM rollup_1h").item() == 8640
    kept = str(old_home.home / "backups")
    assert backup.verify_backup(old_home, kept) == []
    # The backup is the old home: restored, it can be upgraded again.
    restored = old_home.model_copy(update={"factoryops_home": tmp_path / "restored"})
    backup.restore(restored, kept)
    assert table_rows(restored.home / "factoryops.sqlite") == before
    shutil.rmtree(old_home.home)
    safekeeping.upgrade(restored, str(tmp_path / "another"))
    with closing(Lake(restored)) as lake:
        assert lake.reader(1).query("SELECT count(*) FROM telemetry").item() == 8645


def test_where_the_backup_before_an_upgrade_goes(embedded_settings: Settings) -> None:
    assert safekeeping._usual_place(embedded_settings) == str(embedded_settings.home / "backups")
    in_s3 = embedded_settings.model_copy(update={"lake_data_path": "s3://plant/lake"})
    with pytest.raises(PermanentError, match="--backup-to or BACKUP_URL"):
        safekeeping._usual_place(in_s3)
    assert safekeeping._usual_place(in_s3.model_copy(update={"backup_url": "s3://other/backups"})) == "s3://other/backups"


def admin_of(settings: Settings) -> str:
    with closing(sqlite3.connect(settings.home / "factoryops.sqlite")) as connection:
        return str(connection.execute("SELECT email FROM users WHERE factory_id = 1 ORDER BY id LIMIT 1").fetchall()[0][0])
