"""Asks 50 times a second whether something landed, for next to nothing: the poll of those who follow the operational database closely."""

from typing import Any

from sqlalchemy import PoolProxiedConnection

from warehouse.db import Database


class LogWatch:
    """A connection of its own that only watches. Use it from one thread at a time, and close it.

    SQLite: `PRAGMA data_version`, 5 us, changes when another connection commits anything. PostgreSQL: the highest position of the
    landing log, 0.1 ms; positions become visible in their own order, so none is missed.
    """

    def __init__(self, db: Database) -> None:
        self._connection: PoolProxiedConnection = db.engine.raw_connection()
        self._cursor: Any = self._connection.cursor()
        if db.is_sqlite:
            self._question = "PRAGMA data_version"
        else:
            self._connection.driver_connection.autocommit = True  # type: ignore[union-attr]  # psycopg's connection
            self._question = "SELECT max(position) FROM landing_batches"
        self._seen: object = None

    def changed(self) -> bool:
        """True when something may have landed since the last call, and at the first one; at times for nothing, but none is missed."""
        self._cursor.execute(self._question)
        seen = self._cursor.fetchall()
        changed, self._seen = seen != self._seen, seen
        return bool(changed)

    def close(self) -> None:
        """Closes the connection; it does not go back to the pool, because it was switched to autocommit."""
        self._connection.invalidate()
