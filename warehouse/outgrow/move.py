"""From an embedded installation to PostgreSQL and an object store, without loss; killed anywhere, the next run goes on.

    HOME (SQLite, folders)  --tables--> DATABASE_URL    --lake--> LAKE_CATALOG_URL + LAKE_DATA_PATH    --files--> OBJECT_STORE_URL

The old data stay as they are. Which target a home moves to is noted in it, so that a second run goes on there, and only there.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import make_url, select

from warehouse.db import Database
from warehouse.errors import PermanentError
from warehouse.heartbeat import MISSING_AFTER, heartbeats
from warehouse.lake import Lake
from warehouse.models.streams import Lease
from warehouse.objects import make_bucket, open_store
from warehouse.outgrow.catalog import PartitionMoved, compare_lakes, copy_catalog, flush
from warehouse.outgrow.files import FilesMoved, Say, copy_files, names_in
from warehouse.outgrow.tables import TableMoved, copy_tables
from warehouse.safekeeping.databases import DATABASE
from warehouse.safekeeping.sqlite import copy_lake_catalog
from warehouse.settings import Settings
from warehouse.tenancy import system_session

NOTE: Final = "migrate-storage.json"
_TARGETS: Final = ("database_url", "lake_catalog_url", "lake_data_path", "object_store_url")


@dataclass(frozen=True)
class Moved:
    """What stands on both sides now, compared by count and checksum."""

    tables: list[TableMoved]
    lake: list[PartitionMoved]
    lake_files: FilesMoved
    files: FilesMoved


def migrate_storage(new: Settings, now: datetime, say: Say) -> Moved:
    """Moves what is embedded in the home of `new` to where `new` says. Nothing else may run; the caller keeps `up` from starting.

    Raises PermanentError with what to do when a target is missing or is not empty, something runs, or both sides differ in the end;
    RetryableError while a store is away.
    """
    _require_targets(new)
    old = embedded(new)
    if not (old.home / DATABASE).exists():
        raise PermanentError(f"{old.home} holds no embedded installation: give the right folder with --home", home=str(old.home))
    with _opened(old) as source, _opened(new) as target:
        require_stopped(source, now)
        _note_target(new, now)
        for address in (new.lake_files, new.files_url):
            make_bucket(new, address)
        say("operational database")
        tables = copy_tables(source, target, say)
    lake_files, partitions = _move_lake(old, new, say)
    say("files of reports and analyses")
    store, root = open_store(new, new.files_url)
    folder = old.home / "files"
    files = copy_files(folder, names_in(folder), store, root, say)
    return Moved(tables, partitions, lake_files, files)


def embedded(settings: Settings) -> Settings:
    """The settings of the same home as it is without any other storage."""
    return settings.model_copy(update=dict.fromkeys(_TARGETS, ""))


def require_stopped(db: Database, now: datetime) -> None:
    """Raises PermanentError while a process gives signs of life or holds a lease."""
    running = [beat.name for beat in heartbeats(db) if now - beat.at <= MISSING_AFTER]
    with system_session(db, "does anything run") as session:
        running += [lease.name for lease in session.scalars(select(Lease).where(Lease.expires_at > now))]
    if running:
        message = (
            f"{', '.join(sorted(set(running)))} may still be at work on this installation: stop everything, wait for "
            f"{MISSING_AFTER.total_seconds():.0f} s, then run the command again"
        )
        raise PermanentError(message, running=running)


def _move_lake(old: Settings, new: Settings, say: Say) -> tuple[FilesMoved, list[PartitionMoved]]:
    with tempfile.TemporaryDirectory(prefix="factoryops-move-") as folder:
        say("lake: files")
        with closing(Lake(old)) as lake:
            flush(lake)
            facts = copy_lake_catalog(old, lake, Path(folder))
        store, root = open_store(new, new.lake_files)
        moved = copy_files(Path(old.lake_files), sorted(set(facts["data_files"])), store, root, say)
        copy_catalog(Path(folder) / "catalog", new, say)
    say("lake: both sides are compared")
    with closing(Lake(old)) as here, closing(Lake(new)) as there:
        return moved, compare_lakes(here, there, say)


def _require_targets(new: Settings) -> None:
    missing = [name.upper() for name in _TARGETS if not getattr(new, name)]
    if missing:
        message = (
            f"{', '.join(missing)} must say where the data shall go: two empty PostgreSQL databases and two prefixes of an object store; "
            "docs/storage.md shows an example"
        )
        raise PermanentError(message, missing=missing)
    if Database(new.database_url).is_sqlite:
        raise PermanentError("DATABASE_URL must be a PostgreSQL database, such as postgresql+psycopg://user:password@host/database")


def _note_target(new: Settings, now: datetime) -> None:
    """Notes the target in the home. Raises PermanentError when the home was moving elsewhere: two halves would be no whole."""
    path = new.home / NOTE
    target = {
        "database": make_url(new.database_url).render_as_string(hide_password=True),
        "catalog": make_url(new.lake_catalog_url).render_as_string(hide_password=True),
        "lake": new.lake_files,
        "files": new.files_url,
    }
    if path.exists():
        noted = json.loads(path.read_text(encoding="utf-8"))
        if noted["target"] != target:
            message = (
                f"{new.home} began to move to {noted['target']['database']} and {noted['target']['lake']}: go on there, or delete {path} "
                "and give empty databases"
            )
            raise PermanentError(message, path=str(path))
        return
    path.write_text(json.dumps({"began_at": now.isoformat(), "target": target}, indent=1), encoding="utf-8")


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    db = Database(settings.operational_url)
    try:
        yield db
    finally:
        db.dispose()
