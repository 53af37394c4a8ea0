"""Work that only one process of an installation may do: held for as long as the process lives, free the moment that it dies."""

from pathlib import Path
from typing import Final
from zlib import crc32

import structlog
from filelock import FileLock, Timeout
from sqlalchemy import PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError

from warehouse.db import Database
from warehouse.errors import LeaseLostError
from warehouse.settings import Settings

_KEY_SPACE: Final = 0x504C45 << 32
"""Keeps our numbers apart from other advisory locks in the database."""
log = structlog.get_logger()


class SoleProcess:
    """A lock of one name: a file in the home folder on SQLite, a session's advisory lock on PostgreSQL. Use it from one thread."""

    def __init__(self, db: Database, settings: Settings, name: str) -> None:
        self._db, self.name = db, name
        self._file = FileLock(settings.home / f"{name}.lock", timeout=0)
        self._key = _KEY_SPACE | crc32(name.encode())
        self._connection: PoolProxiedConnection | None = None

    def acquire(self) -> bool:
        """Takes the lock; False when another process has it, or when the database that would know is away."""
        if not self._db.is_sqlite:
            return self._acquire_in_database()
        Path(self._file.lock_file).parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file.acquire()
        except Timeout:
            return False
        return True

    def check(self) -> None:
        """Raises LeaseLostError when the connection that held the lock is gone: then another process may have it."""
        if self._db.is_sqlite:
            return
        try:
            self._ask("SELECT 1")
        except self._db.engine.dialect.loaded_dbapi.Error as lost:
            self.release()
            raise LeaseLostError(f"the connection that held {self.name} was lost", name=self.name) from lost

    def release(self) -> None:
        """Gives the lock back; does nothing when it is not held."""
        # It counts how often it was taken; giving back gives all of it back.
        self._file.release(force=True)
        if self._connection is None:
            return
        try:
            # Said aloud: after a mere goodbye the server frees it only once its process notices, and the next taker would be refused.
            self._ask("SELECT pg_advisory_unlock_all()")
        except self._db.engine.dialect.loaded_dbapi.Error as lost:
            # The end of the session frees it just as well.
            log.info("lock_went_with_its_connection", name=self.name, problem=str(lost)[:200])
        finally:
            self._connection.invalidate()
            self._connection = None

    def _acquire_in_database(self) -> bool:
        try:
            if self._connection is None:
                self._connection = self._db.engine.raw_connection()
                self._connection.driver_connection.autocommit = True  # type: ignore[union-attr]  # psycopg's connection
            return self._ask(f"SELECT pg_try_advisory_lock({self._key})") is True
        except (SQLAlchemyError, self._db.engine.dialect.loaded_dbapi.Error) as away:
            log.warning("lock_cannot_be_asked_for", name=self.name, problem=str(away)[:200])
            self.release()
            return False

    def _ask(self, question: str) -> object:
        if self._connection is None:
            raise LeaseLostError(f"{self.name} is not held", name=self.name)
        cursor = self._connection.cursor()
        cursor.execute(question)
        answer: object = cursor.fetchall()[0][0]
        cursor.close()
        return answer
