"""An embedded installation moves to PostgreSQL and S3 and is the same there, also when the move is killed and begun again."""

import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from tests.warehouse.frames import START, at, series
from tests.warehouse.queries.conftest import filled
from tests.warehouse.victims import kill_during
from warehouse import maintenance, rollups
from warehouse.access import audit
from warehouse.db import Database
from warehouse.errors import PermanentError
from warehouse.heartbeat import Heartbeat, beat, say_goodbye
from warehouse.lake import Lake
from warehouse.landing import append
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.models.streams import DeadLetter, LandingBatch
from warehouse.objects import ObjectStore
from warehouse.outgrow.move import embedded, migrate_storage
from warehouse.settings import Settings
from warehouse.tables import SHAPES
from warehouse.tenancy import system_session, tenant_session

pytestmark = pytest.mark.slow
NOW = START + timedelta(days=3)


@pytest.fixture
def home(outgrown_settings: Settings, sqlite_template: Path) -> Settings:
    """An embedded home with some of everything, and settings that say where it shall move to."""
    old = embedded(outgrown_settings)
    old.home.mkdir(parents=True)
    shutil.copy(sqlite_template, old.home / "factoryops.sqlite")
    db = filled(Database(old.operational_url))
    for number in range(3):
        land(db, number)
    with tenant_session(db, 1, write=True) as session:
        audit.append(session, "rule.update", "rule:1", START, audit.Actor(1))
    with system_session(db, "test", write=True) as session:
        session.add(DeadLetter(factory_id=None, reason="r", detail="ä", topic="t", payload=b"\x00\xff", payload_size=2, received_at=START))
        # The newest number is given out, and gone.
        session.execute(delete(LandingBatch).where(LandingBatch.position == 3))
    db.dispose()
    (old.home / "files" / "factories" / "1").mkdir(parents=True)
    (old.home / "files" / "factories" / "1" / "report.pdf").write_bytes(b"%PDF" * 1000)
    with closing(Lake(old)) as lake:
        lake.append(series(1, "power", [float(i) for i in range(900)]), ("main", 1))
        lake.append(series(2, "power", [1.0] * 5), ("main", 2))
        rollups.roll_up(lake, NOW, {})
        maintenance.expire_readings(lake, at(7200))
        lake.append(series(3, "power", [float(i) for i in range(7)], start_s=8005), ("main", 3))
    return outgrown_settings


def land(db: Database, number: int) -> int:
    with system_session(db, "test", write=True) as session:
        return append(session, series(1, "power", [1.0], start_s=number), 1, START)


def lake_rows(settings: Settings, version: int | None = None) -> dict[str, list[tuple[object, ...]]]:
    at_version = "" if version is None else f" AT (VERSION => {version})"
    with closing(Lake(settings)) as lake, lake.cursor() as cursor:
        return {name: cursor.execute(f"SELECT * FROM lake.{name}{at_version} ORDER BY ALL").pl().rows() for name in SHAPES}


def _move(settings: Settings) -> None:
    migrate_storage(settings, NOW, print)


def test_a_move_that_is_killed_again_and_again_ends_whole(home: Settings, tmp_path: Path) -> None:
    old = embedded(home)
    with closing(Lake(old)) as lake:
        pinned = lake.snapshot_id()
        ago = lake_rows(old, pinned - 2)
        lake.append(series(4, "power", [1.0], start_s=9000), ("main", 4))
    before = lake_rows(old)
    for _ in range(2):
        kill_during(_move, home, flag=tmp_path / "begun", within_s=2)
    done = migrate_storage(home, NOW, print)
    assert lake_rows(home) == before
    assert lake_rows(home, pinned - 2) == ago, "what a report was made from can still be read"
    assert {table.name: table.rows for table in done.tables}["latest_values"] == 5
    assert sum(partition.rows for partition in done.lake) == sum(len(rows) for rows in before.values())
    again = migrate_storage(home, NOW, print)
    assert (again.lake_files.copied, again.files.copied, again.files.files) == (0, 0, 1)
    db = Database(home.operational_url)
    with tenant_session(db, 1) as session:
        assert {device.device_key for device in session.scalars(select(Device))} >= {"M1", "P2"}
    assert land(db, 3) == 4, "no position is given out twice"
    db.dispose()
    assert ObjectStore(home).read("factories/1/report.pdf") == b"%PDF" * 1000
    with closing(Lake(home)) as lake:
        lake.append(series(1, "power", [2.0] * 300, start_s=2e5), ("main", 5))
        rollups.roll_up(lake, NOW + timedelta(days=9), {})
        maintenance.maintain(lake, NOW, timedelta(days=30))
        assert lake.reader(1).query("SELECT count(*) FROM telemetry").item() == len(before["telemetry"]) + 300


def test_a_move_says_what_it_lacks(home: Settings) -> None:
    with pytest.raises(PermanentError, match="LAKE_DATA_PATH, OBJECT_STORE_URL must say"):
        migrate_storage(home.model_copy(update={"lake_data_path": "", "object_store_url": ""}), NOW, print)
    with pytest.raises(PermanentError, match="no embedded installation"):
        migrate_storage(home.model_copy(update={"factoryops_home": home.home / "elsewhere"}), NOW, print)


def test_nothing_moves_while_something_runs(home: Settings) -> None:
    db = Database(embedded(home).operational_url)
    beat(db, Heartbeat("ingester", NOW - timedelta(seconds=3)))
    with pytest.raises(PermanentError, match="ingester may still be at work"):
        migrate_storage(home, NOW, print)
    say_goodbye(db, "ingester")
    db.dispose()


def test_a_move_goes_to_one_place_and_over_nothing(home: Settings) -> None:
    with closing(Lake(home)) as other:
        other.append(series(1, "power", [1.0]), ("main", 1))
    with pytest.raises(PermanentError, match="another lake"):
        migrate_storage(home, NOW, print)
    with pytest.raises(PermanentError, match="began to move to"):
        migrate_storage(home.model_copy(update={"lake_data_path": "s3://elsewhere/lake"}), NOW, print)
    target = Database(home.operational_url)
    with system_session(target, "test", write=True) as session:
        session.add(Factory(id=77, name="West", slug="west"))
    target.dispose()
    with pytest.raises(PermanentError, match="factories differs"):
        migrate_storage(home, NOW, print)
