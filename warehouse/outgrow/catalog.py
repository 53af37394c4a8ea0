"""The lake from a SQLite catalog and a folder to PostgreSQL and another store, with its history: snapshots keep their numbers.

rows that wait in the catalog --> files      so that both kinds of catalog hold the same tables
data files of every snapshot  --> the store, byte by byte
tables of the catalog         --> PostgreSQL, in one transaction: the new lake is whole or empty
"""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from warehouse.errors import PermanentError
from warehouse.extensions import EXTENSIONS_AS_INSTALLED, extension_file
from warehouse.lake import Lake
from warehouse.outgrow.files import Say
from warehouse.settings import Settings
from warehouse.tables import LAKE, SHAPES

_ROWS_IN_CATALOG: Final = "ducklake_inlined_data_"
_DELETIONS_IN_CATALOG: Final = "ducklake_inlined_delete_"


@dataclass(frozen=True)
class PartitionMoved:
    """A day of one lake table that is the same on both sides; tables without time are one partition."""

    table: str
    day: datetime | None
    rows: int
    checksum: int
    """Sum of hashes of the rows, whatever their order."""


def flush(lake: Lake) -> None:
    """Writes every row that waits in the catalog to files."""
    for table in SHAPES:
        with lake.maintenance() as cursor:
            cursor.execute(f"CALL ducklake_flush_inlined_data('{LAKE}', table_name => '{table}')")


def copy_catalog(copy: Path, new: Settings, say: Say) -> None:
    """Brings a copy of the SQLite catalog to PostgreSQL, unless it is there. Raises PermanentError when another lake is there."""
    with closing(duckdb.connect(config=EXTENSIONS_AS_INSTALLED)) as connection:
        for name in ("sqlite_scanner", "postgres_scanner", "ducklake"):
            connection.execute(f"LOAD '{extension_file(name)}'")
        connection.execute("SET TimeZone = 'UTC'")
        address = _quoted(new.lake_catalog_url)
        # Makes the tables of a catalog in an empty database, with the types that DuckLake wants there. No data file is touched: a path that
        # needs no further extension will do, and is replaced below.
        options = f"DATA_PATH '{_quoted(str(copy.parent))}', OVERRIDE_DATA_PATH true"
        connection.execute(f"ATTACH 'ducklake:postgres:{address}' AS fresh ({options})")
        connection.execute("DETACH fresh")
        connection.execute(f"ATTACH '{_quoted(str(copy))}' AS old (TYPE sqlite, READ_ONLY)")
        connection.execute(f"ATTACH '{address}' AS new (TYPE postgres)")
        newest, present = _newest(connection, "old"), _newest(connection, "new.public")
        if present == newest:
            say("the catalog is there already")
            return
        if present:
            message = f"LAKE_CATALOG_URL holds another lake (snapshot {present} instead of {newest}): give an empty database"
            raise PermanentError(message, snapshot_id=present)
        say(f"catalog: {newest:,} snapshots")
        connection.execute("BEGIN")
        for table, columns in _tables(connection).items():
            _copy_table(connection, table, columns)
        connection.execute("DELETE FROM new.public.ducklake_metadata WHERE key = 'data_path'")
        folder = new.lake_files.rstrip("/") + "/"
        connection.execute("INSERT INTO new.public.ducklake_metadata (key, value) VALUES ('data_path', ?)", [folder])
        connection.execute("COMMIT")


def compare_lakes(old: Lake, new: Lake, say: Say) -> list[PartitionMoved]:
    """Every table and day on both sides by count and checksum. Raises PermanentError when one differs."""
    found = []
    for table, shape in SHAPES.items():
        columns = ", ".join(f'"{name}"' for name in shape.columns)
        day = f"date_trunc('day', {shape.time})" if shape.time else "NULL::TIMESTAMPTZ"
        question = f"SELECT {day} AS day, count(*), sum(hash({columns})::HUGEINT) FROM {LAKE}.{table} GROUP BY 1 ORDER BY 1"
        here, there = (_asked(lake, question) for lake in (old, new))
        if here != there:
            differing = sorted({str(row[0]) for row in set(here) ^ set(there)})
            message = f"{table} differs between the lakes ({', '.join(differing[:5])}): empty the new catalog and run the command again"
            raise PermanentError(message, table=table)
        found += [PartitionMoved(table, moment, rows, int(checksum)) for moment, rows, checksum in here]
        say(f"{table}: {sum(row[1] for row in here):,} rows in {len(here)} days, the same on both sides")
    return found


def _asked(lake: Lake, question: str) -> list[tuple[Any, ...]]:
    with lake.cursor() as cursor:
        return [(str(day), int(rows), int(checksum)) for day, rows, checksum in cursor.execute(question).pl().rows()]


def _newest(connection: duckdb.DuckDBPyConnection, catalog: str) -> int:
    return int(connection.execute(f"SELECT coalesce(max(snapshot_id), 0) FROM {catalog}.ducklake_snapshot").fetchall()[0][0])


def _tables(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Tables of the old catalog and their columns, without those that hold rows: they are empty, and DuckLake makes new ones."""
    rows = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'old' AND table_name LIKE 'ducklake_%' "
        "ORDER BY table_name, column_index"
    ).fetchall()
    found: dict[str, list[str]] = {}
    for table, column in rows:
        found.setdefault(table, []).append(column)
    waiting = [name for name in found if name.startswith(_ROWS_IN_CATALOG) and name != f"{_ROWS_IN_CATALOG}tables"]
    for name in waiting:
        if connection.execute(f"SELECT 1 FROM old.{name} WHERE end_snapshot IS NULL LIMIT 1").fetchall():
            raise PermanentError(f"rows of the lake still wait in {name}: something wrote meanwhile. Stop it and run the command again")
    return {name: columns for name, columns in found.items() if not name.startswith(_ROWS_IN_CATALOG)}


def _copy_table(connection: duckdb.DuckDBPyConnection, table: str, columns: list[str]) -> None:
    if table.startswith(_DELETIONS_IN_CATALOG):
        kinds = ", ".join(f"{column} BIGINT" for column in columns)
        connection.execute(f"CREATE TABLE IF NOT EXISTS new.public.{table} ({kinds})")
    listed = ", ".join(f'"{column}"' for column in columns)
    connection.execute(f"DELETE FROM new.public.{table}")
    connection.execute(f"INSERT INTO new.public.{table} ({listed}) SELECT {listed} FROM old.{table}")


def _quoted(text: str) -> str:
    return text.replace("'", "''")
