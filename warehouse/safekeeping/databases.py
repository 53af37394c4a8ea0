"""Both databases of an installation as they stand together at one moment, whichever kind each of them is.

The catalog comes first, then the operational database, and nothing leaves the landing log in between: so the latter still holds every
landed batch that the former lacks, and after a restore the loader goes on where it was, with nothing missing and nothing doubled.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import make_url

from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.landing import TRIM_LOCK
from warehouse.models.all import METADATA
from warehouse.safekeeping import postgres, sqlite
from warehouse.safekeeping.store import Draft
from warehouse.settings import Settings
from warehouse.tables import LAKE, present_tables

DATABASE: Final = "factoryops.sqlite"
CATALOG: Final = "lake/catalog.sqlite"
_WAIT_S: Final = 30.0


def keep_databases(settings: Settings, lake: Lake, draft: Draft) -> dict[str, Any]:
    """Adds both databases to a backup, and tells what they hold; `data_files` are the files that this catalog names.

    Raises LakeBusyError, psycopg.errors.UndefinedTable when the catalog got other tables just now: then try again.
    """
    with ExitStack() as held:
        if settings.lake_catalog_url:
            with nothing_is_trimmed(settings):
                catalog = held.enter_context(postgres.moment_of(settings.lake_catalog_url))
                keep_database = held.enter_context(_database(settings, draft))
            return _keep_catalog(catalog, lake, draft) | keep_database()
        opened: list[Callable[[], dict[str, Any]]] = []
        # Under the catalog's write lock the loader cannot move on, so nothing that this catalog lacks is deleted before.
        facts = sqlite.copy_lake_catalog(
            settings, lake, draft.folder, lambda: opened.append(held.enter_context(_database(settings, draft)))
        )
        draft.add(CATALOG, draft.folder / "catalog")
        return facts | opened[0]()


@contextmanager
def nothing_is_trimmed(settings: Settings) -> Iterator[None]:
    """Nobody deletes landed batches meanwhile; for milliseconds only."""
    file = sqlite_file(settings)
    if file is None:
        with postgres.connect(settings.database_url, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [TRIM_LOCK])
            yield
            # Said aloud: the end of the session frees it only once the server notices.
            connection.execute("SELECT pg_advisory_unlock(%s)", [TRIM_LOCK])
        return
    with closing(sqlite3.connect(file, isolation_level=None, timeout=_WAIT_S)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        yield
        writer.execute("ROLLBACK")


@contextmanager
def _database(settings: Settings, draft: Draft) -> Iterator[Callable[[], dict[str, Any]]]:
    """What adds the operational database as it is now to the backup."""
    file = sqlite_file(settings)
    if file is None:
        with postgres.moment_of(settings.database_url) as connection:
            yield lambda: _keep_database_tables(connection, draft)
        return
    with sqlite.moment_of(file) as moment:
        yield lambda: _keep_database_file(moment, draft)


def _keep_database_file(moment: sqlite3.Connection, draft: Draft) -> dict[str, Any]:
    copy = draft.folder / "database"
    sqlite.copy_database(moment, copy)
    draft.add(DATABASE, copy)
    return {"database_rows": sqlite.table_counts(copy)}


def _keep_database_tables(connection: postgres.Connection, draft: Draft) -> dict[str, Any]:
    present = set(postgres.tables_like(connection, "%"))
    # Others may live in the same database, such as Dagster's.
    tables = [table.name for table in METADATA.sorted_tables if table.name in present]
    copies = postgres.copy_out(connection, tables, _keeper("database", draft))
    return {
        "database_rows": {copy.name: copy.rows for copy in copies},
        "database": {
            "revision": connection.execute("SELECT version_num FROM alembic_version").fetchall()[0][0],
            "tables": [asdict(copy) for copy in copies],
            "counters": postgres.counters(connection, tables),
        },
    }


def _keep_catalog(catalog: postgres.Connection, lake: Lake, draft: Draft) -> dict[str, Any]:
    tables = postgres.tables_like(catalog, r"ducklake\_%")
    copies = postgres.copy_out(catalog, tables, _keeper("catalog", draft), with_shape=True)
    newest = int(catalog.execute("SELECT max(snapshot_id) FROM ducklake_snapshot").fetchall()[0][0])
    files = sqlite.referenced_files(lambda question: catalog.execute(question.encode()).fetchall())
    with lake.cursor() as cursor:
        at = f"AT (VERSION => {newest})"
        counts = {
            name: cursor.execute(f"SELECT count(*) FROM {LAKE}.{name} {at}").fetchall()[0][0] for name in sorted(present_tables(cursor))
        }
    return {"snapshot_id": newest, "lake_rows": counts, "data_files": files, "catalog": {"tables": [asdict(copy) for copy in copies]}}


def piece_place(part: str, table: str, number: int) -> str:
    """Where a piece of a table stands in a backup."""
    return f"{part}/{table}/{number:06d}.copy.gz"


def _keeper(part: str, draft: Draft) -> postgres.Keep:
    return lambda table, number, piece: draft.add_content(piece_place(part, table, number), piece)


def sqlite_file(settings: Settings) -> Path | None:
    """The file of the operational database; None when that is in PostgreSQL."""
    url = make_url(settings.operational_url)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def revision_of(settings: Settings) -> str:
    """Which migration the operational database is at; empty when it has no tables."""
    db = Database(settings.operational_url)
    try:
        with db.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() or ""
    finally:
        db.dispose()


def load_database(settings: Settings, part: dict[str, Any], piece: Callable[[str], bytes]) -> None:
    """Fills the empty operational database in one transaction: killed, it is as empty as before."""
    db = Database(settings.operational_url)
    try:
        db.migrate(part["revision"])
    finally:
        db.dispose()
    with postgres.connect(settings.database_url) as connection:
        postgres.see_everything(connection)
        _load(connection, "database", part["tables"], piece)
        postgres.count_on(connection, part["counters"])


def load_catalog(settings: Settings, part: dict[str, Any], piece: Callable[[str], bytes]) -> None:
    """Makes the catalog in one transaction, with the lake's files where the settings say; nothing when that was done."""
    with postgres.connect(settings.lake_catalog_url) as connection:
        if catalog_is_there(connection):
            return
        _load(connection, "catalog", part["tables"], piece)
        folder = settings.lake_files.rstrip("/") + "/"
        connection.execute("UPDATE ducklake_metadata SET value = %s WHERE key = 'data_path'", [folder])


def catalog_is_there(connection: postgres.Connection) -> bool:
    """Whether a database holds the catalog of a lake."""
    return bool(postgres.tables_like(connection, r"ducklake\_snapshot"))


def _load(connection: postgres.Connection, part: str, tables: list[dict[str, Any]], piece: Callable[[str], bytes]) -> None:
    for facts in tables:
        copy = postgres.TableCopy(**facts)
        postgres.copy_in(connection, copy, (piece(piece_place(part, copy.name, number)) for number in range(copy.pieces)))


def problems_of(manifest: dict[str, Any], piece: Callable[[str], bytes], folder: Path, fetch: Callable[[str, Path], None]) -> list[str]:
    """What is wrong inside the databases of a backup whose files are whole."""
    found = []
    for part, place in (("database", DATABASE), ("catalog", CATALOG)):
        for facts in manifest.get(part, {}).get("tables", []):
            rows = sum(postgres.rows_in(piece(piece_place(part, facts["name"], number))) for number in range(facts["pieces"]))
            if rows != facts["rows"]:
                found.append(f"{part}/{facts['name']}: {rows:,} rows instead of {facts['rows']:,}")
        if part not in manifest:
            fetch(place, folder / part)
            with closing(sqlite3.connect(folder / part)) as connection:
                said = connection.execute("PRAGMA integrity_check").fetchall()[0][0]
            found += [f"{place}: {said}"] if said != "ok" else []
    return found
