"""Leases: which of several contenders does a job that only one may do at a time. Taken over when the holder stops renewing.

A lease saves double work; it is not what keeps the data right. A holder that was stopped for longer than the lease lasts does not know
that it lost it, so whoever works under a lease also fences its writes (`warehouse.landing.move_cursor`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import LeaseLostError
from warehouse.models.streams import Lease as LeaseRow
from warehouse.tenancy import system_session

DEFAULT_TTL_S: Final = 1.5
RENEWALS_PER_TTL: Final = 3


@dataclass(frozen=True)
class LeaseInfo:
    """A lease as it stands in the database."""

    holder: str
    expires_at: datetime
    """Also when it was released; a lease that nobody holds has been free since then."""


class Lease:
    """One contender's hold on a named lease; `holder` is unique to this object."""

    def __init__(self, db: Database, name: str, clock: Clock, *, ttl_s: float = DEFAULT_TTL_S) -> None:
        self.db, self.name, self.clock = db, name, clock
        self.holder = uuid4().hex
        self.ttl = timedelta(seconds=ttl_s)
        self._renew_at: datetime | None = None

    @property
    def is_held(self) -> bool:
        """True when this contender took the lease and has not given it back; another one may have taken it over since."""
        return self._renew_at is not None

    def read(self) -> LeaseInfo | None:
        """The lease as it stands; None when nobody ever held it. A read: it never waits for a writer."""
        with system_session(self.db, f"look at lease {self.name}") as session:
            row = session.execute(select(LeaseRow.holder, LeaseRow.expires_at).where(LeaseRow.name == self.name)).one_or_none()
        return None if row is None else LeaseInfo(row.holder, row.expires_at)

    def acquire(self, *, free_for: timedelta = timedelta(0)) -> bool:
        """Takes the lease when it has been free for at least `free_for` (or was never held); False when it has not."""
        now = self.clock.now()
        dialect = sqlite if self.db.is_sqlite else postgresql
        statement = dialect.insert(LeaseRow).values(name=self.name, holder=self.holder, expires_at=now + self.ttl)
        statement = statement.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": self.holder, "expires_at": now + self.ttl},
            where=or_(LeaseRow.expires_at <= now - free_for, LeaseRow.holder == self.holder),
        )
        with system_session(self.db, f"take lease {self.name}", write=True) as session:
            taken = session.execute(statement.returning(LeaseRow.holder)).first() is not None
        self._renew_at = now + self.ttl / RENEWALS_PER_TTL if taken else None
        return taken

    def keep(self) -> None:
        """Renews the lease when a third of it has passed; call it often, it is free in between.

        Raises LeaseLostError when another contender has taken it over.
        """
        now = self.clock.now()
        if self._renew_at is not None and now < self._renew_at:
            return
        with system_session(self.db, f"renew lease {self.name}", write=True) as session:
            renewed = session.execute(
                update(LeaseRow).where(LeaseRow.name == self.name, LeaseRow.holder == self.holder).values(expires_at=now + self.ttl)
            )
        if renewed.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult
            self._renew_at = None
            raise LeaseLostError(f"lease {self.name} was taken over by another process", lease=self.name, holder=self.holder)
        self._renew_at = now + self.ttl / RENEWALS_PER_TTL

    def release(self) -> None:
        """Gives the lease back at once; does nothing when it is not ours any more."""
        if self._renew_at is None:
            return
        self._renew_at = None
        now = self.clock.now()
        with system_session(self.db, f"release lease {self.name}", write=True) as session:
            session.execute(
                update(LeaseRow)
                .where(LeaseRow.name == self.name, LeaseRow.holder == self.holder, LeaseRow.expires_at > now)
                .values(expires_at=now)
            )

    def forget(self) -> None:
        """Takes the lease out of the table: for one whose name is used once."""
        self._renew_at = None
        with system_session(self.db, f"forget lease {self.name}", write=True) as session:
            session.execute(delete(LeaseRow).where(LeaseRow.name == self.name))


def held_leases(db: Database, prefix: str, now: datetime) -> list[str]:
    """The names that begin with `prefix` of leases that somebody holds, in order."""
    question = select(LeaseRow.name).where(LeaseRow.name.startswith(prefix, autoescape=True), LeaseRow.expires_at > now)
    with system_session(db, f"who holds {prefix}") as session:
        return list(session.scalars(question.order_by(LeaseRow.name)))


def forget_ended_leases(db: Database, prefix: str, ended_before: datetime) -> None:
    """Takes leases of that prefix out of the table that ended before then: nobody will take them again."""
    with system_session(db, f"forget old {prefix}", write=True) as session:
        session.execute(delete(LeaseRow).where(LeaseRow.name.startswith(prefix, autoescape=True), LeaseRow.expires_at < ended_before))
