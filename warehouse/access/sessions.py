"""Sign-ins as rows: a secret in the browser, its sha256 here. Ending the row ends the sign-in, wherever the secret is."""

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import select

from warehouse.access import audit
from warehouse.access.rights import permissions_of
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.models.people import Factory, User, UserSession
from warehouse.settings import Settings
from warehouse.tenancy import system_session, tenant_session

# Writing each use down would cost a commit a click; a minute is fine enough for a lifetime of hours.
_USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Identity:
    """Who is asking, and inside which factory. What every page and endpoint works with."""

    user_id: int
    factory_id: int
    factory_slug: str
    factory_name: str
    timezone: str
    """IANA name of the factory's zone."""
    role: str
    permissions: frozenset[str]
    session_id: str
    """sha256 of the secret, in hex; not secret itself."""
    email: str
    name: str
    """What to call the person: the name, or the e-mail when there is none."""
    expires_at: datetime
    api_key_id: int | None = None
    """The key that asks; None: a person who signed in. A key has no session, and its role is never more than `admin`."""

    @property
    def may_work(self) -> bool:
        """Whether the person may change anything at all: a viewer only looks."""
        return self.role != "viewer"

    def may(self, permission: str) -> bool:
        """Whether the person has one of `warehouse.models.people.PERMISSIONS`."""
        return permission in self.permissions


@dataclass(frozen=True)
class OpenedSession:
    """A new sign-in. `token` is shown once: the database keeps only its hash."""

    token: str = field(repr=False)
    identity: Identity


def session_id_of(token: str) -> str:
    """The row id that belongs to a secret."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(
    db: Database, settings: Settings, clock: Clock, user_id: int, *, address: str | None = None, user_agent: str | None = None
) -> OpenedSession:
    """Opens a sign-in for a person whose password was checked, and notes it in the audit trail."""
    token, now = secrets.token_urlsafe(32), clock.now()
    with system_session(db, "open a sign-in", write=True) as session:
        user, factory = session.execute(select(User, Factory).join(Factory, User.factory_id == Factory.id).where(User.id == user_id)).one()
        user.last_login = now
        row = UserSession(
            id=session_id_of(token),
            factory_id=user.factory_id,
            user_id=user.id,
            created_at=now,
            last_used_at=now,
            expires_at=now + timedelta(hours=settings.jwt_expiry_hours),
            address=(address or "")[:64] or None,
            user_agent=(user_agent or "")[:400] or None,
        )
        session.add(row)
        audit.append(session, "session.open", f"user:{user.id}", now, audit.Actor(user.factory_id, user.id, address))
        return OpenedSession(token, _identity(row, user, factory))


def check_session(db: Database, settings: Settings, clock: Clock, token: str, *, is_use: bool = True) -> Identity | None:
    """Who holds `token`, or None when it is unknown, revoked, too old, unused for too long, or its person was deactivated.

    `is_use=False` asks without keeping the sign-in awake: a page that refreshes by itself must not live for ever.
    """
    return check_session_id(db, settings, clock, session_id_of(token), is_use=is_use)


def check_session_id(db: Database, settings: Settings, clock: Clock, session_id: str, *, is_use: bool = True) -> Identity | None:
    """As `check_session`, by the row's id: what a signed API token carries."""
    now = clock.now()
    with system_session(db, "check a sign-in") as session:
        found = session.execute(
            select(UserSession, User, Factory)
            .join(User, UserSession.user_id == User.id)
            .join(Factory, UserSession.factory_id == Factory.id)
            .where(UserSession.id == session_id)
        ).one_or_none()
    if found is None or not is_alive(found[0], found[1], now, settings):
        return None
    row, user, factory = found
    if is_use and now - row.last_used_at >= _USE_NOTED_EVERY:
        _note_use(db, session_id, now)
    return _identity(row, user, factory)


def revoke_session(db: Database, clock: Clock, session_id: str, *, address: str | None = None) -> bool:
    """Ends a sign-in. False when there was none that is still open."""
    now = clock.now()
    with system_session(db, "end a sign-in", write=True) as session:
        row = session.get(UserSession, session_id)
        if row is None or row.revoked_at is not None:
            return False
        row.revoked_at = now
        audit.append(session, "session.close", f"user:{row.user_id}", now, audit.Actor(row.factory_id, row.user_id, address))
    return True


def refresh_session(db: Database, settings: Settings, clock: Clock, who: Identity) -> Identity:
    """Lets a sign-in live on for JWT_EXPIRY_HOURS from now, at most until SESSION_LIFETIME_HOURS after its beginning."""
    now = clock.now()
    with tenant_session(db, who.factory_id, write=True) as session:
        row = session.get_one(UserSession, who.session_id)
        ends = min(now + timedelta(hours=settings.jwt_expiry_hours), row.created_at + timedelta(hours=settings.session_lifetime_hours))
        row.expires_at = max(row.expires_at, ends)
        row.last_used_at = now
        audit.append(session, "session.refresh", f"user:{who.user_id}", now, audit.Actor(who.factory_id, who.user_id))
    return replace(who, expires_at=row.expires_at)


def sessions_of(db: Database, settings: Settings, clock: Clock, who: Identity) -> list[UserSession]:
    """The person's sign-ins that are open now, newest first."""
    now = clock.now()
    with tenant_session(db, who.factory_id) as session:
        user = session.get_one(User, who.user_id)
        rows = session.scalars(select(UserSession).where(UserSession.user_id == who.user_id).order_by(UserSession.created_at.desc())).all()
    return [row for row in rows if is_alive(row, user, now, settings)]


def end_own_session(db: Database, clock: Clock, who: Identity, session_id: str) -> None:
    """Ends one of the person's sign-ins. Raises NotFoundError for those of others, and for what is over already."""
    with tenant_session(db, who.factory_id) as session:
        row = session.get(UserSession, session_id)
    if row is None or row.user_id != who.user_id or not revoke_session(db, clock, session_id):
        raise NotFoundError("there is no such sign-in of yours", noun="session", key=session_id)


def is_alive(row: UserSession, user: User, now: datetime, settings: Settings) -> bool:
    """Whether a sign-in still opens something: not ended, not too old, not unused for too long, of an active person; pure."""
    idle_since = now - timedelta(hours=settings.session_idle_timeout_hours)
    return row.revoked_at is None and user.is_active and now < row.expires_at and row.last_used_at > idle_since


def _note_use(db: Database, session_id: str, now: datetime) -> None:
    with system_session(db, "note the use of a sign-in", write=True) as session:
        row = session.get(UserSession, session_id)
        if row is not None and row.last_used_at < now:
            row.last_used_at = now


def _identity(row: UserSession, user: User, factory: Factory) -> Identity:
    return Identity(
        user_id=user.id,
        factory_id=factory.id,
        factory_slug=factory.slug,
        factory_name=factory.name,
        timezone=factory.timezone,
        role=user.role,
        permissions=frozenset(p for p, has in permissions_of(user).items() if has),
        session_id=row.id,
        email=user.email,
        name=user.name or user.email,
        expires_at=row.expires_at,
    )
