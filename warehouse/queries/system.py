"""How the installation itself is doing: what waits where, and for how long. Across factories, in numbers only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.landing import LogSize, size
from warehouse.models.alerting import Alert, Notification
from warehouse.models.streams import ConsumerCursor, LandingBatch
from warehouse.tenancy import system_session


@dataclass(frozen=True)
class Backlog:
    """What a consumer of the landing log has still to do."""

    waiting_batches: int
    waiting_s: float
    """How long the oldest of them has waited, in seconds."""


@dataclass(frozen=True)
class SystemFigures:
    """What the operational database tells about the processes around it."""

    newest_message_age_s: float | None
    """None when nothing was ever received, or the newest batch was trimmed."""
    head: int
    """Position of the newest landed batch."""
    consumers: dict[str, Backlog]
    """By consumer name; of one that is shared out, what its slowest shard has still to do."""
    notifications_pending: int
    notifications_failed: int
    notifications_waiting_s: float
    """How long the oldest due notification has waited, in seconds."""
    active_alerts: int
    log: LogSize
    """How much the landing log holds."""
    log_oldest_s: float
    """How long ago its oldest batch landed, in seconds."""


def system_figures(db: Database, now: datetime) -> SystemFigures:
    """Reads all figures in one transaction; raises the database's own error while it is away."""
    with system_session(db, "health of the installation") as session:
        newest = session.execute(select(func.max(LandingBatch.position), func.max(LandingBatch.landed_at))).one()
        cursors = session.scalars(select(ConsumerCursor)).all()
        head = max([newest[0] or 0, *(c.position for c in cursors)])
        consumers = {}
        for cursor in cursors:
            waiting = session.execute(
                select(func.count(LandingBatch.position), func.min(LandingBatch.landed_at)).where(LandingBatch.position > cursor.position)
            ).one()
            consumers[cursor.name] = Backlog(waiting[0], _age_s(waiting[1], now) or 0.0)
        consumers = slowest_shards(consumers)
        by_status = dict(session.execute(select(Notification.status, func.count(Notification.id)).group_by(Notification.status)).all())
        due = session.scalar(
            select(func.min(Notification.next_attempt_at)).where(Notification.status == "pending", Notification.next_attempt_at <= now)
        )
        log = size(session)
        active = session.scalar(select(func.count(Alert.id)).where(Alert.resolved_at.is_(None))) or 0
    return SystemFigures(
        newest_message_age_s=_age_s(newest[1], now),
        head=head,
        consumers=consumers,
        notifications_pending=by_status.get("pending", 0),
        notifications_failed=by_status.get("failed", 0),
        notifications_waiting_s=_age_s(due, now) or 0.0,
        active_alerts=active,
        log=log,
        log_oldest_s=_age_s(log.oldest, now) or 0.0,
    )


def slowest_shards(cursors: Mapping[str, Backlog]) -> dict[str, Backlog]:
    """The backlogs of cursors such as `evaluator/0-of-2` by the consumer's name; pure."""
    found: dict[str, Backlog] = {}
    for name, backlog in cursors.items():
        consumer = name.partition("/")[0]
        found[consumer] = max(backlog, found.get(consumer, backlog), key=lambda one: (one.waiting_s, one.waiting_batches))
    return found


def loader_backlog(db: Database, lake: Lake, shard: str, now: datetime) -> Backlog:
    """What has landed and is not in the lake yet. Raises LakeBusyError while the lake is away."""
    position = lake.loader_position(shard)
    with system_session(db, "health of the loader") as session:
        count, oldest = session.execute(
            select(func.count(LandingBatch.position), func.min(LandingBatch.landed_at)).where(LandingBatch.position > position)
        ).one()
    return Backlog(count, _age_s(oldest, now) or 0.0)


def _age_s(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds())


@dataclass(frozen=True)
class Landed:
    """What came in lately, of all factories."""

    messages_a_second: float
    readings_a_second: float


def landed_lately(db: Database, now: datetime, span: timedelta = timedelta(minutes=1)) -> Landed:
    """The rate over the last `span`."""
    wanted = select(func.sum(LandingBatch.message_count), func.sum(LandingBatch.row_count)).where(
        LandingBatch.landed_at > now - span, LandingBatch.landed_at <= now
    )
    with system_session(db, "rate of ingest") as session:
        messages, readings = session.execute(wanted).one()
    seconds = span.total_seconds()
    return Landed((messages or 0) / seconds, (readings or 0) / seconds)
