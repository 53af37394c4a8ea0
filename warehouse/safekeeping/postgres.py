"""Tables of a PostgreSQL database as they stand at one moment, as pieces of COPY text, and back.

Written by the server's own COPY, so that every value comes back as it was, with no program beside ours and whatever the two servers'
versions. Rows go by primary key and pieces are of one size: what was only added to leaves its first pieces as the last backup has them.
"""

import gzip
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import make_url

PIECE_BYTES: Final = 16 << 20
"""So much text is one piece: what a backup has in memory and on disk at a time."""
_COLUMNS: Final = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum
"""
_KEY: Final = """
    SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(number, place)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY k.place
"""
_COUNTERS: Final = """
    SELECT t.relname, a.attname, q.last_value FROM pg_class s
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = d.classid AND d.deptype IN ('a', 'i')
    JOIN pg_class t ON t.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
    JOIN pg_sequences q ON q.sequencename = s.relname AND q.schemaname = current_schema()
    WHERE s.relkind = 'S' AND q.last_value IS NOT NULL AND t.relname = ANY(%s) ORDER BY 1, 2
"""
Connection = psycopg.Connection[tuple[Any, ...]]
Keep = Callable[[str, int, bytes], None]
"""Takes a piece: table, its number, packed text."""


@dataclass(frozen=True)
class TableCopy:
    """One table of a backup."""

    name: str
    columns: list[str]
    rows: int
    pieces: int
    made_by: list[str]
    """Statements that make it; none where migrations do."""


def connect(url: str, *, autocommit: bool = False) -> Connection:
    """A connection of its own, as SQLAlchemy's or libpq's address says. Raises psycopg.OperationalError."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False) if "://" in url else url
    connection = psycopg.connect(address, autocommit=True, client_encoding="utf8")
    # What COPY writes goes by these, whatever the server's own are.
    connection.execute("SET datestyle TO 'ISO, YMD'")
    connection.execute("SET timezone TO 'UTC'")
    connection.autocommit = autocommit
    return connection


@contextmanager
def moment_of(url: str) -> Iterator[Connection]:
    """A connection that sees the database as it is now, all factories of it, whatever is written later."""
    with connect(url) as connection:
        connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        see_everything(connection)
        yield connection


def see_everything(connection: Connection) -> None:
    """Row-level security shows this transaction all factories (`warehouse.tenancy`)."""
    connection.execute("SELECT set_config('factoryops.system', 'on', true)")


def tables_like(connection: Connection, pattern: str) -> list[str]:
    """Names of the tables of our schema, in order."""
    question = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE %s ORDER BY 1"
    return [row[0] for row in connection.execute(question, [pattern]).fetchall()]


def copy_out(connection: Connection, tables: Iterable[str], keep: Keep, *, with_shape: bool = False) -> list[TableCopy]:
    """Gives every row of the tables to `keep`, packed. Raises psycopg.errors.UndefinedTable when one has gone since the moment."""
    return [_copy_table_out(connection, table, keep, with_shape=with_shape) for table in tables]


def _copy_table_out(connection: Connection, table: str, keep: Keep, *, with_shape: bool) -> TableCopy:
    name = sql.Identifier(table).as_string(connection)
    columns = [row[0] for row in connection.execute(_COLUMNS, [name]).fetchall()]
    key = [row[0] for row in connection.execute(_KEY, [name]).fetchall()]
    order = sql.SQL(" ORDER BY {}").format(_listed(key)) if key else sql.SQL("")
    question = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT").format(_listed(columns), sql.Identifier(table), order)
    rows = pieces = 0
    for piece in _pieces(connection, question):
        keep(table, pieces, gzip.compress(piece, compresslevel=1, mtime=0))
        rows, pieces = rows + piece.count(b"\n"), pieces + 1
    return TableCopy(table, columns, rows, pieces, _shape(connection, table) if with_shape else [])


def _pieces(connection: Connection, question: sql.Composed) -> Iterator[bytes]:
    """The text in pieces that end with a row: COPY escapes a line feed within a value, so a real one ends a row."""
    waiting = bytearray()
    with connection.cursor() as cursor, cursor.copy(question) as text:
        for block in text:
            waiting += block
            if len(waiting) >= PIECE_BYTES and waiting.endswith(b"\n"):
                yield bytes(waiting)
                waiting.clear()
    if waiting:
        yield bytes(waiting)


def _shape(connection: Connection, table: str) -> list[str]:
    """The statements that make a table as it is: columns, constraints, further indexes."""
    name = sql.Identifier(table).as_string(connection)
    columns = [
        f"{sql.Identifier(column).as_string(connection)} {kind}{' NOT NULL' if required else ''}{f' DEFAULT {default}' if default else ''}"
        for column, kind, required, default in connection.execute(_COLUMNS, [name]).fetchall()
    ]
    constraints = connection.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'c')", [name]
    ).fetchall()
    indexes = connection.execute(
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass AND indexrelid NOT IN "
        "(SELECT conindid FROM pg_constraint WHERE conrelid = indrelid)",
        [name],
    ).fetchall()
    made = f"CREATE TABLE {name} ({', '.join(columns)})"
    return [made, *(f"ALTER TABLE {name} ADD {row[0]}" for row in constraints), *(row[0] for row in indexes)]


def counters(connection: Connection, tables: list[str]) -> list[tuple[str, str, int]]:
    """Table, column and the last number that was given out, of columns that count by themselves."""
    return [(str(table), str(column), int(last)) for table, column, last in connection.execute(_COUNTERS, [tables]).fetchall()]


def copy_in(connection: Connection, table: TableCopy, pieces: Iterable[bytes]) -> None:
    """Fills an empty table, or makes it where the backup knows how.

    COPY may not write past row-level security, so it writes beside, and INSERT brings it over.
    """
    for statement in table.made_by:
        connection.execute(statement.encode())
    into = sql.Identifier(table.name)
    beside = sql.Identifier(f"restored_{table.name}")
    connection.execute(sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP").format(beside, into))
    with connection.cursor() as cursor:
        for piece in pieces:
            with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(beside, _listed(table.columns))) as text:
                text.write(gzip.decompress(piece))
        columns = _listed(table.columns)
        cursor.execute(sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(into, columns, columns, beside))
        cursor.execute(sql.SQL("DROP TABLE {}").format(beside))


def count_on(connection: Connection, found: Iterable[tuple[str, str, int]]) -> None:
    """No number is given out twice, not even one whose row is gone."""
    for table, column, last in found:
        name = sql.Identifier(table).as_string(connection)
        connection.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [name, column, last])


def rows_in(piece: bytes) -> int:
    """How many rows a packed piece has."""
    return gzip.decompress(piece).count(b"\n")


def _listed(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
