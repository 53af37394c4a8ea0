"""Signing in with factory, e-mail and password, and a code where the person has a second factor.

Every refusal looks and lasts the same, whatever was wrong. Wrong tries are counted by account and by network address.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from warehouse.access import one_time, second_factor
from warehouse.access.lockout import FORGOTTEN_AFTER, FREE_TRIES_OF_AN_ADDRESS, is_locked, pause_after
from warehouse.access.password_rules import LONGEST as LONGEST_PASSWORD
from warehouse.access.passwords import hash_password, needs_new_hash, verify_password
from warehouse.access.sessions import OpenedSession, open_session
from warehouse.access.wrong_passwords import count_wrong
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import PermanentError
from warehouse.models.access import AddressPause
from warehouse.models.people import Factory, User
from warehouse.settings import Settings
from warehouse.tenancy import system_session, tenant_session

TICKET_LIFE: Final = timedelta(minutes=5)
TRIES_OF_A_TICKET: Final = 5


class SignInRefusedError(PermanentError):
    """Factory, e-mail and password do not belong together, or the account pauses after wrong tries. Does not say which."""


class AddressPausedError(PermanentError):
    """Too many wrong passwords came from this address; `retry_after_s` says for how long none is looked at."""

    retry_after_s: int


class SecondFactorNeededError(PermanentError):
    """The password is right and a code is needed: `finish_sign_in` with `ticket`, a secret that works for five minutes."""

    ticket: str


@dataclass(frozen=True)
class FactoryChoice:
    """What anybody may know of a factory: the list on the sign-in page."""

    id: int
    name: str
    slug: str


@dataclass(frozen=True)
class _Try:
    """One attempt to sign in."""

    db: Database
    settings: Settings
    clock: Clock
    address: str | None
    user_agent: str | None
    now: datetime = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "now", self.clock.now())


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

    Raises SignInRefusedError, AddressPausedError, SecondFactorNeededError. From the fifth wrong password on the account pauses
    (`lockout.pause_after`), and while it pauses the right password is refused as well.
    """
    attempt = _Try(db, settings, clock, address, user_agent)
    _refuse_paused_address(attempt)
    user = _account(db, factory_id, email)
    is_right = verify_password(password[:LONGEST_PASSWORD], user.hashed_password if user else None)
    if user is None or not user.is_active or is_locked(user.locked_until, attempt.now) or not is_right:
        _note_failure(attempt, factory_id, user)
        raise SignInRefusedError("Factory, e-mail or password is not right.")
    ticket = _ticket(attempt, user)
    if ticket is not None:
        raise SecondFactorNeededError("The password is right; now the code of the authenticator app is needed.", ticket=ticket)
    _note_success(attempt, user, password)
    return open_session(db, settings, clock, user.id, address=address, user_agent=user_agent)


def finish_sign_in(
    db: Database, settings: Settings, clock: Clock, ticket: str, code: str, *, address: str | None = None, user_agent: str | None = None
) -> OpenedSession:
    """Checks the code of the app, or a recovery code, after the password was right; opens a session.

    Raises SignInRefusedError, AddressPausedError. Wrong codes count like wrong passwords, and a ticket bears five of them.
    """
    attempt = _Try(db, settings, clock, address, user_agent)
    _refuse_paused_address(attempt)
    with system_session(db, "check a second factor", write=True) as session:
        row = one_time.find(session, ticket, "second_factor", attempt.now)
        user = session.get(User, row.user_id) if row is not None else None
        if row is None or user is None or not user.is_active or is_locked(user.locked_until, attempt.now):
            is_right = False
        elif second_factor.is_right(session, settings, clock, user.id, code):
            is_right, row.used_at = True, attempt.now
        else:
            is_right, row.tries = False, row.tries + 1
            row.used_at = attempt.now if row.tries >= TRIES_OF_A_TICKET else None
    if not is_right or user is None:
        _note_failure(attempt, user.factory_id if user else None, user)
        raise SignInRefusedError("This code is not right, or it took too long; sign in again.")
    _note_success(attempt, user, None)
    return open_session(db, settings, clock, user.id, address=address, user_agent=user_agent)


def _account(db: Database, factory_id: int, email: str) -> User | None:
    with tenant_session(db, factory_id) as session:
        return session.scalar(select(User).where(User.email == email.strip().lower()))


def _refuse_paused_address(attempt: _Try) -> None:
    if attempt.address is None:
        return
    with system_session(attempt.db, "look whether an address pauses") as session:
        row = session.get(AddressPause, attempt.address[:64])
    if row is not None and row.locked_until is not None and is_locked(row.locked_until, attempt.now):
        seconds = int((row.locked_until - attempt.now).total_seconds()) + 1
        raise AddressPausedError(f"Too many wrong passwords from this address; try again in {seconds} s.", retry_after_s=seconds)


def _ticket(attempt: _Try, user: User) -> str | None:
    with tenant_session(attempt.db, user.factory_id) as session:
        if not second_factor.is_on(session, user.id):
            return None
    with tenant_session(attempt.db, user.factory_id, write=True) as session:
        return one_time.issue(session, user.factory_id, user.id, "second_factor", attempt.now, attempt.now + TICKET_LIFE)


def _note_failure(attempt: _Try, factory_id: int | None, user: User | None) -> None:
    """One transaction of the same statements whether or not there is an account, so that time does not tell."""
    with system_session(attempt.db, "note a refused sign-in", write=True) as session:
        _count_address(session, attempt)
        count_wrong(session, attempt.now, factory_id, user, attempt.address)


def _count_address(session: Session, attempt: _Try) -> None:
    if attempt.address is None:
        return
    session.execute(delete(AddressPause).where(AddressPause.last_failed_at < attempt.now - FORGOTTEN_AFTER))
    row = session.get(AddressPause, attempt.address[:64], with_for_update=True)
    if row is None:
        row = AddressPause(address=attempt.address[:64], failed_logins=0)
        session.add(row)
    row.failed_logins, row.last_failed_at = row.failed_logins + 1, attempt.now
    pause = pause_after(row.failed_logins, FREE_TRIES_OF_AN_ADDRESS)
    row.locked_until = attempt.now + pause if pause else None


def _forgive_address(attempt: _Try) -> None:
    """Each right password halves what an address has on its account: not all, or one right account would pay for endless wrong tries."""
    if attempt.address is None:
        return
    with system_session(attempt.db, "look whether an address failed") as session:
        if session.get(AddressPause, attempt.address[:64]) is None:
            return
    with system_session(attempt.db, "forgive an address", write=True) as session:
        row = session.get(AddressPause, attempt.address[:64], with_for_update=True)
        if row is not None:
            row.failed_logins //= 2


def _note_success(attempt: _Try, user: User, password: str | None) -> None:
    _forgive_address(attempt)
    is_weak = password is not None and needs_new_hash(user.hashed_password)
    if user.failed_logins or user.locked_until or is_weak:
        with tenant_session(attempt.db, user.factory_id, write=True) as session:
            row = session.get_one(User, user.id)
            row.failed_logins, row.locked_until = 0, None
            if is_weak and password is not None:
                row.hashed_password = hash_password(password[:LONGEST_PASSWORD])
