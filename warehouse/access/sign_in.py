"""Signing in with factory, e-mail and password. Every refusal looks and lasts the same, whatever was wrong."""

from dataclasses import dataclass

from sqlalchemy import select

from warehouse.access import audit
from warehouse.access.lockout import is_locked, pause_after
from warehouse.access.passwords import hash_password, needs_new_hash, verify_password
from warehouse.access.sessions import OpenedSession, open_session
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import PermanentError
from warehouse.models.people import Factory, User
from warehouse.settings import Settings
from warehouse.tenancy import system_session, tenant_session

# A password of megabytes would keep a core busy; no person types one.
LONGEST_PASSWORD = 1024


class SignInRefusedError(PermanentError):
    """Factory, e-mail and password do not belong together, or the account pauses after wrong tries. Does not say which."""


@dataclass(frozen=True)
class FactoryChoice:
    """What anybody may know of a factory: the list on the sign-in page."""

    id: int
    name: str
    slug: str


def factories(db: Database) -> list[FactoryChoice]:
    """All factories by name."""
    with system_session(db, "list the factories to sign in to") as session:
        found = session.scalars(select(Factory).order_by(Factory.name, Factory.id)).all()
    return [FactoryChoice(f.id, f.name, f.slug) for f in found]


def sign_in(
    db: Database,
    settings: Settings,
    clock: Clock,
    *,
    factory_id: int,
    email: str,
    password: str,
    address: str | None = None,
    user_agent: str | None = None,
) -> OpenedSession:
    """Checks the password and opens a session; takes about 50 ms of one core, so call it in a thread.

    Raises SignInRefusedError. From the fifth wrong password on the account pauses (`lockout.pause_after`), and while it
    pauses the right password is refused as well.
    """
    user = _account(db, factory_id, email)
    is_right = verify_password(password[:LONGEST_PASSWORD], user.hashed_password if user else None)
    if user is None or not user.is_active or is_locked(user.locked_until, clock.now()) or not is_right:
        if user is not None and user.is_active and not is_locked(user.locked_until, clock.now()):
            _note_failure(db, clock, user, address)
        raise SignInRefusedError("Factory, e-mail or password is not right.")
    _note_success(db, user, password)
    return open_session(db, settings, clock, user.id, address=address, user_agent=user_agent)


def _account(db: Database, factory_id: int, email: str) -> User | None:
    with tenant_session(db, factory_id) as session:
        return session.scalar(select(User).where(User.email == email.strip().lower()))


def _note_failure(db: Database, clock: Clock, user: User, address: str | None) -> None:
    now = clock.now()
    with tenant_session(db, user.factory_id, write=True) as session:
        row = session.get_one(User, user.id)
        row.failed_logins += 1
        pause = pause_after(row.failed_logins)
        row.locked_until = now + pause if pause else None
        after = {"failed_logins": row.failed_logins, "locked_until": row.locked_until.isoformat() if row.locked_until else None}
        # Nobody is signed in here: the account is the target, not the actor.
        audit.append(session, "session.refuse", f"user:{user.id}", now, audit.Actor(user.factory_id, None, address), after=after)


def _note_success(db: Database, user: User, password: str) -> None:
    is_weak = needs_new_hash(user.hashed_password)
    if not user.failed_logins and not user.locked_until and not is_weak:
        return
    with tenant_session(db, user.factory_id, write=True) as session:
        row = session.get_one(User, user.id)
        row.failed_logins, row.locked_until = 0, None
        if is_weak:
            row.hashed_password = hash_password(password[:LONGEST_PASSWORD])
