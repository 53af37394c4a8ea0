"""Changing one's password, and getting a new one by mail."""

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select

from warehouse.access import audit, one_time
from warehouse.access.password_rules import check_new_password
from warehouse.access.passwords import hash_password
from warehouse.access.people import end_access
from warehouse.access.sessions import Identity
from warehouse.access.wrong_passwords import check_again
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, PermanentError
from warehouse.models.people import Factory, User
from warehouse.settings import Settings
from warehouse.tenancy import system_session, tenant_session


class ResetRefusedError(PermanentError):
    """The link to a new password is unknown, was used, or is too old. Does not say which."""


@dataclass(frozen=True)
class ResetLink:
    """What the mail needs."""

    email: str
    factory_name: str
    token: str = field(repr=False)


def change_password(db: Database, clock: Clock, who: Identity, old: str, new: str) -> None:
    """Gives a person another password and ends their other sessions.

    Raises AskedAgainRefusedError for a wrong old one, InvalidInputError, PasswordRefusedError.
    """
    check_again(db, clock, who, old, path="old_password")
    if old == new:
        raise InvalidInputError("The new password is the old one.", path="new_password")
    check_new_password(new, who.email, who.name, who.factory_name, who.factory_slug)
    hashed, now = hash_password(new), clock.now()
    with tenant_session(db, who.factory_id, write=True) as session:
        session.get_one(User, who.user_id).hashed_password = hashed
        end_access(session, who.user_id, now, except_session=who.session_id, keys=False)
        audit.append(session, "password.change", f"user:{who.user_id}", now, audit.Actor(who.factory_id, who.user_id))


def ask_for_reset(db: Database, settings: Settings, clock: Clock, factory_id: int, email: str) -> ResetLink | None:
    """A link for somebody who has an active account; None for everybody else, which the caller must not let show."""
    now = clock.now()
    with tenant_session(db, factory_id, write=True) as session:
        user = session.scalar(select(User).where(User.email == email.strip().lower(), User.is_active.is_(True)))
        if user is None:
            return None
        factory = session.get_one(Factory, factory_id)
        ends = now + timedelta(minutes=settings.reset_link_minutes)
        token = one_time.issue(session, factory_id, user.id, "password_reset", now, ends)
        # Nobody is signed in: the account is the target, not the actor.
        audit.append(session, "password.ask_reset", f"user:{user.id}", now, audit.Actor(factory_id))
        return ResetLink(user.email, factory.name, token)


def reset_password(db: Database, clock: Clock, token: str, new: str) -> None:
    """Gives the person of a link a new password and ends all their sessions; a second factor stays on.

    Raises ResetRefusedError, or PasswordRefusedError, after which the link still works.
    """
    now = clock.now()
    with system_session(db, "look at a link to a new password") as session:
        row = one_time.find(session, token, "password_reset", now)
        user = session.get(User, row.user_id) if row is not None else None
        factory = session.get(Factory, row.factory_id) if row is not None else None
    if user is None or factory is None or not user.is_active:
        raise _refused()
    check_new_password(new, user.email, user.name or "", factory.name, factory.slug)
    hashed = hash_password(new)
    with tenant_session(db, user.factory_id, write=True) as session:
        link = one_time.find(session, token, "password_reset", now)
        if link is None:
            raise _refused()
        link.used_at = now
        changed = session.get_one(User, user.id)
        changed.hashed_password, changed.failed_logins, changed.locked_until = hashed, 0, None
        end_access(session, user.id, now, keys=False)
        audit.append(session, "password.reset", f"user:{user.id}", now, audit.Actor(user.factory_id, user.id))


def _refused() -> ResetRefusedError:
    return ResetRefusedError("This link does not work: it was used or is too old. Ask for a new one.")
