"""Asks 50 times a second whether something landed, for next to nothing: the poll of those who follow the operational database closely."""

from typing import Any, Final

from sqlalchemy import PoolProxiedConnection

from warehouse.db import Database
from warehouse.errors import RetryableError

_DATA_VERSION: Final = "PRAGMA data_version"
_HEAD: Final = "SELECT max(position) FROM landing_batches"


class LogWatch:
    """A connection of its own that only watches. Use it from one thread at a time, and close it.

    SQLite: `PRAGMA data_version`, 5 us, changes when another connection commits anything. PostgreSQL: the highest position of the
    landing log, 0.1 ms; positions become visible in their own order, so none is missed. Both questions raise RetryableError when the
    database went away; then close it and make another one.
    """

    def __init__(self, db: Database) -> None:
        self._is_sqlite = db.is_sqlite
        self._driver_error = db.engine.dialect.loaded_dbapi.Error
        self._connection: PoolProxiedConnection = db.engine.raw_connection()
        self._cursor: Any = self._connection.cursor()
        if not db.is_sqlite:
            self._connection.driver_connection.autocommit = True  # type: ignore[union-attr]  # psycopg's connection
        self._version: object = None
        self._head: object = ()

    def changed(self) -> bool:
        """True at the first call, and when the database changed since the last one; PostgreSQL: when something landed."""
        version = self._asked(_DATA_VERSION if self._is_sqlite else _HEAD)
        changed, self._version = version != self._version, version
        return changed

    def landed(self) -> bool:
        """True at the first call, and when a batch landed since the last one."""
        if self._is_sqlite and not self.changed():
            return False
        head = self._asked(_HEAD)
        landed, self._head = head != self._head, head
        return landed

    def close(self) -> None:
        """Closes the connection; it does not go back to the pool, because it was switched to autocommit."""
        self._connection.invalidate()

    def _asked(self, question: str) -> tuple[object, ...]:
        try:
            self._cursor.execute(question)
            return tuple(self._cursor.fetchall()[0])
        except self._driver_error as away:
            # The driver's own error would pass by everybody who waits for a database that is away.
            raise RetryableError(f"the landing log cannot be watched now: {away}") from away
