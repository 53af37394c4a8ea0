"""What administrators see and end of other people's access: sign-ins and keys of everybody in their factory."""

from datetime import datetime

from sqlalchemy import select

from warehouse.access import audit
from warehouse.access.people import NotAllowedError
from warehouse.access.sessions import Identity, is_alive
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.models.access import ApiKey, SecondFactor
from warehouse.models.people import User, UserSession
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session


def open_sessions(
    db: Database, settings: Settings, clock: Clock, by: Identity, user_id: int | None = None
) -> list[tuple[UserSession, User]]:
    """The sign-ins of the factory that are open now, newest first; of one person when named. Raises NotAllowedError."""
    _check(by)
    now = clock.now()
    wanted = select(UserSession, User).join(User, UserSession.user_id == User.id).order_by(UserSession.created_at.desc())
    if user_id is not None:
        wanted = wanted.where(UserSession.user_id == user_id)
    with tenant_session(db, by.factory_id) as session:
        rows = session.execute(wanted.where(UserSession.revoked_at.is_(None), UserSession.expires_at > now)).all()
    return [(row, user) for row, user in rows if is_alive(row, user, now, settings)]


def end_session(db: Database, clock: Clock, by: Identity, session_id: str) -> None:
    """Ends somebody's sign-in. Raises NotFoundError, also for those of other factories and what is over; NotAllowedError."""
    _check(by)
    now = clock.now()
    with tenant_session(db, by.factory_id, write=True) as session:
        row = session.scalar(select(UserSession).where(UserSession.id == session_id))
        if row is None or row.revoked_at is not None:
            raise NotFoundError("there is no such sign-in", noun="session", key=session_id)
        row.revoked_at = now
        audit.append(session, "session.end", f"user:{row.user_id}", now, audit.Actor(by.factory_id, by.user_id))


def keys_in_force(db: Database, by: Identity, now: datetime) -> list[tuple[ApiKey, User]]:
    """The keys for programs of everybody in the factory that work now, newest first. Raises NotAllowedError."""
    _check(by)
    wanted = select(ApiKey, User).join(User, ApiKey.user_id == User.id).where(ApiKey.revoked_at.is_(None), ApiKey.expires_at > now)
    with tenant_session(db, by.factory_id) as session:
        return [(row, user) for row, user in session.execute(wanted.order_by(ApiKey.id.desc())).all()]


def with_second_factor(db: Database, by: Identity) -> set[int]:
    """Ids of the people whose sign-in asks for a code. Raises NotAllowedError."""
    _check(by)
    with tenant_session(db, by.factory_id) as session:
        return set(session.scalars(select(SecondFactor.user_id).where(SecondFactor.confirmed_at.is_not(None))))


def _check(by: Identity) -> None:
    if by.role != "super_admin":
        raise NotAllowedError("Only a super admin sees the access of others.")
