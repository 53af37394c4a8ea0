"""An installation on PostgreSQL and S3 is backed up while it is written to, and comes back whole in empty databases and another bucket."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import delete, select

from tests.fixtures.postgres import create_database, drop_database, sqlalchemy_url
from tests.warehouse.frames import START, at, series
from tests.warehouse.queries.conftest import filled
from tests.warehouse.victims import kill_during
from warehouse import backup, landing, maintenance, rollups
from warehouse.access import audit
from warehouse.db import Database
from warehouse.errors import PermanentError
from warehouse.lake import Lake
from warehouse.models.all import METADATA
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.models.streams import DeadLetter, LandingBatch
from warehouse.objects import ObjectStore
from warehouse.outgrow.tables import _see_everything, fingerprint
from warehouse.safekeeping import postgres
from warehouse.safekeeping.databases import nothing_is_trimmed
from warehouse.secrets import generated_secret
from warehouse.settings import Settings
from warehouse.tables import SHAPES
from warehouse.tenancy import system_session, tenant_session

NOW = START + timedelta(days=3)


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    db = Database(settings.operational_url)
    try:
        yield db
    finally:
        db.dispose()


def land(db: Database, number: int) -> int:
    with system_session(db, "test", write=True) as session:
        return landing.append(session, series(1, "power", [1.0], start_s=number), 1, START)


@pytest.fixture
def plant(outgrown_settings: Settings) -> Settings:
    """Some of everything: texts and bytes that COPY must escape, a number given out and gone, rows in the catalog, files, deletions."""
    with opened(outgrown_settings) as db:
        filled(db)
        for number in range(3):
            land(db, number)
        with tenant_session(db, 1, write=True) as session:
            audit.append(session, "rule.update", "rule:1", START, audit.Actor(1))
        odd = DeadLetter(
            factory_id=None, reason="r", detail='ä\t\\N\n"', topic="t", payload=b"\x00\xff\n", payload_size=3, received_at=START
        )
        with system_session(db, "test", write=True) as session:
            session.add(odd)
            session.execute(delete(LandingBatch).where(LandingBatch.position == 3))
    ObjectStore(outgrown_settings).write("factories/1/report.pdf", b"%PDF" * 1000)
    generated_secret(outgrown_settings, "jwt")
    with closing(Lake(outgrown_settings)) as lake:
        lake.append(series(1, "power", [float(i) for i in range(900)]), ("main", 1))
        lake.append(series(2, "power", [1.0] * 5), ("main", 2))
        rollups.roll_up(lake, NOW, {})
        maintenance.expire_readings(lake, at(7200))
        lake.append(series(3, "power", [float(i) for i in range(7)], start_s=8005), ("main", 3))
    return outgrown_settings


@pytest.fixture
def elsewhere(plant: Settings, postgres_url: str, tmp_path: Path) -> Iterator[Settings]:
    """Two empty databases, an empty bucket that does not exist yet, an empty home."""
    operational, catalog = create_database(postgres_url), create_database(postgres_url)
    bucket = plant.lake_data_path.removesuffix("/lake")
    yield plant.model_copy(
        update={
            "factoryops_home": tmp_path / "restored",
            "database_url": sqlalchemy_url(operational),
            "lake_catalog_url": catalog,
            "lake_data_path": f"{bucket}-restored/lake",
            "object_store_url": f"{bucket}-restored/files",
        }
    )
    drop_database(postgres_url, operational)
    drop_database(postgres_url, catalog)


def everything(settings: Settings) -> dict[str, object]:
    """Every table of the operational database by its rows, and every row of the lake."""
    found: dict[str, object] = {}
    with opened(settings) as db, db.engine.begin() as connection:
        _see_everything(connection)
        found |= {table.name: fingerprint(connection, table) for table in METADATA.sorted_tables}
    with closing(Lake(settings)) as lake, lake.cursor() as cursor:
        return found | {name: cursor.execute(f"SELECT * FROM lake.{name} ORDER BY ALL").pl().rows() for name in SHAPES}


def make(settings: Settings, target: str, minute: int = 0) -> backup.BackupResult:
    with closing(Lake(settings)) as lake:
        return backup.back_up(settings, lake, target, START + timedelta(minutes=minute))


def _restore(settings: Settings, target: str) -> None:
    backup.restore(settings, target)


@pytest.mark.slow
def test_a_backup_restores_into_empty_databases_and_an_empty_bucket(plant: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    bucket = plant.lake_data_path.removesuffix("/lake")
    # Among the files of reports on purpose: a backup does not hold its own objects.
    target, flag = f"{bucket}/files/backups", tmp_path / "begun"
    kill_during(make, plant, target, 9, flag=flag, within_s=1.5)
    assert all(backup.verify_backup(plant, target, name) == [] for name in backup.list_backups(plant, target))
    make(plant, target, 10)
    with closing(Lake(plant)) as lake:
        lake.append(series(9, "power", [1.0] * 400, step_s=1, start_s=9e5), ("main", 4))
    second = make(plant, target, 11)
    assert second.new_files < second.files / 4, "one new data file, and those pieces of the catalog that tell of it"
    assert backup.verify_backup(plant, target) == []
    before = everything(plant)
    if kill_during(_restore, elsewhere, target, flag=flag, within_s=1.5):
        backup.restore(elsewhere, target)
    assert everything(elsewhere) == before
    assert ObjectStore(elsewhere).read("factories/1/report.pdf") == b"%PDF" * 1000
    assert generated_secret(elsewhere, "jwt") == generated_secret(plant, "jwt")
    with opened(elsewhere) as db:
        assert land(db, 3) == 4, "no position is given out twice"
        with tenant_session(db, 2) as session:
            assert not session.scalars(select(Device).where(Device.factory_id == 1)).all(), "the walls between factories stand again"
    with closing(Lake(elsewhere)) as lake:
        lake.append(series(1, "power", [2.0] * 300, start_s=2e5), ("main", 5))
        assert lake.loader_position("main") == 5
    with pytest.raises(PermanentError, match="holds an installation"):
        backup.restore(elsewhere, target)


def test_nothing_is_restored_over_what_is_there(plant: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    target = str(tmp_path / "target")
    make(plant, target)
    with pytest.raises(PermanentError, match="LAKE_CATALOG_URL holds a lake"):
        backup.restore(elsewhere.model_copy(update={"lake_catalog_url": plant.lake_catalog_url}), target)
    with pytest.raises(PermanentError, match="LAKE_DATA_PATH holds files"):
        backup.restore(elsewhere.model_copy(update={"lake_data_path": plant.lake_data_path}), target)
    with pytest.raises(PermanentError, match="kept in PostgreSQL"):
        backup.restore(elsewhere.model_copy(update={"database_url": ""}), target)
    with opened(elsewhere) as db:
        db.migrate()
        with system_session(db, "test", write=True) as session:
            session.add(Factory(id=77, name="West", slug="west"))
    with pytest.raises(PermanentError, match="DATABASE_URL holds an installation"):
        backup.restore(elsewhere, target)


def test_no_landed_batch_goes_while_both_databases_are_looked_at(outgrown_settings: Settings) -> None:
    """Else one that the loader had just passed could be in neither: too late for the catalog, too early for the landing log."""
    with opened(outgrown_settings) as db:
        position = land(db, 1)

        def trim() -> None:
            with system_session(db, "test", write=True) as session:
                landing.trim(session, NOW, [], lake_position=position)

        trimmer = threading.Thread(target=trim)
        with nothing_is_trimmed(outgrown_settings):
            trimmer.start()
            trimmer.join(0.3)
            assert trimmer.is_alive()
            with postgres.moment_of(outgrown_settings.database_url) as moment:
                assert moment.execute("SELECT count(*) FROM landing_batches").fetchall() == [(1,)]
        trimmer.join()
        with system_session(db, "test") as session:
            assert landing.size(session).batches == 0


def test_a_large_table_comes_in_pieces_that_end_with_a_row(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was only added to has its first pieces as before: the next backup adds the last ones."""
    monkeypatch.setattr(postgres, "PIECE_BYTES", 1000)
    kept: dict[int, bytes] = {}

    def copied() -> postgres.TableCopy:
        kept.clear()
        with postgres.moment_of(postgres_database) as moment:
            return postgres.copy_out(moment, ["odd"], lambda _, number, piece: kept.update({number: piece}), with_shape=True)[0]

    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE odd (id integer PRIMARY KEY, said text NOT NULL DEFAULT 'x', at timestamptz, raw bytea)")
        connection.execute("CREATE INDEX odd_said ON odd (said)")
        add = "INSERT INTO odd SELECT n, repeat(E'\\t\\n\\\\', 9), now(), '\\x00ff' FROM generate_series(%s::integer, %s) n"
        connection.execute(add, [1, 100])
        before, pieces = copied(), dict(kept)
        connection.execute(add, [101, 200])
        after = copied()
        assert (before.rows, after.rows, sum(map(postgres.rows_in, kept.values()))) == (100, 200, 200)
        assert [kept[number] == piece for number, piece in pieces.items()] == [True] * (before.pieces - 1) + [False]
        rows: list[tuple[Any, ...]] = connection.execute("SELECT * FROM odd ORDER BY id").fetchall()
        connection.execute("DROP TABLE odd")
        with connection.transaction():
            postgres.copy_in(connection, after, (kept[number] for number in range(after.pieces)))
        assert connection.execute("SELECT * FROM odd ORDER BY id").fetchall() == rows
        assert copied() == replace(after), "its columns, key and indexes as they were"
