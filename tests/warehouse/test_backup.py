"""A backup made while everything runs is whole, holds each file once, and gives the same installation back."""

import json
import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.fixtures.object_store import Bucket
from tests.warehouse.frames import START, series
from tests.warehouse.victims import kill_during
from warehouse import backup, maintenance, rollups
from warehouse.db import Database
from warehouse.errors import NotFoundError, PermanentError
from warehouse.lake import Lake
from warehouse.models.people import Factory
from warehouse.safekeeping import sqlite
from warehouse.secrets import generated_secret
from warehouse.settings import Settings
from warehouse.tenancy import system_session

pytestmark = pytest.mark.embedded  # an outgrown installation is backed up by the means of PostgreSQL and of the store


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Settings:
    """An installation with some of everything: readings in files and in the catalog, deletions, rollups, a factory, a secret, a report."""
    settings = Settings(factoryops_home=tmp_path_factory.mktemp("installation"), app_env="development", jwt_secret_key="x" * 48)
    shutil.copy(sqlite_template, settings.home / "factoryops.sqlite")
    db = Database(settings.operational_url)
    with system_session(db, "test", write=True) as session:
        session.add(Factory(id=1, name="North", slug="north"))
    db.dispose()
    generated_secret(settings, "jwt")
    (settings.home / "files").mkdir()
    (settings.home / "files" / "report.pdf").write_bytes(b"%PDF")
    with closing(Lake(settings)) as lake:
        lake.append(series(1, "power", [float(i) for i in range(900)]), ("main", 1))
        lake.append(series(2, "power", [1.0] * 5), ("main", 2))
        rollups.roll_up(lake, START + timedelta(days=3), {})
        lake.append(series(3, "power", [float(i) for i in range(300)], start_s=5), ("main", 3))
    return settings


@pytest.fixture
def home(settings: Settings, template: Settings) -> Settings:
    """A copy of it."""
    shutil.copytree(template.home, settings.home)
    sqlite.point_catalog(settings.catalog_path, settings.lake_files)
    return settings


def everything(settings: Settings) -> dict[str, object]:
    with closing(Lake(settings)) as lake, lake.cursor() as cursor:
        found: dict[str, object] = {
            name: cursor.execute(f"SELECT * FROM lake.{name} ORDER BY ALL").pl().rows()
            for name in ("telemetry", "rollup_1m", "rollup_5m", "rollup_1h", "rollup_1d", "touched", "loader_progress")
        }
    return found | {"rows": sqlite.table_counts(settings.home / "factoryops.sqlite")}


def elsewhere(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"factoryops_home": tmp_path / "restored"})


def make(settings: Settings, target: Path, minute: int = 0) -> backup.BackupResult:
    with closing(Lake(settings)) as lake:
        return backup.back_up(settings, lake, str(target), START + timedelta(minutes=minute))


def test_a_restored_installation_is_the_same(home: Settings, tmp_path: Path) -> None:
    make(home, tmp_path / "target")
    assert backup.verify_backup(home, str(tmp_path / "target")) == []
    restored = elsewhere(home, tmp_path)
    facts = backup.restore(restored, str(tmp_path / "target"))
    assert everything(restored) == everything(home)
    assert facts["lake_rows"]["telemetry"] == 1205
    assert generated_secret(restored, "jwt") == generated_secret(home, "jwt")
    assert (restored.home / "files" / "report.pdf").read_bytes() == b"%PDF"
    with closing(Lake(restored)) as lake:
        lake.append(series(1, "power", [1.0] * 300, start_s=1e6), ("main", 4))
        assert lake.reader(1).query("SELECT count(*) FROM telemetry").item() == 1505


@pytest.mark.slow
def test_a_backup_in_a_bucket_restores_the_same(home: Settings, bucket: Bucket, tmp_path: Path) -> None:
    secret = SecretStr(bucket.settings["s3_secret_access_key"])
    with_store = home.model_copy(update={**bucket.settings, "s3_secret_access_key": secret})
    target = f"s3://{bucket.name}/backups"
    with closing(Lake(with_store)) as lake:
        first, second = (backup.back_up(with_store, lake, target, START + timedelta(minutes=minute)) for minute in (0, 1))
    assert (backup.list_backups(with_store, target), second.new_files) == ([first.name, second.name], 0)
    assert backup.verify_backup(with_store, target) == []
    restored = elsewhere(with_store, tmp_path)
    backup.restore(restored, target)
    assert everything(restored) == everything(home)


def test_a_second_backup_adds_only_what_is_new(home: Settings, tmp_path: Path) -> None:
    first = make(home, tmp_path / "target")
    with closing(Lake(home)) as lake:
        lake.append(series(9, "power", [1.0] * 400, step_s=1, start_s=9e5), ("main", 4))
    second = make(home, tmp_path / "target", minute=1)
    assert first.new_files == first.files
    assert second.new_files == 2, "the new data file and the catalog"
    assert backup.list_backups(home, str(tmp_path / "target")) == [first.name, second.name]


def test_an_older_backup_can_be_restored(home: Settings, tmp_path: Path) -> None:
    first = make(home, tmp_path / "target")
    with closing(Lake(home)) as lake:
        lake.append(series(9, "power", [1.0] * 400), ("main", 4))
        maintenance.merge_small_files(lake)
    make(home, tmp_path / "target", minute=1)
    restored = elsewhere(home, tmp_path)
    backup.restore(restored, str(tmp_path / "target"), first.name)
    with closing(Lake(restored)) as lake:
        assert lake.reader(1).query("SELECT count(*) FROM telemetry").item() == 1205


def test_damage_is_found_and_not_restored(home: Settings, tmp_path: Path) -> None:
    result = make(home, tmp_path / "target")
    manifest = json.loads((tmp_path / "target" / "backups" / f"{result.name}.json").read_text())
    place, entry = next((p, e) for p, e in manifest["files"].items() if p.endswith(".parquet"))
    (tmp_path / "target" / "objects" / entry["sha256"][:2] / entry["sha256"]).write_bytes(b"x" * entry["bytes"])
    assert backup.verify_backup(home, str(tmp_path / "target")) == [f"{place}: damaged"]
    with pytest.raises(PermanentError, match="damaged"):
        backup.restore(elsewhere(home, tmp_path), str(tmp_path / "target"))


def test_nothing_is_restored_over_an_installation(home: Settings, tmp_path: Path) -> None:
    make(home, tmp_path / "target")
    with pytest.raises(PermanentError, match="holds an installation"):
        backup.restore(home, str(tmp_path / "target"))


def test_an_empty_target_has_no_backup(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        backup.restore(settings, str(tmp_path / "nothing"))


def _back_up(settings: Settings, target: str) -> None:
    backup.back_up(settings, Lake(settings), target, START)


def _restore(settings: Settings, target: str) -> None:
    backup.restore(settings, target)


@pytest.mark.slow
def test_backup_and_restore_that_are_killed_can_be_repeated(home: Settings, tmp_path: Path) -> None:
    restored, target, flag = elsewhere(home, tmp_path), str(tmp_path / "target"), tmp_path / "begun"
    for _ in range(2):
        kill_during(_back_up, home, target, flag=flag, within_s=0.4)
        for name in backup.list_backups(home, target):
            assert backup.verify_backup(home, target, name) == [], "what is there under its name is whole"
    make(home, Path(target), minute=5)
    assert backup.verify_backup(home, target) == []
    for _ in range(2):
        kill_during(_restore, restored, target, flag=flag, within_s=0.3)
        if (restored.home / "factoryops.sqlite").exists():
            break
    else:
        backup.restore(restored, target)
    assert everything(restored) == everything(home)
