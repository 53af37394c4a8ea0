"""Turns what the engine found into rows: alerts and their repeats, their end, cooldowns, history, and outbox rows for those who are told.

One rule has at most one active alert on a machine:

    engine    fired      fired     cleared    fired                  cleared, of a rule that resolves by itself
    alert     new, told  repeat 1  cleared    repeat 2, not cleared  resolved, all-clear

Everything happens in the caller's transaction, together with the evaluator's cursor.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from rules.engine import Raised, Rule
from rules.messages import alert_message
from rules.notify import contacts, templates
from rules.notify.all_clear import all_clear_rows
from rules.notify.composing import outbox_rows
from rules.notify.contacts import Contacts
from rules.notify.directory import contacts_of
from rules.notify.facts import Facts, facts_of, text_of
from rules.schedule import moment_of
from warehouse.alerting import Trigger, existing_pairs, insert_notifications, insert_raises, move_cooldowns, open_alerts
from warehouse.models.alerting import Alert, AlertEvent
from warehouse.tracing import trace_id

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Found:
    """What the engine raised, with everything that the device said in the same message."""

    raised: Raised
    telemetry: Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Over:
    """A rule's condition stopped holding on a device; `resolves` when its alert ends by that, without a person."""

    rule: Rule
    device_id: int
    at_us: int
    resolves: bool


Pair = tuple[int, int]
"""Rule and device."""


@dataclass
class _Work:
    """What is known and what was done in one transaction."""

    now: datetime
    contacts: Mapping[int, Contacts]
    facts: Facts
    open: dict[Pair, Alert]
    new: list[tuple[Alert, Found]]
    events: list[tuple[Alert, AlertEvent]]
    resolved: list[Alert]


def record(session: Session, found: Sequence[Found], now: datetime, app_url: str, over: Sequence[Over] = ()) -> int:
    """Writes alerts, repeats, ends, cooldowns, history and outbox rows in the caller's transaction; gives how many triggers are new.

    A trigger that is known already changes nothing, and nobody is told twice. Rules and devices that were deleted while their
    readings were on the way are skipped. For a system session that holds the write lock.
    """
    kept, ended = _existing(session, found, over)
    triggers = [_trigger(one) for one in kept]
    fresh = insert_raises(session, triggers, now)
    kept = [one for one, trigger in zip(kept, triggers, strict=True) if trigger.key in fresh]
    if not kept and not ended:
        return 0
    move_cooldowns(session, (trigger for trigger in triggers if trigger.key in fresh))
    work = _prepared(session, kept, ended, now)
    for at_us, event in _in_order(kept, ended):
        if isinstance(event, Found):
            _raise(work, event, moment_of(at_us))
        else:
            _end(work, event, moment_of(at_us))
    _write(session, work, app_url)
    return len(kept)


def _existing(session: Session, found: Sequence[Found], over: Sequence[Over]) -> tuple[list[Found], list[Over]]:
    pairs = existing_pairs(session, [*map(_pair, found), *map(_pair, over)])
    kept, ended = [one for one in found if _pair(one) in pairs], [one for one in over if _pair(one) in pairs]
    if len(kept) < len(found):
        log.info("alerts_of_deleted_rules_or_devices_skipped", skipped=len(found) - len(kept))
    return kept, ended


def _prepared(session: Session, found: Sequence[Found], over: Sequence[Over], now: datetime) -> _Work:
    pairs = {*map(_pair, found), *map(_pair, over)}
    active = open_alerts(session, pairs)
    # Repeats need nobody: most triggers of a machine in trouble are repeats.
    telling = [one for one in found if _pair(one) not in active]
    factories = {_rule(one).factory_id for one in telling} | {one.rule.factory_id for one in over if one.resolves}
    facts = facts_of(session, {device_id for _, device_id in pairs})
    return _Work(now, contacts_of(session, factories, now), facts, active, [], [], [])


def _raise(work: _Work, found: Found, at: datetime) -> None:
    alert = work.open.get(_pair(found))
    if alert is None:
        alert = work.open[_pair(found)] = _new_alert(work, found, at)
        work.new.append((alert, found))
        return
    alert.repeat_count += 1
    alert.last_raised_at = at if alert.last_raised_at is None else max(at, alert.last_raised_at)
    if alert.cleared_at is not None:
        alert.cleared_at = None
        _note(work, alert, "repeated", at)
        if alert.acknowledged_at is None:
            # It goes on where it stood when the condition was over: that is no reason to begin with the first person again.
            alert.next_step_at = work.now


def _end(work: _Work, over: Over, at: datetime) -> None:
    alert = work.open.get(_pair(over))
    if alert is None or alert.cleared_at is not None or at < (alert.last_raised_at or alert.triggered_at):
        return
    alert.cleared_at, alert.next_step_at = at, None
    if not over.resolves:
        _note(work, alert, "cleared", at)
        return
    alert.resolved_at, alert.is_resolved_automatically = work.now, True
    _note(work, alert, "resolved", work.now, details={"automatically": True, "cleared_at": at.isoformat()})
    work.resolved.append(alert)
    del work.open[_pair(over)]


def _new_alert(work: _Work, found: Found, at: datetime) -> Alert:
    raised = found.raised
    rule, machine = raised.rule, work.facts.machines[raised.device_id]
    people = work.contacts[rule.factory_id]
    silence = people.silence(rule.rule_id, raised.device_id, machine.region, work.now)
    progress = contacts.begun(people.chain(rule.rule_id, rule.severity), work.now)
    alert = Alert(
        factory_id=rule.factory_id,
        rule_id=rule.rule_id,
        device_id=raised.device_id,
        triggered_at=at,
        severity=rule.severity,
        message=alert_message(
            rule.condition, raised.measured or raised.values, work.facts.labels.get(raised.device_id, {}), sorted(rule.device_ids or ())
        ),
        telemetry_snapshot={**found.telemetry, **raised.values, "timestamp": templates.iso_z(at)},
        created_at=work.now,
        repeat_count=0,
        is_silenced=silence is not None,
        silence_id=silence.silence_id if silence else None,
        escalation_level=0 if silence else progress.level,
        next_step_at=silence.look_again_at(work.now) if silence else progress.next_at,
    )
    _note(work, alert, "triggered", at)
    if silence:
        _note(work, alert, "silenced", work.now, comment=silence.reason)
    return alert


def _note(work: _Work, alert: Alert, kind: str, at: datetime, *, comment: str | None = None, details: dict[str, Any] | None = None) -> None:
    event = AlertEvent(factory_id=alert.factory_id, kind=kind, happened_at=at, comment=comment, details=details)
    work.events.append((alert, event))


def _write(session: Session, work: _Work, app_url: str) -> None:
    session.add_all(alert for alert, _ in work.new)
    session.flush()  # gives ids
    for alert, event in work.events:
        event.alert_id = alert.id
        session.add(event)
    rows: list[dict[str, Any]] = []
    for alert, found in work.new:
        trace = trace_id(alert.factory_id, alert.device_id, alert.triggered_at)
        log.info("alert_raised", trace_id=trace, alert_id=alert.id, rule_id=alert.rule_id, device_id=alert.device_id)
        if not alert.is_silenced:
            rows += _told(work, alert, found, app_url)
    insert_notifications(session, rows)
    session.flush()
    insert_notifications(session, all_clear_rows(session, work.resolved, work.contacts, work.now, app_url))


def _told(work: _Work, alert: Alert, found: Found, app_url: str) -> list[dict[str, Any]]:
    rule = found.raised.rule
    text = text_of(alert, rule.name, work.facts, found.raised.values)
    deliveries = contacts.first_told(work.contacts[alert.factory_id], rule.rule_id, alert.severity, rule.channels, work.now)
    facts = {"rule_id": rule.rule_id, "device_id": alert.device_id, "device_key": work.facts.machines[alert.device_id].key}
    return outbox_rows(deliveries, alert.factory_id, text, work.now, app_url, facts=facts)


def _in_order(found: Iterable[Found], over: Iterable[Over]) -> list[tuple[int, Found | Over]]:
    """By device time; at the same moment the end of the one comes before the beginning of the next."""
    events: list[tuple[int, Found | Over]] = [*((one.at_us, one) for one in over), *((one.raised.at_us, one) for one in found)]
    return sorted(events, key=lambda event: event[0])


def _trigger(found: Found) -> Trigger:
    return Trigger(_rule(found).factory_id, *_pair(found), moment_of(found.raised.at_us))


def _rule(found: Found) -> Rule:
    return found.raised.rule


def _pair(event: Found | Over) -> Pair:
    if isinstance(event, Found):
        return event.raised.rule.rule_id, event.raised.device_id
    return event.rule.rule_id, event.device_id
