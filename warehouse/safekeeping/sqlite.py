"""The SQLite databases of an embedded installation as they stand at one moment, while they are written to."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from warehouse.lake import Lake
from warehouse.settings import Settings
from warehouse.tables import LAKE, present_tables


@contextmanager
def moment_of(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees the database as it is now, whatever is written later."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        yield connection


def copy_database(moment: sqlite3.Connection, target: Path) -> None:
    """Writes what the connection sees to a new file."""
    with closing(sqlite3.connect(target)) as new:
        moment.backup(new)


def table_counts(database: Path) -> dict[str, int]:
    """Rows by table."""
    with closing(sqlite3.connect(database)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0] for name in names}


def copy_lake_catalog(settings: Settings, lake: Lake, folder: Path, at_that_moment: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """Copies the catalog of an embedded lake to `folder`/catalog as it stands at one snapshot, and tells what that snapshot holds.

    Under the write lock nobody else writes, also not until `at_that_moment` has returned. A fresh SQLite connection may not open the
    catalog here (two copies of SQLite in one process break its locks), so the files are copied as they are, and the copy is put in
    order by itself.
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
        at_that_moment()
    with closing(sqlite3.connect(folder / "catalog")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
        files = referenced_files(lambda question: connection.execute(question).fetchall())
    return {"snapshot_id": int(found[0][0]), "lake_rows": counts, "data_files": files}


def referenced_files(ask: Callable[[str], list[tuple[Any, ...]]]) -> list[str]:
    """Paths, relative to the lake's files, of the data and delete files of every snapshot that a catalog knows."""
    folders = dict(ask("SELECT t.table_id, s.path || t.path FROM ducklake_table t JOIN ducklake_schema s USING (schema_id)"))
    return [
        f"{folders[table_id]}{path}"
        for table in ("ducklake_data_file", "ducklake_delete_file")
        for table_id, path in ask(f"SELECT table_id, path FROM {table} WHERE path_is_relative")
    ]


def point_catalog(catalog: Path, lake_files: str) -> None:
    """The catalog holds the absolute folder of its data files, which is another one now."""
    with closing(sqlite3.connect(catalog)) as connection, connection:
        connection.execute("UPDATE ducklake_metadata SET value = ? WHERE key = 'data_path'", [lake_files.rstrip("/") + "/"])
