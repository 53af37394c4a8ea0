"""Signs of life of processes that have no port of their own: written every few seconds, read by `/health` and `/metrics`."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from warehouse.db import Database
from warehouse.models.streams import InstallationFact
from warehouse.tenancy import system_session

EVERY: Final = timedelta(seconds=5)
"""How often a process gives a sign."""
MISSING_AFTER: Final = timedelta(seconds=20)
"""A process that gave none for this long is stopped, or cannot reach the database."""
_PREFIX: Final = "heartbeat:"


@dataclass(frozen=True)
class Heartbeat:
    """The last sign of one process."""

    name: str
    at: datetime
    problem: str = ""
    """What it cannot do now, in words for people; empty when all is well."""
    metrics: list[dict[str, Any]] = field(default_factory=list)
    """Its figures, in the form of `warehouse.metrics.samples`."""

    def state(self, now: datetime) -> str:
        """`ok`, or in words what is wrong."""
        silent = now - self.at
        if silent > MISSING_AFTER:
            return f"no sign of life for {silent.total_seconds():.0f} s"
        return self.problem or "ok"


def beat(db: Database, heartbeat: Heartbeat) -> None:
    """Writes one sign of life in place of the last of that name. Raises the database's own error while it is away."""
    value = {"at": heartbeat.at.isoformat(), "problem": heartbeat.problem, "metrics": heartbeat.metrics}
    dialect = sqlite if db.is_sqlite else postgresql
    statement = dialect.insert(InstallationFact).values(key=_PREFIX + heartbeat.name, value=value, updated_at=heartbeat.at)
    statement = statement.on_conflict_do_update(index_elements=["key"], set_={"value": value, "updated_at": heartbeat.at})
    with system_session(db, f"heartbeat of {heartbeat.name}", write=True) as session:
        session.execute(statement)


def say_goodbye(db: Database, name: str) -> None:
    """Takes a process off the list that stops on purpose: nobody shall wait for its next sign."""
    with system_session(db, f"goodbye of {name}", write=True) as session:
        session.execute(delete(InstallationFact).where(InstallationFact.key == _PREFIX + name))


def heartbeats(db: Database) -> list[Heartbeat]:
    """The last sign of every process that did not say goodbye, by name."""
    with system_session(db, "read heartbeats") as session:
        facts = session.scalars(
            select(InstallationFact).where(InstallationFact.key.startswith(_PREFIX)).order_by(InstallationFact.key)
        ).all()
    return [
        Heartbeat(
            fact.key.removeprefix(_PREFIX), datetime.fromisoformat(fact.value["at"]), fact.value["problem"], list(fact.value["metrics"])
        )
        for fact in facts
    ]
