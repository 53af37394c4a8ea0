"""Reads who is to be told: people, their preferences, escalation chains, webhooks and silences, of the factories that are asked for."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.notify.contacts import Chain, Contacts, Hook, Person, Preference, Step, Window
from rules.parse import parse_schedule
from rules.schedule import ALWAYS, Schedule
from warehouse.errors import InvalidInputError
from warehouse.models.alerting import Silence
from warehouse.models.notifying import EscalationChain, EscalationStep, NotificationPreference, Webhook
from warehouse.models.people import Factory, User
from warehouse.shifts import FactoryClock, clock_of

log = structlog.get_logger()


def contacts_of(session: Session, factory_ids: Iterable[int], now: datetime) -> dict[int, Contacts]:
    """The contacts of each factory as the caller's transaction sees them; silences that are over are left out."""
    wanted = sorted(set(factory_ids))
    if not wanted:
        return {}
    clocks = {factory.id: clock_of(factory) for factory in session.scalars(select(Factory).where(Factory.id.in_(wanted)))}
    people = _people(session, wanted, clocks)
    chains = _chains(session, wanted)
    hooks: dict[int, list[Hook]] = defaultdict(list)
    for hook in session.scalars(select(Webhook).where(Webhook.factory_id.in_(wanted), Webhook.is_active).order_by(Webhook.id)):
        hooks[hook.factory_id].append(Hook(hook.id, hook.name, hook.least_severity))
    silences = _silences(session, wanted, clocks, now)
    return {
        factory_id: Contacts(people[factory_id], tuple(chains[factory_id]), tuple(hooks[factory_id]), tuple(silences[factory_id]))
        for factory_id in wanted
    }


def _people(session: Session, wanted: list[int], clocks: dict[int, FactoryClock]) -> dict[int, dict[int, Person]]:
    wishes: dict[int, dict[str, Preference]] = defaultdict(dict)
    for row in session.scalars(select(NotificationPreference).where(NotificationPreference.factory_id.in_(wanted))):
        wishes[row.user_id][row.channel] = Preference(
            is_on=row.is_on,
            least_severity=row.least_severity,
            hours=_window(row.hours, clocks[row.factory_id], f"preference {row.id}") or ALWAYS,
            digest_up_to=row.digest_up_to,
            digest_every=timedelta(minutes=row.digest_every_minutes),
            wants_all_clear=row.wants_all_clear,
        )
    found: dict[int, dict[int, Person]] = defaultdict(dict)
    for user in session.scalars(select(User).where(User.factory_id.in_(wanted), User.is_active).order_by(User.id)):
        ways = {"email": user.email, "whatsapp": user.whatsapp_number}
        addresses = {channel: address for channel, address in ways.items() if address}
        found[user.factory_id][user.id] = Person(user.id, user.name or user.email, addresses, wishes[user.id])
    return found


def _chains(session: Session, wanted: list[int]) -> dict[int, list[Chain]]:
    steps: dict[int, list[Step]] = defaultdict(list)
    for row in session.scalars(select(EscalationStep).where(EscalationStep.factory_id.in_(wanted)).order_by(EscalationStep.position)):
        steps[row.chain_id].append(Step(timedelta(minutes=row.after_minutes), row.user_id))
    found: dict[int, list[Chain]] = defaultdict(list)
    active = select(EscalationChain).where(EscalationChain.factory_id.in_(wanted), EscalationChain.is_active)
    for chain in session.scalars(active.order_by(EscalationChain.id)):
        every = None if chain.reminder_every_minutes is None else timedelta(minutes=chain.reminder_every_minutes)
        ordered = tuple(sorted(steps[chain.id], key=lambda step: step.after))
        found[chain.factory_id].append(
            Chain(chain.id, chain.name, chain.rule_id, chain.least_severity, every, chain.most_reminders, ordered)
        )
    return found


def _silences(session: Session, wanted: list[int], clocks: dict[int, FactoryClock], now: datetime) -> dict[int, list[Window]]:
    found: dict[int, list[Window]] = defaultdict(list)
    for row in session.scalars(select(Silence).where(Silence.factory_id.in_(wanted), Silence.ends_at > now, Silence.starts_at <= now)):
        schedule = _window(row.schedule, clocks[row.factory_id], f"silence {row.id}")
        if row.schedule is not None and schedule is None:
            continue
        window = Window(row.id, row.device_id, row.rule_id, row.region, row.starts_at, row.ends_at, schedule, row.reason)
        found[row.factory_id].append(window)
    return found


def _window(config: dict[str, object] | None, clock: FactoryClock, what: str) -> Schedule | None:
    """A time window; None, and a line in the log, for one that cannot be read any more: people are rather told once too often."""
    if config is None:
        return None
    try:
        return parse_schedule("time_window", config, _zone(clock.timezone), shifts=clock.times())
    except InvalidInputError as wrong:
        log.warning("time_window_unreadable", of=what, reason=wrong.message)
        return None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        log.warning("time_zone_unknown", timezone=name)
        return ZoneInfo("UTC")
