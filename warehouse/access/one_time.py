"""Secrets that work once and not for long. The database keeps only their sha256."""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from warehouse.models.access import OneTimeToken


def new_secret() -> str:
    """A secret of 256 random bits for a link or a header."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What the database keeps of a secret: sha256 in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def issue(session: Session, factory_id: int, user_id: int, purpose: str, now: datetime, expires_at: datetime) -> str:
    """A new secret for a person; earlier ones of the same purpose stop working, and old ones of anybody are forgotten."""
    session.execute(update(OneTimeToken).where(OneTimeToken.user_id == user_id, OneTimeToken.purpose == purpose).values(used_at=now))
    session.execute(delete(OneTimeToken).where(OneTimeToken.expires_at < now))
    secret = new_secret()
    session.add(
        OneTimeToken(id=digest(secret), factory_id=factory_id, user_id=user_id, purpose=purpose, created_at=now, expires_at=expires_at)
    )
    return secret


def find(session: Session, secret: str, purpose: str, now: datetime) -> OneTimeToken | None:
    """The row of a secret that still works, locked until the transaction ends."""
    wanted = select(OneTimeToken).where(
        OneTimeToken.id == digest(secret), OneTimeToken.purpose == purpose, OneTimeToken.used_at.is_(None), OneTimeToken.expires_at > now
    )
    return session.scalar(wanted.with_for_update())
