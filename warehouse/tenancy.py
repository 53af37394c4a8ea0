"""The only two ways into the operational database: as one factory, or as the system with a stated reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import structlog
from sqlalchemy import Update, event, text
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.sql.base import ExecutableOption

from warehouse.db import Database
from warehouse.errors import TenancyError
from warehouse.models.access import AddressPause, ApiKey
from warehouse.models.base import OwnedByFactory
from warehouse.models.people import Factory, User, UserSession
from warehouse.models.streams import ConsumerCursor, DeadLetter, InstallationFact, LandingBatch, Lease

SYSTEM_TABLES = frozenset(
    {LandingBatch.__table__, ConsumerCursor.__table__, Lease.__table__, InstallationFact.__table__, AddressPause.__table__}
)
_DECIDES_ACCESS = (ApiKey, Factory, User, UserSession)
log = structlog.get_logger()


@contextmanager
def tenant_session(db: Database, factory_id: int, *, write: bool = False) -> Iterator[Session]:
    """A session that sees and writes one factory only; commits at the end, rolls back on an error.

    `write=True` takes SQLite's write lock at the start, for sessions that read first and write later.
    Raises TenancyError when a statement or object would leave the factory.
    """
    with _session(db, write=write) as session:
        session.info["factory_id"] = factory_id
        yield session


@contextmanager
def system_session(db: Database, reason: str, *, write: bool = False) -> Iterator[Session]:
    """A session across factories for the few processes that serve all of them; `reason` is logged."""
    if not reason:
        message = "a system session needs a reason"
        raise TenancyError(message)
    with _session(db, write=write) as session:
        session.info["system"] = reason
        log.debug("system_session", reason=reason)
        yield session


@contextmanager
def _session(db: Database, *, write: bool) -> Iterator[Session]:
    engine = db.engine.execution_options(sqlite_immediate=True) if write and db.is_sqlite else db.engine
    with db.sessions(bind=engine) as session:
        with session.begin():
            yield session
        if session.info.get("changes_access"):
            # Not a number that two threads could raise to the same.
            db.access_version = object()


@event.listens_for(Session, "after_flush")
def _note_objects(session: Session, _context: UOWTransaction) -> None:
    """Objects that decide who may do what were written: see `Database.access_version`."""
    if any(isinstance(found, _DECIDES_ACCESS) for found in (*session.new, *session.dirty, *session.deleted)):
        session.info["changes_access"] = True


@event.listens_for(Session, "do_orm_execute")
def _note_statements(state: ORMExecuteState) -> None:
    """The same, written by one statement for many rows."""
    if not state.is_select and any(issubclass(mapper.class_, _DECIDES_ACCESS) for mapper in state.all_mappers):
        state.session.info["changes_access"] = True


@event.listens_for(Session, "do_orm_execute")
def _stay_inside(state: ORMExecuteState) -> None:
    """Adds the factory to every ORM statement of a tenant session; refuses all others."""
    if "system" in state.session.info:
        return
    factory_id = _factory_of(state.session)
    if not (state.is_orm_statement or state.is_column_load or state.is_relationship_load):
        message = "a tenant session runs ORM statements only: raw SQL would not be bound to the factory"
        raise TenancyError(message)
    if state.is_insert:
        message = "a tenant session adds objects with session.add(): bulk inserts would not be checked"
        raise TenancyError(message)
    if isinstance(state.statement, Update) and "factory_id" in state.statement.compile().params:
        message = "a tenant session may not change the factory of a row"
        raise TenancyError(message)
    touched = {table for mapper in state.all_mappers for table in mapper.tables}
    if touched & SYSTEM_TABLES:
        message = f"a tenant session may not touch {sorted(str(t) for t in touched & SYSTEM_TABLES)}"
        raise TenancyError(message)
    state.statement = state.statement.options(*_of_factory(factory_id))


@lru_cache(maxsize=10_000)
def _of_factory(factory_id: int) -> tuple[ExecutableOption, ...]:
    """What keeps a statement inside one factory. Made once for each: making it took a fifth of a small query's time."""
    return (
        with_loader_criteria(OwnedByFactory, lambda cls: cls.factory_id == factory_id, include_aliases=True),
        with_loader_criteria(DeadLetter, lambda cls: cls.factory_id == factory_id, include_aliases=True),
        with_loader_criteria(Factory, lambda cls: cls.id == factory_id, include_aliases=True),
    )


@event.listens_for(Session, "before_flush")
def _write_inside(session: Session, _context: UOWTransaction, _instances: object) -> None:
    """Gives new objects their factory, and refuses any that belong to another."""
    if "system" in session.info:
        return
    factory_id = _factory_of(session)
    for found in (*session.new, *session.dirty, *session.deleted):
        if isinstance(found, OwnedByFactory | DeadLetter):
            if found.factory_id is None:
                found.factory_id = factory_id
            if found.factory_id != factory_id:
                message = f"{type(found).__name__} of factory {found.factory_id} in a session of factory {factory_id}"
                raise TenancyError(message)
        elif not (isinstance(found, Factory) and found.id == factory_id):
            message = f"a tenant session may not write {type(found).__name__}"
            raise TenancyError(message)


@event.listens_for(Session, "after_begin")
def _tell_the_database(session: Session, _transaction: object, connection: object) -> None:
    """PostgreSQL's row-level security learns who asks, for this transaction only."""
    bind = session.get_bind()
    if bind.dialect.name != "postgresql":
        return
    system = "on" if "system" in session.info else "off"
    factory_id = "" if "system" in session.info else str(_factory_of(session))
    connection.execute(  # type: ignore[attr-defined]  # SQLAlchemy passes a Connection
        text("SELECT set_config('factoryops.system', :system, true), set_config('factoryops.factory_id', :factory_id, true)"),
        {"system": system, "factory_id": factory_id},
    )


def _factory_of(session: Session) -> int:
    factory_id = session.info.get("factory_id")
    if not isinstance(factory_id, int):
        message = "this session belongs to no factory: use tenant_session() or system_session()"
        raise TenancyError(message)
    return factory_id
