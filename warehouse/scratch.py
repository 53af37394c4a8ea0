"""A DuckDB of its own in memory, to read files with: it knows nothing of the lake and fetches nothing from the network."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from warehouse.extensions import EXTENSIONS_AS_INSTALLED


@contextmanager
def scratch(timezone: str = "UTC", *, threads: int = 2, memory_limit: str = "1GB") -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that takes times without an offset as those of `timezone` (IANA); closed at the end."""
    connection = duckdb.connect(config=EXTENSIONS_AS_INSTALLED | {"threads": threads, "memory_limit": memory_limit})
    try:
        connection.execute(f"SET TimeZone = {literal(timezone)}")
        yield connection
    finally:
        connection.close()


def literal(text: str) -> str:
    """A text as SQL takes it; pure."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column's name as SQL takes it; pure."""
    return '"' + name.replace('"', '""') + '"'
