"""Sends what waits in the outbox: three tries with growing pauses, then failed with the reason.

    pending --claim: attempts + 1, not due for two minutes--> send --ok--> sent
       ^                                                       |---permanent error, or third try--> failed
       |---later, 5 s then 30 s, with jitter ----retryable-----|---channel not set up-------------> skipped

A process that dies between sending and marking leaves one claimed message behind, which is sent again when its claim has run out: at most
that one, under the same Message-ID. Any number of senders may run; a claimed message is nobody else's.
"""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.notify.channels import Channel, ChannelOffError, Message, NullChannel
from rules.notify.email import email_channel
from rules.notify.whatsapp import whatsapp_channel
from rules.shared import shared_database
from warehouse.clock import Clock, SystemClock
from warehouse.db import Database
from warehouse.errors import PermanentError, RetryableError
from warehouse.log_watch import LogWatch
from warehouse.models.alerting import Alert, Notification
from warehouse.settings import Settings
from warehouse.tenancy import system_session

TRIES: Final = 3
PAUSES_S: Final = (5.0, 30.0)
"""After the first and the second try."""
JITTER: Final = 0.2
"""A pause is up to this share longer or shorter, so that a server that was away is not met by everybody at once."""
CLAIM: Final = timedelta(minutes=2)
"""Longer than the slowest send."""
POLL_S: Final = 0.1
LOOK_AT_LEAST_EVERY_S: Final = 1.0
LONGEST_ERROR: Final = 1000
_RANDOM: Final = secrets.SystemRandom()
log = structlog.get_logger()


@dataclass(frozen=True)
class OutboxSummary:
    """What became of the messages of one tick."""

    sent: int = 0
    failed: int = 0
    """Given up for good."""
    retried: int = 0
    """Tries that failed and will be repeated."""
    skipped: int = 0
    """Messages of a channel that is not set up."""


def channels_of(settings: Settings) -> dict[str, Channel]:
    """The channels of this installation by name."""
    try:
        whatsapp = whatsapp_channel(settings)
    except PermanentError as wrong:
        whatsapp = NullChannel(wrong.message)
    return {"email": email_channel(settings), "whatsapp": whatsapp}


class Outbox:
    """Claims due messages and hands them to their channels."""

    def __init__(
        self, db: Database, channels: Mapping[str, Channel], clock: Clock, *, random: Callable[[], float] = _RANDOM.random
    ) -> None:
        self.db, self.channels, self.clock, self._random = db, channels, clock, random

    def send_next(self) -> str | None:
        """Claims and sends the message that is due first; gives its new status (`pending` after a failed try), None when none is due."""
        message = self._claim()
        if message is None:
            return None
        if message.attempt > TRIES:
            return self._mark(message, "failed", f"given up: the process that sent it ended in each of {TRIES} tries")
        channel = self.channels.get(message.channel) or NullChannel(f"there is no channel {message.channel}")
        try:
            channel.send(message)
        except ChannelOffError as off:
            return self._mark(message, "skipped", off.message)
        except PermanentError as refused:
            return self._mark(message, "failed", refused.message)
        except RetryableError as failed:
            return self._mark(message, "pending" if message.attempt < TRIES else "failed", failed.message)
        return self._mark(message, "sent", None)

    def close(self) -> None:
        """Closes the channels' connections; the next message opens them again."""
        for channel in self.channels.values():
            channel.close()

    def _claim(self) -> Message | None:
        now = self.clock.now()
        due = (
            select(Notification)
            .where(Notification.status == "pending", Notification.next_attempt_at <= now)
            .order_by(Notification.next_attempt_at, Notification.id)
            .limit(1)
        )
        with system_session(self.db, "look into the outbox") as session:
            if session.scalar(due.with_only_columns(Notification.id)) is None:
                return None
        with system_session(self.db, "claim a notification", write=True) as session:
            row = session.scalar(due.with_for_update(skip_locked=True))
            if row is None:
                return None
            row.attempts += 1
            row.next_attempt_at = now + CLAIM
            return Message(
                notification_id=row.id,
                alert_id=row.alert_id,
                channel=row.channel,
                recipient=row.recipient,
                subject=row.subject,
                body=row.body,
                idempotency_key=row.idempotency_key,
                created_at=row.created_at,
                attempt=row.attempts,
            )

    def _mark(self, message: Message, status: str, reason: str | None) -> str:
        now = self.clock.now()
        with system_session(self.db, "mark a notification", write=True) as session:
            row = session.get(Notification, message.notification_id)
            if row is None:  # its alert was deleted meanwhile
                return status
            row.status, row.last_error = status, None if reason is None else reason[:LONGEST_ERROR]
            if status == "sent":
                row.sent_at = now
            elif status == "pending":
                row.next_attempt_at = now + self._pause(message.attempt)
            session.flush()
            _mark_alert(session, message.alert_id)
        facts = {"alert_id": message.alert_id, "channel": message.channel, "attempt": message.attempt, "status": status}
        (log.info if status in {"sent", "skipped"} else log.warning)("notification", **facts, reason=reason)
        return status

    def _pause(self, attempt: int) -> timedelta:
        pause_s = PAUSES_S[min(attempt, len(PAUSES_S)) - 1]
        return timedelta(seconds=pause_s * (1 + JITTER * (2 * self._random() - 1)))


def run_outbox_tick(settings: Settings, ends_at: datetime, stop: threading.Event, *, outbox: Outbox | None = None) -> OutboxSummary:
    """Sends whatever is due until `ends_at` (aware) or until `stop` is set. For a sensor tick; several may run at once."""
    outbox = outbox or Outbox(shared_database(settings), channels_of(settings), SystemClock())
    summary, watch, look_at = OutboxSummary(), LogWatch(outbox.db), outbox.clock.now()
    try:
        while not stop.is_set() and outbox.clock.now() < ends_at:
            # PostgreSQL's watch sees the landing log only.
            if watch.changed() or not outbox.db.is_sqlite or outbox.clock.now() >= look_at:
                summary = _sent_all(outbox, summary, ends_at, stop)
                look_at = outbox.clock.now() + timedelta(seconds=LOOK_AT_LEAST_EVERY_S)
            stop.wait(POLL_S)
    finally:
        outbox.close()
        watch.close()
    return summary


def _sent_all(outbox: Outbox, summary: OutboxSummary, ends_at: datetime, stop: threading.Event) -> OutboxSummary:
    count = 0
    while not stop.is_set() and outbox.clock.now() < ends_at:
        status = outbox.send_next()
        if status is None:
            break
        name = "retried" if status == "pending" else status
        summary = replace(summary, **{name: getattr(summary, name) + 1})
        count += 1
    if count:
        outbox.close()
    return summary


def _mark_alert(session: Session, alert_id: int) -> None:
    """`notification_sent`: every message of the alert was sent, apart from those of channels that are not set up."""
    statuses = set(session.scalars(select(Notification.status).where(Notification.alert_id == alert_id).distinct()))
    alert = session.get(Alert, alert_id)
    if alert is not None and "sent" in statuses and statuses <= {"sent", "skipped"}:
        alert.notification_sent = True
