"""How the work of one consumer of the landing log is shared out: by factory, with a cursor and a lease for each shard.

    1 shard     evaluator                               as if there were no shards
    3 shards    evaluator/0-of-3 evaluator/1-of-3 ...   factory f belongs to shard f mod 3

How many there are stands in the database and not in the settings, so that all processes agree on it at every moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session

from warehouse.errors import LeaseLostError
from warehouse.models.streams import ConsumerCursor, InstallationFact

MOST_SHARDS: Final = 64
_PREFIX: Final = "shards:"


@dataclass(frozen=True)
class Shard:
    """One of `of` equal parts of the factories."""

    index: int = 0
    of: int = 1

    def named(self, name: str) -> str:
        """What the shard's own cursor or lease is called; `name` itself when there is only one."""
        return name if self.of == 1 else f"{name}/{self.index}-of-{self.of}"

    def holds(self, factory_id: int) -> bool:
        """True when the factory belongs to this shard."""
        return factory_id % self.of == self.index


def shards_of(session: Session, consumer: str) -> list[Shard]:
    """The shards of a consumer as they are now, in order."""
    count = shard_count(session, consumer)
    return [Shard(index, count) for index in range(count)]


def shard_count(session: Session, consumer: str) -> int:
    """How many shards a consumer has; 1 when nobody ever said."""
    found = session.scalar(select(InstallationFact.value).where(InstallationFact.key == _PREFIX + consumer))
    return 1 if found is None else int(found["count"])


def require_shard(session: Session, consumer: str, shard: Shard) -> None:
    """Raises LeaseLostError when the work is shared out otherwise by now: then this part of it is nobody's."""
    count = shard_count(session, consumer)
    if count != shard.of:
        message = f"the work of {consumer} was shared out anew: {count} shards instead of {shard.of}"
        raise LeaseLostError(message, consumer=consumer, expected_shards=shard.of)


def locked_cursors(session: Session, consumer: str) -> dict[str, tuple[int, bytes | None]]:
    """Position and state of every cursor of a consumer, whatever its shards were; they cannot move until the transaction ends."""
    question = select(ConsumerCursor).where(_is_of(consumer)).order_by(ConsumerCursor.name).with_for_update()
    return {row.name: (row.position, row.state) for row in session.scalars(question)}


def share_out(session: Session, consumer: str, cursors: Mapping[Shard, tuple[int, bytes | None]], now: datetime) -> None:
    """Puts these shards in the place of those that were; whoever works on one of the old ones finds its cursor gone."""
    session.execute(delete(ConsumerCursor).where(_is_of(consumer)))
    for shard, (position, state) in cursors.items():
        session.add(ConsumerCursor(name=shard.named(consumer), position=position, state=state, updated_at=now))
    session.merge(InstallationFact(key=_PREFIX + consumer, value={"count": len(cursors)}, updated_at=now))


def _is_of(consumer: str) -> ColumnElement[bool]:
    return or_(ConsumerCursor.name == consumer, ConsumerCursor.name.startswith(f"{consumer}/", autoescape=True))
