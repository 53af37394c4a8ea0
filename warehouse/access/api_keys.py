"""Keys with which programs work: bound to the person who made them, to scopes and to a last day."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from warehouse.access import audit
from warehouse.access.one_time import digest
from warehouse.access.rights import permissions_of
from warehouse.access.sessions import Identity
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.access import ApiKey
from warehouse.models.people import PERMISSIONS, Factory, User
from warehouse.tenancy import system_session, tenant_session

SCOPES: Final = ("read", "work", *PERMISSIONS)
"""`read`: look at everything. `work`: also what every admin may, such as resolving alerts. A permission: also that."""
START: Final = "fok_"
LONGEST_LIFE: Final = timedelta(days=366)
_MOST_KEYS: Final = 50
_USE_NOTED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class NewKey:
    """A key that was just made. `secret` is shown once."""

    row: ApiKey
    secret: str = field(repr=False)


def create(db: Database, clock: Clock, who: Identity, name: str, scopes: Sequence[str], expires_at: datetime) -> NewKey:
    """A new key for the person. Raises InvalidInputError for unknown scopes, ones beyond the person's rights, or a wrong last day."""
    now = clock.now()
    _check(who, scopes, expires_at, now)
    secret = START + secrets.token_urlsafe(32)
    with tenant_session(db, who.factory_id, write=True) as session:
        live = session.scalars(select(ApiKey.id).where(ApiKey.user_id == who.user_id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now))
        if len(live.all()) >= _MOST_KEYS:
            raise InvalidInputError(f"You have {_MOST_KEYS} keys already; end some first.", path="name")
        row = ApiKey(
            factory_id=who.factory_id,
            user_id=who.user_id,
            name=name,
            prefix=secret[:10],
            key_hash=digest(secret),
            scopes=" ".join(sorted(set(scopes), key=SCOPES.index)),
            created_at=now,
            expires_at=expires_at,
        )
        session.add(row)
        session.flush()
        facts = {"name": name, "scopes": row.scopes.split(), "expires_at": expires_at.isoformat()}
        audit.append(session, "api_key.create", f"api_key:{row.id}", now, audit.Actor(who.factory_id, who.user_id), after=facts)
    return NewKey(row, secret)


def keys_of(db: Database, who: Identity) -> list[ApiKey]:
    """The person's keys, newest first, also those that ended."""
    with tenant_session(db, who.factory_id) as session:
        return list(session.scalars(select(ApiKey).where(ApiKey.user_id == who.user_id).order_by(ApiKey.id.desc())))


def revoke(db: Database, clock: Clock, who: Identity, key_id: int) -> None:
    """Ends a key of the person, or, for who manages people, of anybody in the factory. Raises NotFoundError."""
    now = clock.now()
    with tenant_session(db, who.factory_id, write=True) as session:
        row = session.get(ApiKey, key_id)
        if row is None or not (row.user_id == who.user_id or who.may("manage_users")):
            raise NotFoundError(f"there is no key {key_id}", noun="API key", key=key_id)
        if row.revoked_at is None:
            row.revoked_at = now
            audit.append(session, "api_key.revoke", f"api_key:{key_id}", now, audit.Actor(who.factory_id, who.user_id))


def check_key(db: Database, clock: Clock, secret: str) -> Identity | None:
    """Who holds a key, with the rights that key and person share; None when it is unknown, ended, too old, or its person gone."""
    now = clock.now()
    with system_session(db, "check an API key") as session:
        found = session.execute(
            select(ApiKey, User, Factory)
            .join(User, ApiKey.user_id == User.id)
            .join(Factory, ApiKey.factory_id == Factory.id)
            .where(ApiKey.key_hash == digest(secret))
        ).one_or_none()
    if found is None:
        return None
    row, user, factory = found
    if row.revoked_at is not None or row.expires_at <= now or not user.is_active:
        return None
    if row.last_used_at is None or now - row.last_used_at >= _USE_NOTED_EVERY:
        _note_use(db, row.id, now)
    return _identity(row, user, factory)


def is_alive(db: Database, clock: Clock, factory_id: int, key_id: int) -> bool:
    """Whether a key still works."""
    with tenant_session(db, factory_id) as session:
        row = session.get(ApiKey, key_id)
        user = session.get(User, row.user_id) if row is not None else None
    return row is not None and user is not None and row.revoked_at is None and row.expires_at > clock.now() and user.is_active


def _identity(row: ApiKey, user: User, factory: Factory) -> Identity:
    scopes = set(row.scopes.split())
    has = permissions_of(user)
    works = user.role != "viewer" and scopes != {"read"}
    return Identity(
        user_id=user.id,
        factory_id=factory.id,
        factory_slug=factory.slug,
        factory_name=factory.name,
        timezone=factory.timezone,
        role="admin" if works else "viewer",
        permissions=frozenset(p for p in PERMISSIONS if p in scopes and has[p]),
        session_id="",
        email=user.email,
        name=user.name or user.email,
        expires_at=row.expires_at,
        api_key_id=row.id,
    )


def _check(who: Identity, scopes: Sequence[str], expires_at: datetime, now: datetime) -> None:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InvalidInputError(f"scopes are some of {', '.join(SCOPES)}", path="scopes")
    beyond = sorted(s for s in scopes if (s in PERMISSIONS and not who.may(s)) or (s == "work" and not who.may_work))
    if beyond:
        raise InvalidInputError(f"a key cannot do what you cannot: {', '.join(beyond)}", path="scopes")
    if not now < expires_at <= now + LONGEST_LIFE:
        raise InvalidInputError(f"a key ends within {LONGEST_LIFE.days} days", path="expires_at")


def _note_use(db: Database, key_id: int, now: datetime) -> None:
    with system_session(db, "note the use of an API key", write=True) as session:
        row = session.get(ApiKey, key_id)
        if row is not None:
            row.last_used_at = now
