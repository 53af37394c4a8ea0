"""The operational database: one engine for SQLite (WAL) and PostgreSQL, and how it is migrated."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import DateTime, Engine, TypeDecorator, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.orm import Session, sessionmaker

SQLITE_BUSY_TIMEOUT_MS = 30_000


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware moment in UTC. SQLite keeps no zone: it is taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses naive moments: one of unknown zone must not enter the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"naive datetime {value.isoformat()} for a UTC column"
            raise ValueError(message)
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        """Always aware, always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """Holds the engine of one operational database. Sessions come from `warehouse.tenancy` only."""

    def __init__(self, url: str, *, echo: bool = False) -> None:
        self.url = url
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine: Engine = self._open(url, echo=echo)
        self.sessions: sessionmaker[Session] = sessionmaker(self.engine, expire_on_commit=False)
        self.access_version = object()
        """Another one after each change of a person, sign-in, key or factory by this process: who was let in before is asked for again."""

    def _open(self, url: str, *, echo: bool) -> Engine:
        if not self.is_sqlite:
            return create_engine(url, echo=echo, pool_pre_ping=True, pool_size=10, max_overflow=20)
        path = make_url(url).database
        if path and path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        # Autocommit on the driver's side: `begin` below opens each transaction in words, which pysqlite's legacy mode gets wrong.
        engine = create_engine(
            url,
            echo=echo,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_MS / 1000, "autocommit": True, "check_same_thread": False}
            if hasattr(sqlite3, "LEGACY_TRANSACTION_CONTROL")
            else {"timeout": SQLITE_BUSY_TIMEOUT_MS / 1000, "isolation_level": None, "check_same_thread": False},
        )
        event.listen(engine, "connect", _sqlite_pragmas)
        event.listen(engine, "begin", _sqlite_begin)
        return engine

    def migrate(self, revision: str = "head") -> None:
        """Brings the schema to `revision`. Safe to call by several processes after each other, and again."""
        command.upgrade(alembic_config(self.url), revision)

    def dispose(self) -> None:
        """Closes every pooled connection."""
        self.engine.dispose()


def is_at_head(db: Database) -> bool:
    """Whether the schema is the newest that this program knows. Raises what the driver raises when the database is away."""
    with db.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_heads()
    return set(current) == set(ScriptDirectory.from_config(alembic_config(db.url)).get_heads())


def rights_past_the_walls(db: Database) -> list[str]:
    """Rights that free our database role from row-level security: `SUPERUSER`, `BYPASSRLS`; none on SQLite, which has no roles.

    Raises what the driver raises when the database is away.
    """
    if db.is_sqlite:
        return []
    with db.engine.connect() as connection:
        found = connection.execute(text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")).one()
    return [name for name, has in zip(("SUPERUSER", "BYPASSRLS"), found, strict=True) if has]


def alembic_config(url: str) -> Config:
    """Alembic's configuration without an ini file: scripts are those of `warehouse/migrations`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    return config


def _sqlite_pragmas(connection: DBAPIConnection, _record: Any) -> None:
    cursor = connection.cursor()
    # FULL: an acknowledged message must survive a power cut. Measured in architecture.md: 2-7 ms a commit.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
        "temp_store=MEMORY",
        "cache_size=-16000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Any) -> None:
    # A deferred transaction that reads first and writes later fails with SQLITE_BUSY at once when another writer came
    # between; sessions that will write say so and take the write lock at the start, where the busy timeout applies.
    immediate = connection.get_execution_options().get("sqlite_immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
