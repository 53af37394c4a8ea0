"""The people of a factory: invited by mail, given rights, deactivated. Every change is audited, and nobody can give more than they have."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from warehouse.access import audit
from warehouse.access.one_time import digest, new_secret
from warehouse.access.password_rules import check_new_password
from warehouse.access.passwords import NO_PASSWORD, hash_password
from warehouse.access.rights import permissions_of, status_of
from warehouse.access.sessions import Identity, OpenedSession, open_session
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError, PermanentError
from warehouse.models.access import ApiKey
from warehouse.models.people import PERMISSIONS, ROLES, Factory, User, UserSession
from warehouse.settings import Settings
from warehouse.tenancy import system_session, tenant_session


class InvitationRefusedError(PermanentError):
    """The link of an invitation is unknown, was used, was withdrawn or is too old. Does not say which."""


class NotAllowedError(PermanentError):
    """The person may not do this to that person."""


@dataclass(frozen=True)
class Wanted:
    """Who is to be invited, and what they may do."""

    email: str
    name: str | None = None
    whatsapp_number: str | None = None
    role: str = "admin"
    permissions: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Invitation:
    """An invitation. `token` goes into the mail's link and is shown nowhere else: the database keeps only its hash."""

    user: User
    token: str = field(repr=False)
    expires_at: datetime


def people(db: Database, factory_id: int) -> list[User]:
    """Everybody of a factory, by e-mail; also those who are invited or deactivated."""
    with tenant_session(db, factory_id) as session:
        return list(session.scalars(select(User).order_by(User.email, User.id)))


def invite(db: Database, settings: Settings, clock: Clock, by: Identity, wanted: Wanted) -> Invitation:
    """Makes the account of somebody new, or a new link for somebody who has not taken up theirs.

    Raises InvalidInputError for a wrong address, role or permission, or when the person works here already; NotAllowedError when `by`
    would give more than they have.
    """
    email, now = _address(wanted.email), clock.now()
    permissions = _checked(by, wanted.role, wanted.permissions)
    secret = new_secret()
    with tenant_session(db, by.factory_id, write=True) as session:
        user = session.scalar(select(User).where(User.email == email))
        if user is not None and status_of(user) != "invited":
            raise InvalidInputError(f"{email} has an account here already ({status_of(user)})", path="email")
        if user is None:
            user = User(factory_id=by.factory_id, email=email, hashed_password=NO_PASSWORD, is_active=False, created_at=now)
            session.add(user)
        else:
            _may_change(by, user)
        user.name, user.whatsapp_number = wanted.name or user.name, wanted.whatsapp_number or user.whatsapp_number
        user.role, user.permissions = wanted.role, permissions
        user.invite_token, user.invited_at = digest(secret), now
        session.flush()
        _note(session, by, "user.invite", user, now, after=_facts(user))
    return Invitation(user, secret, now + timedelta(hours=settings.invitation_hours))


def accept_invitation(
    db: Database,
    settings: Settings,
    clock: Clock,
    token: str,
    password: str,
    *,
    name: str | None = None,
    address: str | None = None,
    user_agent: str | None = None,
) -> OpenedSession:
    """Gives the invited person their password and signs them in; the link never works again.

    Raises InvitationRefusedError, or PasswordRefusedError, after which the link still works.
    """
    user, factory = invited(db, settings, clock, token)
    check_new_password(password, user.email, name or user.name or "", factory.name, factory.slug)
    hashed, now = hash_password(password), clock.now()
    with tenant_session(db, user.factory_id, write=True) as session:
        row = session.scalar(select(User).where(User.id == user.id, User.invite_token == digest(token)).with_for_update())
        if row is None:
            raise _refused()
        row.hashed_password, row.is_active, row.invite_token = hashed, True, None
        row.failed_logins, row.locked_until, row.name = 0, None, name or row.name
        audit.append(session, "user.accept", f"user:{row.id}", now, audit.Actor(row.factory_id, row.id, address), after=_facts(row))
    return open_session(db, settings, clock, user.id, address=address, user_agent=user_agent)


def invited(db: Database, settings: Settings, clock: Clock, token: str) -> tuple[User, Factory]:
    """Whom a link invites, and to which factory. Raises InvitationRefusedError."""
    with system_session(db, "look at an invitation") as session:
        found = session.execute(
            select(User, Factory).join(Factory, User.factory_id == Factory.id).where(User.invite_token == digest(token))
        ).one_or_none()
    if found is None or found[0].invited_at is None or found[0].invited_at + timedelta(hours=settings.invitation_hours) <= clock.now():
        raise _refused()
    return found[0], found[1]


def set_rights(
    db: Database,
    clock: Clock,
    by: Identity,
    user_id: int,
    *,
    permissions: Mapping[str, bool],
    role: str | None = None,
    reason: str | None = None,
) -> User:
    """Changes what a person may do; permissions that are not named stay. It holds from that person's next request on.

    Raises NotFoundError, InvalidInputError, NotAllowedError.
    """
    now = clock.now()
    with tenant_session(db, by.factory_id, write=True) as session:
        user = _person(session, user_id)
        _may_change(by, user)
        before, wanted = _facts(user), role or user.role
        given = {**(user.permissions or {}), **permissions}
        newly = {name: value for name, value in given.items() if value and not permissions_of(user).get(name)}
        _checked(by, wanted, {**permissions, **newly})
        if user.role == "super_admin" and wanted != "super_admin":
            _keep_one_super_admin(session, user)
        user.role, user.permissions = wanted, {p: bool(given.get(p)) for p in PERMISSIONS}
        _note(session, by, "user.permissions", user, now, before=before, after=_facts(user), reason=reason)
    return user


def deactivate(db: Database, clock: Clock, by: Identity, user_id: int, *, reason: str | None = None) -> User:
    """Takes a person's access away: sessions and keys end with it, an open invitation is withdrawn. The account stays for the trail.

    Raises NotFoundError; NotAllowedError for oneself and for the last super admin.
    """
    now = clock.now()
    with tenant_session(db, by.factory_id, write=True) as session:
        user = _person(session, user_id)
        _may_change(by, user)
        if user.id == by.user_id:
            raise NotAllowedError("Nobody can deactivate themselves; ask another administrator.")
        _keep_one_super_admin(session, user)
        before = _facts(user)
        user.is_active, user.invite_token = False, None
        end_access(session, user.id, now)
        _note(session, by, "user.deactivate", user, now, before=before, after=_facts(user), reason=reason)
    return user


def reactivate(db: Database, clock: Clock, by: Identity, user_id: int, *, reason: str | None = None) -> User:
    """Gives a deactivated person the access back; they sign in anew. Raises NotFoundError, NotAllowedError."""
    now = clock.now()
    with tenant_session(db, by.factory_id, write=True) as session:
        user = _person(session, user_id)
        _may_change(by, user)
        if user.hashed_password == NO_PASSWORD:
            raise NotAllowedError("This person never took up an invitation; invite them again.")
        before, user.is_active, user.failed_logins, user.locked_until = _facts(user), True, 0, None
        _note(session, by, "user.reactivate", user, now, before=before, after=_facts(user), reason=reason)
    return user


def end_access(session: Session, user_id: int, now: datetime, *, except_session: str = "", keys: bool = True) -> None:
    """Ends the sessions of a person, but for one, and the keys, in the caller's transaction."""
    open_ = update(UserSession).where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None), UserSession.id != except_session)
    session.execute(open_.values(revoked_at=now))
    if keys:
        session.execute(update(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None)).values(revoked_at=now))


def _checked(by: Identity, role: str, permissions: Mapping[str, bool]) -> dict[str, bool]:
    unknown = sorted(set(permissions) - set(PERMISSIONS))
    if unknown:
        raise InvalidInputError(f"there is no permission {', '.join(unknown)}; there are {', '.join(PERMISSIONS)}", path="permissions")
    if role not in ROLES:
        raise InvalidInputError(f"there is no role {role}; there are {', '.join(ROLES)}", path="role")
    if role == "super_admin" and by.role != "super_admin":
        raise NotAllowedError("Only a super admin can make another one.")
    beyond = sorted(name for name, given in permissions.items() if given and not by.may(name))
    if beyond:
        raise NotAllowedError(f"You cannot give what you do not have: {', '.join(beyond)}.")
    return {name: bool(permissions.get(name)) for name in PERMISSIONS}


def _may_change(by: Identity, user: User) -> None:
    if user.role == "super_admin" and by.role != "super_admin":
        raise NotAllowedError("Only a super admin can change a super admin.")


def _keep_one_super_admin(session: Session, user: User) -> None:
    others = select(func.count(User.id)).where(User.role == "super_admin", User.is_active.is_(True), User.id != user.id)
    if user.role == "super_admin" and not session.scalar(others):
        raise NotAllowedError("This is the last super admin of the factory; make another one first.")


def _person(session: Session, user_id: int) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise NotFoundError(f"there is no person {user_id} in this factory", noun="user", key=user_id)
    return user


def _note(session: Session, by: Identity, action: str, user: User, now: datetime, **told: Any) -> None:
    audit.append(session, action, f"user:{user.id}", now, audit.Actor(by.factory_id, by.user_id), **told)


def _facts(user: User) -> dict[str, Any]:
    return {"email": user.email, "role": user.role, "permissions": permissions_of(user), "status": status_of(user)}


def _address(email: str) -> str:
    small = email.strip().lower()
    if len(small) > 255 or not re.fullmatch(r"[^@\s<>,;:\"()\[\]\\]+@[^@\s<>,;:\"()\[\]\\]+", small):
        raise InvalidInputError(f"{email!r} is no e-mail address", path="email")
    return small


def _refused() -> InvitationRefusedError:
    return InvitationRefusedError("This invitation does not work: it was used, withdrawn or is too old. Ask for a new one.")
