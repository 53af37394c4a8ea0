"""Backup and restore of an embedded installation: lake, operational database, files and secrets, consistent while everything runs.

    TARGET/objects/<sha256>          every file once, by what is in it: a later backup adds only what is new
    TARGET/backups/<moment>.json     one backup: which file of the home is which object; written last, so half a backup is none

Order is what makes it consistent: (1) under the lake's write lock, the catalog: one snapshot, whose data files never change and stay for
a day; (2) the operational database, which still holds every landed batch that this snapshot lacks (they are kept for an hour after they
were loaded), so that the loader goes on after a restore and nothing is missing or doubled; (3) files.
"""

import hashlib
import json
import os
import posixpath
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog

from warehouse.errors import NotFoundError, PermanentError
from warehouse.lake import MARKER, Lake
from warehouse.objects import make_folder, open_store
from warehouse.settings import Settings
from warehouse.tables import LAKE, present_tables

DATABASE: Final = "factoryops.sqlite"
CATALOG: Final = "lake/catalog.sqlite"
FORMAT: Final = 1
_PIECE: Final = 1 << 20
# Of the process that runs now, or made anew at each start.
_NOT_KEPT: Final = ("lake", "backups", "dagster", "mail", "logs", "run", "tmp")
log = structlog.get_logger()


@dataclass(frozen=True)
class BackupResult:
    """What one backup holds, and what it added to the target."""

    name: str
    files: int
    bytes: int
    new_files: int
    new_bytes: int


def back_up(settings: Settings, lake: Lake, target: str, now: datetime) -> BackupResult:
    """Writes a backup of everything to `target`, a folder or fsspec address. Safe to kill: what is there already is used next time.

    Raises PermanentError for an installation on PostgreSQL or S3, which are backed up with their own means, LakeBusyError.
    """
    _require_embedded(settings)
    store = _Store(settings, target)
    name = now.strftime("%Y%m%dT%H%M%SZ")
    with tempfile.TemporaryDirectory(prefix="factoryops-backup-") as folder:
        drafts = Path(folder)
        facts = copy_lake_catalog(settings, lake, drafts)
        _copy_database(settings.home / DATABASE, drafts / "database")
        sources = {CATALOG: drafts / "catalog", DATABASE: drafts / "database"}
        sources |= {f"lake/data/{path}": Path(settings.lake_files) / path for path in facts.pop("data_files")}
        sources |= {str(path.relative_to(settings.home)): path for path in _other_files(settings.home)}
        entries: dict[str, dict[str, Any]] = {}
        new_files = new_bytes = 0
        for place, path in sorted(sources.items()):
            digest, size, is_new = store.put(path)
            entries[place] = {"sha256": digest, "bytes": size}
            new_files, new_bytes = new_files + is_new, new_bytes + size * is_new
        facts |= {"format": FORMAT, "made_at": now.isoformat(), "database_rows": _table_counts(drafts / "database"), "files": entries}
        store.write(f"backups/{name}.json", json.dumps(facts, indent=1).encode())
    done = BackupResult(name, len(entries), sum(int(entry["bytes"]) for entry in entries.values()), new_files, new_bytes)
    log.info("backup_made", name=name, files=done.files, new_files=new_files, new_bytes=new_bytes)
    return done


def list_backups(settings: Settings, target: str) -> list[str]:
    """Names of the complete backups in `target`, oldest first."""
    return _Store(settings, target).names()


def verify_backup(settings: Settings, target: str, name: str | None = None) -> list[str]:
    """Reads every file of a backup (the newest without `name`) and says what is wrong with it; empty when it can be restored."""
    store = _Store(settings, target)
    manifest = store.manifest(name)
    problems = [problem for place, entry in manifest["files"].items() if (problem := store.problem_of(place, entry))]
    if not problems:
        with tempfile.TemporaryDirectory(prefix="factoryops-verify-") as folder:
            for place in (DATABASE, CATALOG):
                copy = Path(folder) / "checked.sqlite"
                store.fetch(manifest["files"][place]["sha256"], copy)
                with closing(sqlite3.connect(copy)) as connection:
                    said = connection.execute("PRAGMA integrity_check").fetchall()[0][0]
                problems += [f"{place}: {said}"] if said != "ok" else []
    return problems


def restore(settings: Settings, source: str, name: str | None = None) -> dict[str, Any]:
    """Puts a backup (the newest without `name`) into an empty home and returns its facts.

    The database comes last, under its final name at the very end: a restore that was killed leaves a home without one, and can be
    repeated. Raises PermanentError when the home holds an installation or a file is damaged.
    """
    _require_embedded(settings)
    home = settings.home
    if (home / DATABASE).exists():
        message = f"{home} holds an installation: restore into an empty folder, given with --home"
        raise PermanentError(message, home=str(home))
    store = _Store(settings, source)
    manifest = store.manifest(name)
    files = dict(manifest["files"])
    last = files.pop(DATABASE)
    home.mkdir(parents=True, exist_ok=True)
    for place, entry in files.items():
        store.fetch_checked(place, entry, home / place)
    point_catalog(home / CATALOG, settings.lake_files)
    (home / "lake" / MARKER).touch()
    (home / "lake.made").touch()
    store.fetch_checked(DATABASE, last, home / DATABASE)
    log.info("backup_restored", files=len(manifest["files"]), home=str(home))
    return manifest


class _Store:
    """The target: a folder or an object store, through fsspec."""

    def __init__(self, settings: Settings, address: str) -> None:
        local = "://" not in address
        self._files, self._root = open_store(settings, str(Path(address).expanduser().absolute()) if local else address)

    def _at(self, *parts: str) -> str:
        return posixpath.join(self._root, *parts)

    def names(self) -> list[str]:
        folder = self._at("backups")
        found = self._files.ls(folder, detail=False) if self._files.exists(folder) else []
        return sorted(Path(path).stem for path in found if str(path).endswith(".json"))

    def manifest(self, name: str | None) -> dict[str, Any]:
        names = self.names()
        if not names or (name is not None and name not in names):
            message = f"there is no backup {name or ''} in {self._root}; there are: {', '.join(names) or 'none'}"
            raise NotFoundError(message, noun="backup", key=name)
        found = json.loads(self._files.cat_file(self._at("backups", f"{name or names[-1]}.json")))
        if found["format"] > FORMAT:
            message = f"the backup was made by a newer version (format {found['format']}): update FactoryOps first"
            raise PermanentError(message)
        return dict(found)

    def put(self, path: Path) -> tuple[str, int, bool]:
        """Adds a file unless its content is there; digest, size, and whether it was added."""
        digest, size = _digest(path), path.stat().st_size
        place = self._at("objects", digest[:2], digest)
        if self._files.exists(place) and self._files.size(place) == size:
            return digest, size, False
        make_folder(self._files, posixpath.dirname(place))
        # Under its own name only when it is whole: a killed backup must not leave half an object that the next one trusts.
        self._files.put_file(str(path), f"{place}.part")
        self._files.mv(f"{place}.part", place)
        return digest, size, True

    def write(self, place: str, content: bytes) -> None:
        make_folder(self._files, posixpath.dirname(self._at(place)))
        self._files.pipe_file(self._at(f"{place}.part"), content)
        self._files.mv(self._at(f"{place}.part"), self._at(place))

    def problem_of(self, place: str, entry: dict[str, Any]) -> str:
        object_place = self._at("objects", entry["sha256"][:2], entry["sha256"])
        if not self._files.exists(object_place):
            return f"{place}: missing"
        checksum = hashlib.sha256()
        with self._files.open(object_place, "rb") as opened:
            while piece := opened.read(_PIECE):
                checksum.update(piece)
        return "" if checksum.hexdigest() == entry["sha256"] else f"{place}: damaged"

    def fetch(self, digest: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.part")
        self._files.get_file(self._at("objects", digest[:2], digest), str(draft))
        draft.replace(path)

    def fetch_checked(self, place: str, entry: dict[str, Any], path: Path) -> None:
        if path.exists() and path.stat().st_size == entry["bytes"] and _digest(path) == entry["sha256"]:
            return  # a restore that was killed had come this far
        if problem := self.problem_of(place, entry):
            message = f"the backup cannot be restored: {problem}; `factoryops verify-backup` lists everything, an older backup may be whole"
            raise PermanentError(message, place=place)
        self.fetch(entry["sha256"], path)
        if place.startswith("secrets/"):
            path.chmod(0o600)


def _require_embedded(settings: Settings) -> None:
    if settings.database_url or settings.lake_catalog_url or settings.lake_data_path:
        message = (
            "this installation keeps its data in PostgreSQL or S3: back up those with their own means (pg_dump or base backups, bucket "
            "versions), first the catalog's database, then DATABASE_URL, then the bucket"
        )
        raise PermanentError(message)


def copy_lake_catalog(settings: Settings, lake: Lake, folder: Path) -> dict[str, Any]:
    """Copies the catalog of an embedded lake to `folder`/catalog as it stands at one snapshot, and tells what that snapshot holds.

    Under the write lock nobody else writes. A fresh SQLite connection may not open the catalog here (two copies of SQLite in one
    process break its locks), so the files are copied as they are, and the copy is put in order by itself.
    """
    with lake.maintenance() as cursor:
        cursor.execute("BEGIN")
        for suffix in ("", "-wal"):
            path = Path(f"{settings.catalog_path}{suffix}")
            if path.exists():
                shutil.copyfile(path, folder / f"catalog{suffix}")
        counts = {name: cursor.execute(f"SELECT count(*) FROM {LAKE}.{name}").fetchall()[0][0] for name in sorted(present_tables(cursor))}
        found = cursor.execute(f"SELECT max(snapshot_id) FROM __ducklake_metadata_{LAKE}.ducklake_snapshot").fetchall()
        cursor.execute("COMMIT")
    with closing(sqlite3.connect(folder / "catalog")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
        files = list(_referenced_files(connection))
    if missing := [path for path in files if not (Path(settings.lake_files) / path).exists()]:
        message = f"the lake lacks {len(missing)} of its data files, such as {missing[0]}: put them back, or restore an older backup"
        raise PermanentError(message, missing=missing)
    return {"snapshot_id": int(found[0][0]), "lake_rows": counts, "data_files": files}


def _referenced_files(connection: sqlite3.Connection) -> Iterator[str]:
    """Paths, relative to the lake's files, of the data and delete files of every snapshot that the catalog knows."""
    schema = "SELECT t.table_id, s.path || t.path FROM ducklake_table t JOIN ducklake_schema s USING (schema_id)"
    folders = dict(connection.execute(schema).fetchall())
    for table in ("ducklake_data_file", "ducklake_delete_file"):
        for table_id, path in connection.execute(f"SELECT table_id, path FROM {table} WHERE path_is_relative").fetchall():
            yield f"{folders[table_id]}{path}"


def _copy_database(source: Path, target: Path) -> None:
    """The operational database as it stands at one moment, while it is written to."""
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _table_counts(database: Path) -> dict[str, int]:
    with closing(sqlite3.connect(database)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0] for name in names}


def _other_files(home: Path) -> Iterator[Path]:
    """Reports, job results, secrets, accounts of the broker: everything small of the home that is no database and no lock."""
    for folder, folders, names in os.walk(home):
        if Path(folder) == home:
            folders[:] = [name for name in folders if name not in _NOT_KEPT]
        for name in names:
            path = Path(folder) / name
            if path.is_file() and not name.startswith(DATABASE) and path.suffix not in {".lock", ".part", ".pid", ".sock"}:
                yield path


def point_catalog(catalog: Path, lake_files: str) -> None:
    """The catalog holds the absolute folder of its data files, which is another one now."""
    with closing(sqlite3.connect(catalog)) as connection, connection:
        connection.execute("UPDATE ducklake_metadata SET value = ? WHERE key = 'data_path'", [lake_files.rstrip("/") + "/"])


def _digest(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
