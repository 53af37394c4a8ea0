"""A backup into an empty installation, of the same kinds of database and at any place; killed anywhere, the next run goes on.

    files of the home, of the lake, of reports  -->  catalog, at once  -->  operational database, at once and last

An installation without operational database is none, so half a restore is never started. Where databases and stores are not in the
home, nothing there tells what is whose: they must be empty at the beginning, and a note in the home says that the beginning was made.
"""

import json
import tempfile
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import exists, inspect, select, text

from warehouse.db import Database
from warehouse.errors import PermanentError
from warehouse.lake import MARKER
from warehouse.models.all import METADATA
from warehouse.objects import make_bucket, make_folder, open_store
from warehouse.safekeeping import postgres
from warehouse.safekeeping.databases import CATALOG, DATABASE, catalog_is_there, load_catalog, load_database, revision_of, sqlite_file
from warehouse.safekeeping.files import FILES, LAKE_FILES, any_file
from warehouse.safekeeping.sqlite import point_catalog
from warehouse.safekeeping.store import BackupStore
from warehouse.settings import Settings

NOTE: Final = "restore.json"
log = structlog.get_logger()


def restore(settings: Settings, store: BackupStore, name: str | None) -> dict[str, Any]:
    """Does it, and returns the facts of the backup."""
    file = sqlite_file(settings)
    if file is not None and file.exists():
        message = f"{file.parent} holds an installation: restore into an empty folder, given with --home"
        raise PermanentError(message, home=str(settings.home))
    manifest = store.manifest(name)
    files = manifest["files"]
    _require_same_kinds(settings, manifest)
    _begin(settings, manifest)
    _deliver_files(settings, store, files)

    def piece(place: str) -> bytes:
        return store.read(files[place]["sha256"])

    if settings.lake_catalog_url:
        load_catalog(settings, manifest["catalog"], piece)
    else:
        store.fetch(CATALOG, files[CATALOG], settings.catalog_path)
        point_catalog(settings.catalog_path, settings.lake_files)
        (settings.catalog_path.parent / MARKER).touch()
        (settings.home / "lake.made").touch()
    if file is not None:
        store.fetch(DATABASE, files[DATABASE], file)
    elif not _holds_rows(settings):
        load_database(settings, manifest["database"], piece)
    (settings.home / NOTE).unlink(missing_ok=True)
    log.info("backup_restored", files=len(files), home=str(settings.home))
    return manifest


def _deliver_files(settings: Settings, store: BackupStore, files: dict[str, dict[str, Any]]) -> None:
    """Every file to where the settings have its kind; databases are none."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="factoryops-restore-") as folder:
        elsewhere = {prefix: open_store(settings, address) for prefix, address in _places(settings).items()}
        for place, entry in files.items():
            if place in {DATABASE, CATALOG} or place.startswith(("database/", "catalog/")):
                continue
            prefix = next((prefix for prefix in elsewhere if place.startswith(prefix)), "")
            if not prefix:
                path = settings.home / place
                store.fetch(place, entry, path)
                if place.startswith("secrets/"):
                    path.chmod(0o600)
                continue
            target, root = elsewhere[prefix]
            path_there = f"{root}/{place.removeprefix(prefix)}"
            if "file" in target.protocol:
                make_folder(target, path_there.rpartition("/")[0])
                store.fetch(place, entry, Path(path_there))
            else:
                store.deliver(place, entry, target, path_there, Path(folder))


def _places(settings: Settings) -> dict[str, str]:
    return {LAKE_FILES: settings.lake_files, FILES: settings.files_url}


def _require_same_kinds(settings: Settings, manifest: dict[str, Any]) -> None:
    in_postgresql = {"database": sqlite_file(settings) is None, "catalog": bool(settings.lake_catalog_url)}
    for part, setting in (("database", "database_url"), ("catalog", "lake_catalog_url")):
        if (part in manifest) == in_postgresql[part]:
            continue
        asked = f"give an empty PostgreSQL database in {setting.upper()}" if part in manifest else f"leave {setting.upper()} empty"
        kept = "PostgreSQL" if part in manifest else "SQLite"
        raise PermanentError(f"the backup's {part} was kept in {kept}: {asked}; `factoryops migrate-storage` moves it afterwards")


def _begin(settings: Settings, manifest: dict[str, Any]) -> None:
    """Sees to it that nothing is written over: what is not empty is refused, unless it is what this very restore began to write."""
    outside = {name: getattr(settings, name) for name in ("database_url", "lake_catalog_url", "lake_data_path", "object_store_url")}
    if not any(outside.values()):
        return
    note = settings.home / NOTE
    begun = {"made_at": manifest["made_at"], "lake_files": settings.lake_files, "files": settings.files_url}
    if note.exists() and json.loads(note.read_text(encoding="utf-8")) == begun:
        return
    for address in (settings.lake_files, settings.files_url):
        make_bucket(settings, address)
    if found := _first_found(settings, manifest):
        message = f"{found}: restore into empty databases and empty prefixes only; what is there stays as it is"
        raise PermanentError(message, found=found)
    settings.home.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(begun), encoding="utf-8")


def _first_found(settings: Settings, manifest: dict[str, Any]) -> str:
    """What is in the way; empty when nothing is."""
    if sqlite_file(settings) is None:
        revision = revision_of(settings)
        if revision and revision != manifest["database"]["revision"]:
            return f"DATABASE_URL has tables of another version ({revision})"
        if _holds_rows(settings):
            return "DATABASE_URL holds an installation"
    if settings.lake_catalog_url:
        with postgres.connect(settings.lake_catalog_url) as connection:
            if catalog_is_there(connection):
                return "LAKE_CATALOG_URL holds a lake"
    for setting, address in (("LAKE_DATA_PATH", settings.lake_data_path), ("OBJECT_STORE_URL", settings.object_store_url)):
        if address and (name := any_file(settings, address)):
            return f"{setting} holds files, such as {name}"
    return ""


def _holds_rows(settings: Settings) -> bool:
    db = Database(settings.operational_url)
    try:
        with db.engine.begin() as connection:
            connection.execute(text("SELECT set_config('factoryops.system', 'on', true)"))
            present = inspect(connection).get_table_names()
            return any(
                connection.execute(select(exists(select(1).select_from(table)))).scalar_one()
                for table in METADATA.sorted_tables
                if table.name in present
            )
    finally:
        db.dispose()
