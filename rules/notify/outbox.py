"""Sends what waits in the outbox: how often depends on what went wrong, then failed with the reason.

    pending --claim: attempts + 1, not due for two minutes--> send --ok--> sent
       ^                                                       |---permanent error, or last try---> failed
       |---later, with growing pauses and jitter, retryable----|---channel not set up-------------> skipped
    held <--- the recipient has had enough for now (digests.py makes one message of what is held)

What a service refuses for now is tried three times. A service that cannot be reached at all is tried eight times over half an hour: it is
away for all messages, and this one is not to blame. A service that says how long to wait is given that time.

A process that dies between sending and marking leaves one claimed message behind, which is sent again when its claim has run out: at most
that one, under the same Message-ID. Any number of senders may run; a claimed message is nobody else's.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rules.figures import OUTBOX
from rules.notify.channels import Channel, ChannelOffError, Message, NullChannel, ServiceAwayError, TooManyRequestsError
from rules.notify.email import email_channel
from rules.notify.followup import FollowUp
from rules.notify.webhook import WebhookChannel
from rules.notify.whatsapp import whatsapp_channel
from rules.shared import shared_database
from warehouse.clock import Clock, SystemClock
from warehouse.db import Database
from warehouse.errors import PermanentError, RetryableError
from warehouse.log_watch import LogWatch
from warehouse.models.alerting import Alert, Notification
from warehouse.settings import Settings
from warehouse.tenancy import system_session
from warehouse.tracing import Exporter, Span, exporter_of, trace_id

TRIES: Final = 3
PAUSES_S: Final = (5.0, 30.0)
"""After the first and the second try."""
TRIES_WHILE_AWAY: Final = 8
PAUSES_WHILE_AWAY_S: Final = (5.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0)
RATE_WINDOW: Final = timedelta(minutes=10)
HELD_FOR: Final = timedelta(minutes=1)
"""While a recipient gets too many messages, they come together this often."""
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
    held: int = 0
    """Messages that wait because their recipient has had enough for now."""


def channels_of(settings: Settings, db: Database, clock: Clock) -> dict[str, Channel]:
    """The channels of this installation by name."""
    try:
        whatsapp = whatsapp_channel(settings)
    except PermanentError as wrong:
        whatsapp = NullChannel(wrong.message)
    return {"email": email_channel(settings), "whatsapp": whatsapp, "webhook": WebhookChannel(db, clock)}


class Outbox:
    """Claims due messages and hands them to their channels."""

    def __init__(
        self,
        db: Database,
        channels: Mapping[str, Channel],
        clock: Clock,
        *,
        random: Callable[[], float] = _RANDOM.random,
        most_per_window: int = 0,
    ) -> None:
        self.db, self.channels, self.clock, self._random = db, channels, clock, random
        self.exporter: Exporter | None = None
        self.most_per_window = most_per_window
        """Messages to one recipient within RATE_WINDOW; 0: any number."""

    def send_next(self) -> str | None:
        """Claims and sends the message that is due first; gives its new status (`pending` after a failed try), None when none is due."""
        message = self._claim()
        if message is None or isinstance(message, str):
            return message
        if message.attempt > (TRIES_WHILE_AWAY if message.has_failed_before else TRIES):
            return self._mark(message, "failed", f"given up: the process that sent it ended in each of {TRIES} tries")
        channel = self.channels.get(message.channel) or NullChannel(f"there is no channel {message.channel}")
        try:
            channel.send(message)
        except ChannelOffError as off:
            return self._mark(message, "skipped", off.message)
        except PermanentError as refused:
            return self._mark(message, "failed", refused.message)
        except RetryableError as failed:
            return self._mark(message, *_after(message.attempt, failed))
        return self._mark(message, "sent", None)

    def close(self) -> None:
        """Closes the channels' connections; the next message opens them again."""
        for channel in self.channels.values():
            channel.close()

    def _claim(self) -> Message | str | None:
        """The next message, claimed; `held` when its recipient has had enough for now."""
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
            if self._has_enough(session, row, now):
                row.status, row.next_attempt_at = "held", now + HELD_FOR
                log.warning("notification_held", alert_id=row.alert_id, channel=row.channel)
                return "held"
            row.attempts += 1
            row.next_attempt_at = now + CLAIM
            alert = None if row.alert_id is None else session.get(Alert, row.alert_id)
            return Message(
                trace_id="" if alert is None else trace_id(alert.factory_id, alert.device_id, alert.triggered_at),
                notification_id=row.id,
                alert_id=row.alert_id,
                channel=row.channel,
                recipient=row.recipient,
                subject=row.subject,
                body=row.body,
                idempotency_key=row.idempotency_key,
                created_at=row.created_at,
                attempt=row.attempts,
                html=row.body_html,
                webhook_id=row.webhook_id,
                kind=row.kind,
                has_failed_before=row.last_error is not None,
            )

    def _has_enough(self, session: Session, row: Notification, now: datetime) -> bool:
        """Whether the recipient had so many messages that this one is to come together with others.

        Who is on duty is always told at once, and so is a program.
        """
        if not self.most_per_window or row.kind in {"digest", "escalation"} or row.webhook_id is not None or row.attempts:
            return False
        sent = select(func.count(Notification.id)).where(
            Notification.recipient == row.recipient,
            Notification.channel == row.channel,
            Notification.factory_id == row.factory_id,
            Notification.digest_id.is_(None),
            Notification.sent_at > now - RATE_WINDOW,
        )
        return (session.scalar(sent) or 0) >= self.most_per_window

    def _mark(self, message: Message, status: str, reason: str | None, pause_s: float = 0.0) -> str:
        now = self.clock.now()
        with system_session(self.db, "mark a notification", write=True) as session:
            row = session.get(Notification, message.notification_id)
            if row is None:  # its alert was deleted meanwhile
                return status
            row.status, row.last_error = status, None if reason is None else reason[:LONGEST_ERROR]
            if status == "sent":
                row.sent_at = now
            elif status == "pending":
                row.next_attempt_at = now + timedelta(seconds=pause_s * (1 + JITTER * (2 * self._random() - 1)))
            session.flush()
            _mark_alerts(session, message, now)
        facts = {"alert_id": message.alert_id, "channel": message.channel, "attempt": message.attempt, "status": status}
        if message.trace_id:
            facts["trace_id"] = message.trace_id
            if self.exporter is not None:
                about: dict[str, str | int] = {"channel": message.channel, "status": status, "attempt": message.attempt}
                name = f"notify {message.notification_id}"
                self.exporter.add(Span(message.trace_id, name, message.created_at, now, about, "message"))
        (log.info if status in {"sent", "skipped"} else log.warning)("notification", **facts, reason=reason)
        return status


def _after(attempt: int, failed: RetryableError) -> tuple[str, str, float]:
    """What becomes of a message after a failed try: status, reason, and the pause in seconds before jitter."""
    is_away = isinstance(failed, ServiceAwayError)
    tries, pauses_s = (TRIES_WHILE_AWAY, PAUSES_WHILE_AWAY_S) if is_away else (TRIES, PAUSES_S)
    if attempt >= tries:
        return "failed", failed.message, 0.0
    pause_s = pauses_s[attempt - 1]
    if isinstance(failed, TooManyRequestsError):
        pause_s = max(pause_s, failed.retry_after_s)
    return "pending", failed.message, pause_s


def run_outbox_tick(settings: Settings, ends_at: datetime, stop: threading.Event, *, outbox: Outbox | None = None) -> OutboxSummary:
    """Sends whatever is due until `ends_at` (aware) or until `stop` is set; escalates, reminds and makes digests when their time comes.

    For a sensor tick; several may run at once.
    """
    outbox = outbox or _outbox(settings)
    follow_up = FollowUp(outbox.db, outbox.clock, settings.app_url)
    summary, watch, look_at = OutboxSummary(), LogWatch(outbox.db), outbox.clock.now()
    try:
        while not stop.is_set() and outbox.clock.now() < ends_at:
            # PostgreSQL's watch sees the landing log only.
            if watch.changed() or not outbox.db.is_sqlite or outbox.clock.now() >= look_at:
                follow_up.run_when_due()
                summary = _sent_all(outbox, summary, ends_at, stop)
                look_at = outbox.clock.now() + timedelta(seconds=LOOK_AT_LEAST_EVERY_S)
            stop.wait(POLL_S)
    finally:
        outbox.close()
        watch.close()
    return summary


def _outbox(settings: Settings) -> Outbox:
    db, clock = shared_database(settings), SystemClock()
    made = Outbox(db, channels_of(settings, db, clock), clock, most_per_window=settings.notification_limit_per_10_minutes)
    made.exporter = exporter_of(settings.otlp_endpoint)
    return made


def _sent_all(outbox: Outbox, summary: OutboxSummary, ends_at: datetime, stop: threading.Event) -> OutboxSummary:
    count = 0
    while not stop.is_set() and outbox.clock.now() < ends_at:
        began = time.perf_counter()
        status = outbox.send_next()
        if status is None:
            break
        OUTBOX.messages.labels(status).inc()
        OUTBOX.send_s.observe(time.perf_counter() - began)
        name = "retried" if status == "pending" else status
        summary = replace(summary, **{name: getattr(summary, name) + 1})
        count += 1
    if count:
        outbox.close()
    return summary


def _mark_alerts(session: Session, message: Message, now: datetime) -> None:
    """`notification_sent`: every message of the alert was sent, by itself or in a digest, apart from those of channels not set up."""
    if message.kind == "digest":
        told = session.scalars(select(Notification).where(Notification.digest_id == message.notification_id)).all()
        digest = session.get_one(Notification, message.notification_id)
        if digest.status == "sent":
            for row in told:
                row.sent_at = now
            session.flush()
        alert_ids = {row.alert_id for row in told if row.alert_id is not None}
    else:
        alert_ids = {message.alert_id} if message.alert_id is not None else set()
    for alert_id in sorted(alert_ids):
        rows = session.execute(select(Notification.status, Notification.sent_at).where(Notification.alert_id == alert_id)).all()
        statuses = {"sent" if status == "digested" and sent_at is not None else status for status, sent_at in rows}
        alert = session.get(Alert, alert_id)
        if alert is not None and "sent" in statuses and statuses <= {"sent", "skipped"}:
            alert.notification_sent = True
