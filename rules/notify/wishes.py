"""Whom to tell and how, as people set it: their own preferences, escalation chains, webhooks. Each change is in the audit trail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.notify.webhook import checked_url, new_secret
from rules.parse import parse_schedule
from warehouse.access import audit
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.alerting import CHANNELS, Rule
from warehouse.models.notifying import EscalationChain, EscalationStep, NotificationPreference, Webhook
from warehouse.models.people import Factory, User
from warehouse.shifts import clock_of
from warehouse.tenancy import tenant_session
from warehouse.terms import SEVERITIES

MOST_STEPS: Final = 20
LONGEST_MINUTES: Final = 7 * 24 * 60
DIGEST_MINUTES: Final = range(5, 24 * 60 + 1)


@dataclass(frozen=True)
class Wish:
    """How a person wants to hear on one channel; the default is what holds without a word of theirs."""

    channel: str
    is_on: bool = True
    least_severity: str = "low"
    hours: Mapping[str, Any] | None = None
    digest_up_to: str | None = None
    digest_every_minutes: int = 60
    wants_all_clear: bool = True


@dataclass(frozen=True)
class ChainStep:
    """The person who is told this many minutes after the alert, unless it is acknowledged."""

    after_minutes: float
    user_id: int


@dataclass(frozen=True)
class NewChain:
    """An escalation chain as it is to be."""

    name: str
    steps: Sequence[ChainStep]
    rule_id: int | None = None
    least_severity: str = "high"
    reminder_every_minutes: float | None = None
    most_reminders: int = 3
    is_active: bool = True


@dataclass(frozen=True)
class ChainRow:
    """An escalation chain with its steps in order."""

    chain: EscalationChain
    steps: tuple[ChainStep, ...]


@dataclass(frozen=True)
class WebhookChange:
    """What is to change of a webhook; None: stays."""

    name: str | None = None
    url: str | None = None
    least_severity: str | None = None
    is_active: bool | None = None


def wishes_of(db: Database, factory_id: int, user_id: int) -> list[Wish]:
    """The preferences of a person, one for each channel."""
    with tenant_session(db, factory_id) as session:
        rows = session.scalars(select(NotificationPreference).where(NotificationPreference.user_id == user_id)).all()
    known = {row.channel: Wish(**{name: getattr(row, name) for name in Wish.__dataclass_fields__}) for row in rows}
    return [known.get(channel, Wish(channel)) for channel in CHANNELS]


def set_wish(db: Database, clock: Clock, factory_id: int, user_id: int, wish: Wish) -> None:
    """Stores how a person wants to hear on one channel. Raises InvalidInputError for what cannot be meant."""
    now = clock.now()
    _one_of(wish.channel, CHANNELS, "$.channel")
    _one_of(wish.least_severity, SEVERITIES, "$.least_severity")
    if wish.digest_up_to is not None:
        _one_of(wish.digest_up_to, SEVERITIES[1:], "$.digest_up_to")
    if wish.digest_every_minutes not in DIGEST_MINUTES:
        message = f"a digest comes every {DIGEST_MINUTES[0]} to {DIGEST_MINUTES[-1]} minutes"
        raise InvalidInputError(message, path="$.digest_every_minutes")
    with tenant_session(db, factory_id, write=True) as session:
        if wish.hours is not None:
            factory_clock = clock_of(session.scalars(select(Factory)).one())
            parse_schedule("time_window", wish.hours, ZoneInfo(factory_clock.timezone), shifts=factory_clock.times())
        _known(session, User, user_id, "user")
        mine = select(NotificationPreference).where(
            NotificationPreference.user_id == user_id, NotificationPreference.channel == wish.channel
        )
        row = session.scalar(mine.with_for_update())
        before = None if row is None else _wish_facts(row)
        if row is None:
            row = NotificationPreference(user_id=user_id, channel=wish.channel)
            session.add(row)
        for name in Wish.__dataclass_fields__:
            value = getattr(wish, name)
            setattr(row, name, dict(value) if name == "hours" and value is not None else value)
        session.flush()
        actor = audit.Actor(factory_id, user_id)
        audit.append(session, "preference.set", f"user:{user_id}", now, actor, before=before, after=_wish_facts(row))


def chains_of(db: Database, factory_id: int) -> list[ChainRow]:
    """The escalation chains of a factory, by id."""
    with tenant_session(db, factory_id) as session:
        return [_with_steps(session, chain) for chain in session.scalars(select(EscalationChain).order_by(EscalationChain.id)).all()]


def find_chain(db: Database, factory_id: int, chain_id: int) -> ChainRow:
    """One chain. Raises NotFoundError, also for those of other factories."""
    with tenant_session(db, factory_id) as session:
        return _with_steps(session, _known(session, EscalationChain, chain_id, "escalation chain"))


def save_chain(db: Database, clock: Clock, factory_id: int, asked: NewChain, *, user_id: int, chain_id: int | None = None) -> ChainRow:
    """Makes a chain, or gives `chain_id` a new form. Raises InvalidInputError, or NotFoundError for what this factory does not have."""
    now = clock.now()
    _check_chain(asked)
    with tenant_session(db, factory_id, write=True) as session:
        if asked.rule_id is not None:
            _known(session, Rule, asked.rule_id, "rule")
        for step in asked.steps:
            _known(session, User, step.user_id, "user")
        if chain_id is None:
            row, before = EscalationChain(created_at=now), None
            session.add(row)
        else:
            row = _known(session, EscalationChain, chain_id, "escalation chain")
            before = _chain_facts(_with_steps(session, row))
        row.name, row.rule_id, row.least_severity = asked.name.strip(), asked.rule_id, asked.least_severity
        row.reminder_every_minutes, row.most_reminders, row.is_active = asked.reminder_every_minutes, asked.most_reminders, asked.is_active
        session.flush()
        for old in session.scalars(select(EscalationStep).where(EscalationStep.chain_id == row.id)).all():
            session.delete(old)
        session.flush()  # before the new ones come: positions are unique
        ordered = sorted(asked.steps, key=lambda step: step.after_minutes)
        session.add_all(
            EscalationStep(chain_id=row.id, position=position, after_minutes=step.after_minutes, user_id=step.user_id)
            for position, step in enumerate(ordered, 1)
        )
        session.flush()
        found, actor = ChainRow(row, tuple(ordered)), audit.Actor(factory_id, user_id)
        audit.append(session, "chain.save", f"chain:{row.id}", now, actor, before=before, after=_chain_facts(found))
        return found


def delete_chain(db: Database, clock: Clock, factory_id: int, chain_id: int, *, user_id: int) -> None:
    """Deletes a chain; alerts that stand in it are not escalated any further. Raises NotFoundError."""
    with tenant_session(db, factory_id, write=True) as session:
        row = _known(session, EscalationChain, chain_id, "escalation chain")
        before, actor = _chain_facts(_with_steps(session, row)), audit.Actor(factory_id, user_id)
        session.delete(row)
        audit.append(session, "chain.delete", f"chain:{chain_id}", clock.now(), actor, before=before)


def webhooks_of(db: Database, factory_id: int) -> list[Webhook]:
    """The webhooks of a factory, by id."""
    with tenant_session(db, factory_id) as session:
        return list(session.scalars(select(Webhook).order_by(Webhook.id)))


def find_webhook(db: Database, factory_id: int, webhook_id: int) -> Webhook:
    """One webhook. Raises NotFoundError, also for those of other factories."""
    with tenant_session(db, factory_id) as session:
        found: Webhook = _known(session, Webhook, webhook_id, "webhook")
        return found


def add_webhook(db: Database, clock: Clock, factory_id: int, name: str, url: str, least_severity: str, *, user_id: int) -> Webhook:
    """Makes a webhook; its `secret` is for the receiver, and is not shown again. Raises InvalidInputError."""
    now = clock.now()
    row = Webhook(secret=new_secret(), created_by=user_id, created_at=now, is_active=True)
    _set_webhook(row, name, url, least_severity)
    with tenant_session(db, factory_id, write=True) as session:
        session.add(row)
        session.flush()
        audit.append(session, "webhook.create", f"webhook:{row.id}", now, audit.Actor(factory_id, user_id), after=_webhook_facts(row))
        return row


def change_webhook(db: Database, clock: Clock, factory_id: int, webhook_id: int, asked: WebhookChange, *, user_id: int) -> Webhook:
    """Changes what is given; the secret stays. One that is switched off gets nothing, also not what waits for it.

    Raises NotFoundError and InvalidInputError.
    """
    with tenant_session(db, factory_id, write=True) as session:
        row: Webhook = _known(session, Webhook, webhook_id, "webhook")
        before = _webhook_facts(row)
        given = {name: value for name in WebhookChange.__dataclass_fields__ if (value := getattr(asked, name)) is not None}
        row.is_active = given.pop("is_active", row.is_active)
        _set_webhook(row, **{"name": row.name, "url": row.url, "least_severity": row.least_severity} | given)
        actor = audit.Actor(factory_id, user_id)
        audit.append(session, "webhook.change", f"webhook:{row.id}", clock.now(), actor, before=before, after=_webhook_facts(row))
        return row


def delete_webhook(db: Database, clock: Clock, factory_id: int, webhook_id: int, *, user_id: int) -> None:
    """Deletes a webhook with the messages that wait for it. Raises NotFoundError."""
    with tenant_session(db, factory_id, write=True) as session:
        row = _known(session, Webhook, webhook_id, "webhook")
        actor, facts = audit.Actor(factory_id, user_id), _webhook_facts(row)
        session.delete(row)
        audit.append(session, "webhook.delete", f"webhook:{webhook_id}", clock.now(), actor, before=facts)


def _set_webhook(row: Webhook, name: str, url: str, least_severity: str) -> None:
    _one_of(least_severity, SEVERITIES, "$.least_severity")
    if not name.strip():
        raise InvalidInputError("a webhook needs a name", path="$.name")
    row.name, row.url, row.least_severity = name.strip(), checked_url(url), least_severity


def _check_chain(asked: NewChain) -> None:
    if not asked.name.strip():
        raise InvalidInputError("a chain needs a name", path="$.name")
    _one_of(asked.least_severity, SEVERITIES, "$.least_severity")
    if not asked.steps and asked.reminder_every_minutes is None:
        raise InvalidInputError("a chain needs a person to tell, or reminders", path="$.steps")
    if len(asked.steps) > MOST_STEPS:
        raise InvalidInputError(f"a chain has at most {MOST_STEPS} steps", path="$.steps")
    for position, step in enumerate(asked.steps):
        if not 0 <= step.after_minutes <= LONGEST_MINUTES:
            message = f"a step comes 0 to {LONGEST_MINUTES} minutes after the alert"
            raise InvalidInputError(message, path=f"$.steps[{position}].after_minutes")
    if asked.reminder_every_minutes is not None and not 1 <= asked.reminder_every_minutes <= LONGEST_MINUTES:
        raise InvalidInputError(f"reminders come every 1 to {LONGEST_MINUTES} minutes", path="$.reminder_every_minutes")


def _one_of(value: str, allowed: Sequence[str], path: str) -> None:
    if value not in allowed:
        raise InvalidInputError(f"{value!r} is not allowed; allowed: {', '.join(allowed)}", path=path)


def _with_steps(session: Session, chain: EscalationChain) -> ChainRow:
    rows = session.scalars(select(EscalationStep).where(EscalationStep.chain_id == chain.id).order_by(EscalationStep.position))
    return ChainRow(chain, tuple(ChainStep(row.after_minutes, row.user_id) for row in rows))


def _known(session: Session, model: Any, key: int, noun: str) -> Any:
    row = session.scalar(select(model).where(model.id == key))
    if row is None:
        raise NotFoundError(f"there is no {noun} {key} in this factory", noun=noun, key=key)
    return row


def _wish_facts(row: NotificationPreference) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Wish.__dataclass_fields__}


def _webhook_facts(row: Webhook) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("name", "url", "least_severity", "is_active")}


def _chain_facts(found: ChainRow) -> dict[str, Any]:
    columns = ("name", "rule_id", "least_severity", "reminder_every_minutes", "most_reminders", "is_active")
    steps = [{"after_minutes": step.after_minutes, "user_id": step.user_id} for step in found.steps]
    return {name: getattr(found.chain, name) for name in columns} | {"steps": steps}
