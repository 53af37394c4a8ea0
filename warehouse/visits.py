"""Visits of people: when the one before ended, so that a page can tell what changed since; and whether alerts make a sound for them."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.models.visits import Visit
from warehouse.tenancy import tenant_session

ENDS_AFTER: Final = timedelta(minutes=30)
"""Without a page opened for this long, a visit is over."""
NOTED_EVERY: Final = timedelta(minutes=1)
"""Writing down each page would cost a commit a click."""


def note_visit(db: Database, clock: Clock, factory_id: int, user_id: int) -> Visit:
    """Notes that a person opened a page. Gives what is known of their visits, `before_at` among it."""
    now = clock.now()
    found = visit_of(db, factory_id, user_id)
    if found is not None and now - found.seen_at < NOTED_EVERY:
        return found
    try:
        with tenant_session(db, factory_id, write=True) as session:
            row = session.scalar(select(Visit).where(Visit.user_id == user_id))
            if row is None:
                row = Visit(user_id=user_id, seen_at=now)
                session.add(row)
            row.before_at, row.seen_at = next_visit(row.seen_at, row.before_at, now)
    except IntegrityError:
        # Another page of the same person was the first to note it.
        again = visit_of(db, factory_id, user_id)
        if again is None:
            raise
        return again
    return row


def next_visit(seen_at: datetime, before_at: datetime | None, now: datetime) -> tuple[datetime | None, datetime]:
    """`before_at` and `seen_at` once a page is opened at `now`. Pure."""
    return (seen_at if now - seen_at >= ENDS_AFTER else before_at), max(now, seen_at)


def visit_of(db: Database, factory_id: int, user_id: int) -> Visit | None:
    """What is known of a person's visits; None before the first."""
    with tenant_session(db, factory_id) as session:
        found: Visit | None = session.scalar(select(Visit).where(Visit.user_id == user_id))
    return found


def set_sound(db: Database, clock: Clock, factory_id: int, user_id: int, *, is_wanted: bool) -> None:
    """Whether a new critical alert makes a sound for this person, on every screen of theirs."""
    note_visit(db, clock, factory_id, user_id)
    with tenant_session(db, factory_id, write=True) as session:
        session.scalars(select(Visit).where(Visit.user_id == user_id)).one().wants_sound = is_wanted
