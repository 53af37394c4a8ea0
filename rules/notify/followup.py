"""What is due by the clock: the next person of an escalation chain, a reminder, the end of a silence, a digest.

Driven by whoever sends the outbox, once a second; several may run at once: an alert is locked while its step is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.notify.composing import outbox_rows
from rules.notify.contacts import Chain, Contacts, Delivery, Progress, advanced, begun, first_told, on_duty, to_hooks
from rules.notify.digests import make_digests
from rules.notify.directory import contacts_of
from rules.notify.facts import Facts, texts_of
from rules.notify.templates import AlertText, Occasion
from rules.store import channels_of
from warehouse.alerting import insert_notifications
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.models.alerting import Alert, AlertEvent, Notification, Rule
from warehouse.tenancy import system_session

EVERY: Final = timedelta(seconds=1)
MOST_AT_ONCE: Final = 100
log = structlog.get_logger()


@dataclass(frozen=True)
class _Case:
    """One alert whose step is due, and what the step needs."""

    alert: Alert
    text: AlertText
    facts: Facts
    contacts: Contacts
    channels: tuple[str, ...]
    """Of its rule."""
    now: datetime
    app_url: str

    @property
    def region(self) -> str | None:
        return self.facts.machines[self.alert.device_id].region

    @property
    def chain(self) -> Chain | None:
        return self.contacts.chain(self.alert.rule_id, self.alert.severity)

    def known(self) -> dict[str, object]:
        """For webhooks."""
        alert = self.alert
        return {"rule_id": alert.rule_id, "device_id": alert.device_id, "device_key": self.facts.machines[alert.device_id].key}


class FollowUp:
    """Takes the steps that are due."""

    def __init__(self, db: Database, clock: Clock, app_url: str) -> None:
        self.db, self.clock, self.app_url = db, clock, app_url
        self._ran_at: datetime | None = None

    def run_when_due(self) -> int:
        """As `run`, at most once a second; gives 0 in between."""
        now = self.clock.now()
        if self._ran_at is not None and timedelta(0) <= now - self._ran_at < EVERY:
            return 0
        self._ran_at = now
        return self.run()

    def run(self) -> int:
        """Takes all steps that are due; gives how many there were: escalations, reminders, looks at silences, digests."""
        now = self.clock.now()
        with system_session(self.db, "look for alerts to follow up") as session:
            is_due = session.scalar(select(Alert.id).where(Alert.next_step_at <= now).limit(1)) is not None
            is_held = session.scalar(_held(now).with_only_columns(Notification.id).limit(1)) is not None
        steps = 0
        while is_due:
            with system_session(self.db, "follow up alerts", write=True) as session:
                taken = _follow_up(session, now, self.app_url)
            steps, is_due = steps + taken, taken == MOST_AT_ONCE
        if is_held:
            with system_session(self.db, "make digests", write=True) as session:
                held = session.scalars(_held(now).with_for_update(skip_locked=True)).all()
                steps += make_digests(session, held, now, self.app_url)
        return steps


def _held(now: datetime):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return select(Notification).where(Notification.status == "held", Notification.next_attempt_at <= now)


def _follow_up(session: Session, now: datetime, app_url: str) -> int:
    due = select(Alert).where(Alert.next_step_at <= now).order_by(Alert.next_step_at, Alert.id).limit(MOST_AT_ONCE)
    alerts = session.scalars(due.with_for_update(skip_locked=True)).all()
    for case in _cases(session, alerts, now, app_url):
        _take_step(session, case)
    return len(alerts)


def _cases(session: Session, alerts: Sequence[Alert], now: datetime, app_url: str) -> list[_Case]:
    contacts = contacts_of(session, {alert.factory_id for alert in alerts}, now)
    texts, facts = texts_of(session, alerts)
    rules = select(Rule.id, Rule.notification_channels).where(Rule.id.in_({alert.rule_id for alert in alerts}))
    channels = {rule_id: channels_of(wanted) for rule_id, wanted in session.execute(rules)}
    return [_Case(alert, texts[alert.id], facts, contacts[alert.factory_id], channels[alert.rule_id], now, app_url) for alert in alerts]


def _take_step(session: Session, case: _Case) -> None:
    alert, now = case.alert, case.now
    if alert.resolved_at is not None or alert.acknowledged_at is not None or alert.cleared_at is not None:
        alert.next_step_at = None
        return
    silence = case.contacts.silence(alert.rule_id, alert.device_id, case.region, now)
    if silence is not None:
        alert.next_step_at = silence.look_again_at(now)
    elif alert.is_silenced:
        _tell_after_silence(session, case)
    else:
        _advance(session, case)


def _tell_after_silence(session: Session, case: _Case) -> None:
    """The silence is over and nobody has been told: that is made up for."""
    alert, now = case.alert, case.now
    progress = begun(case.chain, now)
    alert.is_silenced, alert.escalation_level, alert.next_step_at = False, progress.level, progress.next_at
    deliveries = first_told(case.contacts, alert.rule_id, alert.severity, case.channels, now)
    _tell(session, case, deliveries, Occasion("alert", "A silence held this alert back; it is still active."), 0)
    _note(session, alert, "told", now, len(deliveries))


def _advance(session: Session, case: _Case) -> None:
    alert, chain, now = case.alert, case.chain, case.now
    if chain is None:  # it was deleted or switched off meanwhile
        alert.next_step_at = None
        return
    before = Progress(alert.escalation_level, alert.reminder_count, alert.next_step_at)
    kind, after = advanced(chain, before, now)
    alert.escalation_level, alert.reminder_count, alert.next_step_at = after.level, after.reminders, after.next_at
    if kind == "escalation":
        step = chain.steps[before.level]
        minutes = f"{step.after.total_seconds() / 60:g}"
        sentence = f"Nobody has acknowledged this alert for {minutes} minutes. You are next in the chain {chain.name}."
        deliveries = on_duty(case.contacts, [step.user_id], case.channels, now)
        _tell(session, case, deliveries, Occasion(kind, sentence), after.level)
        _note(session, alert, "escalated", now, len(deliveries), step.user_id)
    elif kind == "reminder":
        deliveries = on_duty(case.contacts, _told_people(session, alert.id), case.channels, now)
        sentence = f"Reminder {after.reminders}: this alert is active and nobody has acknowledged it."
        _tell(session, case, deliveries, Occasion(kind, sentence), after.reminders)
        _note(session, alert, "reminded", now, len(deliveries))


def _told_people(session: Session, alert_id: int) -> list[int]:
    question = select(Notification.user_id).where(Notification.alert_id == alert_id, Notification.status.in_(("sent", "pending")))
    return [user_id for user_id in session.scalars(question.order_by(Notification.id)) if user_id is not None]


def _tell(session: Session, case: _Case, deliveries: list[Delivery], occasion: Occasion, number: int) -> None:
    alert = case.alert
    if occasion.kind != "alert":  # `first_told` has the webhooks already
        deliveries = deliveries + to_hooks(case.contacts, alert.severity, case.now)
    rows = outbox_rows(deliveries, alert.factory_id, case.text, case.now, case.app_url, occasion, number=number, facts=case.known())
    session.flush()
    insert_notifications(session, rows)
    log.info("alert_followed_up", alert_id=alert.id, kind=occasion.kind, messages=len(rows))


def _note(session: Session, alert: Alert, kind: str, now: datetime, messages: int, to_user_id: int | None = None) -> None:
    details = {"messages": messages} | ({} if to_user_id is None else {"to_user_id": to_user_id})
    session.add(AlertEvent(factory_id=alert.factory_id, alert_id=alert.id, kind=kind, happened_at=now, details=details))
