"""The operational database from SQLite to PostgreSQL, a transaction a table: a copy that was killed holds a table or has it empty."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import JSON, ColumnElement, Connection, Table, Text, bindparam, cast, func, inspect, select, text, type_coerce
from sqlalchemy.exc import DBAPIError

from warehouse.db import Database, is_at_head
from warehouse.errors import PermanentError
from warehouse.models.all import METADATA

Say = Callable[[str], None]
CHUNK_ROWS: Final = 1000
_BITS: Final = 1 << 256


@dataclass(frozen=True)
class TableMoved:
    """One table that is the same on both sides."""

    name: str
    rows: int
    checksum: str
    """Of all rows, whatever their order."""


def copy_tables(source: Database, target: Database, say: Say) -> list[TableMoved]:
    """Copies every table that the target does not hold yet, then compares both sides by count and checksum.

    Raises PermanentError for a source of another version, and where a table of the target holds something else.
    """
    if not is_at_head(source):
        raise PermanentError("the database to be moved is of another version: run `factoryops upgrade` with the old settings first")
    target.migrate()
    moved = []
    for table in METADATA.sorted_tables:
        with source.engine.connect() as old, target.engine.begin() as new:
            _see_everything(new)
            rows, present = _count(old, table), _count(new, table)
            if present == 0 and rows:
                say(f"{table.name}: {rows:,} rows")
                _copy(old, new, table)
            _go_on_counting(old, new, table)
        moved.append(compare(source, target, table))
    return moved


def compare(source: Database, target: Database, table: Table) -> TableMoved:
    """Raises PermanentError when the table differs."""
    with source.engine.connect() as old, target.engine.begin() as new:
        _see_everything(new)
        here, there = fingerprint(old, table), fingerprint(new, table)
    if here != there:
        message = (
            f"{table.name} differs: {here[0]:,} rows (checksum {here[1][:12]}) in the old database, {there[0]:,} rows ({there[1][:12]}) in "
            "PostgreSQL. Give an empty database, or empty this one, and run the command again"
        )
        raise PermanentError(message, table=table.name)
    return TableMoved(table.name, *here)


def fingerprint(connection: Connection, table: Table) -> tuple[int, str]:
    """Number of rows and their checksum: the sum of each row's sha256, which no order of rows changes."""
    rows, total = 0, 0
    for row in _rows(connection, table):
        told = json.dumps([_plain(value) for value in row], separators=(",", ":"), ensure_ascii=False)
        total += int.from_bytes(hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest())
        rows += 1
    return rows, f"{total % _BITS:064x}"


def _plain(value: object) -> object:
    match value:
        case bytes():
            return hashlib.sha256(value).hexdigest()
        case datetime() | date():
            return value.isoformat()
        case _:
            return value


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _rows(connection: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """JSON as its text: so that SQL's NULL and JSON's null stay what they are, and nothing is written anew."""
    columns: list[ColumnElement[Any]] = [
        type_coerce(cast(column, Text), Text).label(column.name) if isinstance(column.type, JSON) else column for column in table.columns
    ]
    streamed = connection.execution_options(yield_per=CHUNK_ROWS).execute(select(*columns))
    for row in streamed:
        yield tuple(row)


def _copy(old: Connection, new: Connection, table: Table) -> None:
    values = {
        column.name: cast(bindparam(f"new_{column.name}", type_=Text), JSON) if isinstance(column.type, JSON)
        else bindparam(f"new_{column.name}", type_=column.type)
        for column in table.columns
    }  # fmt: skip
    statement = table.insert().values(values)
    names = [f"new_{column.name}" for column in table.columns]
    for chunk in _chunks(_rows(old, table)):
        try:
            new.execute(statement, [dict(zip(names, row, strict=True)) for row in chunk])
        except DBAPIError as refused:
            if refused.connection_invalidated:
                raise
            # SQLite keeps what PostgreSQL does not: texts longer than their column, NUL in a text.
            message = f"PostgreSQL refuses a row of {table.name}: {refused.orig}. Mend it in the old database and run the command again"
            raise PermanentError(message, table=table.name) from refused


def _chunks(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    left = iter(rows)
    while chunk := list(islice(left, CHUNK_ROWS)):
        yield chunk


def _see_everything(connection: Connection) -> None:
    """Row-level security shows a transaction of the system all factories (`warehouse.tenancy`)."""
    connection.execute(text("SELECT set_config('factoryops.system', 'on', true)"))


def _go_on_counting(old: Connection, new: Connection, table: Table) -> None:
    """The sequence goes on where SQLite stopped: no number is given out twice, not even one whose row is gone."""
    column = table.autoincrement_column
    if column is None:
        return
    sequence = new.execute(text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}).scalar()
    if sequence is None:
        return
    highest = int(new.execute(select(func.max(column))).scalar() or 0)
    if inspect(old).has_table("sqlite_sequence"):
        found = old.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}).scalar()
        highest = max(highest, int(found or 0))
    if highest:
        new.execute(text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})
