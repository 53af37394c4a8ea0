"""Who is told of an alert, on which channel, and when: pure decisions on what `rules.notify.directory` has read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from rules.schedule import ALWAYS, Schedule, microseconds
from warehouse.terms import SEVERITIES

LOOK_AGAIN: Final = timedelta(minutes=1)
"""How often a silence with a schedule is looked at."""
_STEP: Final = timedelta(minutes=1)
_LOOK_AHEAD: Final = timedelta(days=8)
_RANK: Final = {severity: rank for rank, severity in enumerate(SEVERITIES)}


@dataclass(frozen=True, slots=True)
class Preference:
    """How a person wants to hear on a channel."""

    is_on: bool = True
    least_severity: str = "low"
    hours: Schedule = ALWAYS
    digest_up_to: str | None = None
    digest_every: timedelta = timedelta(hours=1)
    wants_all_clear: bool = True


AT_ONCE: Final = Preference()
"""What holds for people who never said anything."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the factory and how to reach them."""

    user_id: int
    name: str
    addresses: Mapping[str, str]
    """By channel."""
    preferences: Mapping[str, Preference] = field(default_factory=dict)
    """By channel."""

    def preference(self, channel: str) -> Preference:
        """What holds on a channel."""
        return self.preferences.get(channel, AT_ONCE)


@dataclass(frozen=True, slots=True)
class Step:
    """A person who is told this long after the alert, unless somebody has acknowledged it."""

    after: timedelta
    user_id: int


@dataclass(frozen=True, slots=True)
class Chain:
    """An escalation chain; `steps` are in order of time."""

    chain_id: int
    name: str
    rule_id: int | None
    least_severity: str
    reminder_every: timedelta | None
    most_reminders: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Hook:
    """Another system that is told."""

    webhook_id: int
    name: str
    least_severity: str


@dataclass(frozen=True, slots=True)
class Window:
    """A silence: what it covers and when."""

    silence_id: int
    device_id: int | None
    rule_id: int | None
    region: str | None
    starts_at: datetime
    ends_at: datetime
    schedule: Schedule | None
    reason: str = ""

    def covers(self, rule_id: int, device_id: int, region: str | None, now: datetime) -> bool:
        """True when alerts of this rule and device are silent at `now`."""
        return (
            self.starts_at <= now < self.ends_at
            and self.rule_id in {None, rule_id}
            and self.device_id in {None, device_id}
            and self.region in {None, region or ""}
            and (self.schedule is None or self.schedule.is_open(microseconds(now)))
        )

    def look_again_at(self, now: datetime) -> datetime:
        """When it may be over."""
        return self.ends_at if self.schedule is None else min(self.ends_at, now + LOOK_AGAIN)


@dataclass(frozen=True, slots=True)
class Contacts:
    """Everything about one factory that decides who is told."""

    people: Mapping[int, Person] = field(default_factory=dict)
    """Active people by id, in order of id."""
    chains: Sequence[Chain] = ()
    hooks: Sequence[Hook] = ()
    silences: Sequence[Window] = ()

    def silence(self, rule_id: int, device_id: int, region: str | None, now: datetime) -> Window | None:
        """The silence that covers the alert at `now`: of several the one that lasts longest."""
        covering = [window for window in self.silences if window.covers(rule_id, device_id, region, now)]
        return max(covering, key=lambda window: window.ends_at, default=None)

    def chain(self, rule_id: int, severity: str) -> Chain | None:
        """The rule's own chain, else the newest one for all rules; only if the alert is severe enough for it."""
        fitting = [chain for chain in self.chains if is_at_least(severity, chain.least_severity) and chain.rule_id in {None, rule_id}]
        return max(fitting, key=lambda chain: (chain.rule_id is not None, chain.chain_id), default=None)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to be written: to whom, how, and whether it waits (`held`) or goes at once (`pending`)."""

    channel: str
    recipient: str
    status: str
    at: datetime
    user_id: int | None = None
    webhook_id: int | None = None


def is_at_least(severity: str, least: str) -> bool:
    """True when `severity` is as bad as `least` or worse."""
    return _RANK[severity] <= _RANK[least]


def first_told(contacts: Contacts, rule_id: int, severity: str, channels: Sequence[str], now: datetime) -> list[Delivery]:
    """Who is told when an alert is raised: those with whom its chain begins, else everybody; as each of them prefers. And webhooks."""
    chain = contacts.chain(rule_id, severity)
    beginning = {step.user_id for step in chain.steps if step.after <= timedelta(0)} if chain else set()
    people = [person for person in contacts.people.values() if not beginning or person.user_id in beginning]
    found = [
        delivery
        for channel in channels
        for person in people
        # Whoever a chain begins with is on duty and hears at once; so does everybody of what is critical.
        if (delivery := preferred(person, channel, severity, now, is_on_duty=bool(beginning)))
    ]
    return _each_once(found) + to_hooks(contacts, severity, now)


def preferred(person: Person, channel: str, severity: str, now: datetime, *, is_on_duty: bool = False) -> Delivery | None:
    """The delivery as the person prefers it; None when they do not want it there or cannot be reached there."""
    address, wish = person.addresses.get(channel), person.preference(channel)
    if not address or not wish.is_on:
        return None
    if is_on_duty:
        return Delivery(channel, address, "pending", now, person.user_id)
    if not is_at_least(severity, wish.least_severity):
        return None
    is_for_digest = wish.digest_up_to is not None and is_at_least(wish.digest_up_to, severity)
    at = now + wish.digest_every if is_for_digest else now
    if severity != SEVERITIES[0]:
        at = opens_at(wish.hours, at)
    return Delivery(channel, address, "pending" if at == now else "held", at, person.user_id)


def on_duty(contacts: Contacts, user_ids: Iterable[int], channels: Sequence[str], now: datetime) -> list[Delivery]:
    """Deliveries of escalations and reminders: at once, whatever hours and severities are preferred.

    By mail when the person switched off, or has no address for, every channel of the rule: a chain must not end in silence.
    """
    found = []
    for user_id in dict.fromkeys(user_ids):
        person = contacts.people.get(user_id)
        if person is None:
            continue
        reached = [d for channel in channels if (d := preferred(person, channel, SEVERITIES[0], now, is_on_duty=True))]
        if not reached and person.addresses.get("email"):
            reached = [Delivery("email", person.addresses["email"], "pending", now, user_id)]
        found += reached
    return _each_once(found)


def to_hooks(contacts: Contacts, severity: str, now: datetime) -> list[Delivery]:
    """Deliveries to the webhooks that want this severity."""
    return [
        Delivery("webhook", hook.name, "pending", now, webhook_id=hook.webhook_id)
        for hook in contacts.hooks
        if is_at_least(severity, hook.least_severity)
    ]


def opens_at(hours: Schedule, at: datetime) -> datetime:
    """`at`, or the minute at which `hours` open next; `at` as well when they do not open within eight days."""
    if hours.is_open(microseconds(at)):
        return at
    # Windows begin at full minutes.
    moment, latest = at.replace(second=0, microsecond=0) + _STEP, at + _LOOK_AHEAD
    while moment <= latest:
        if hours.is_open(microseconds(moment)):
            return moment
        moment += _STEP
    return at


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an alert stands in its chain."""

    level: int
    """Steps that were told."""
    reminders: int
    next_at: datetime | None


def begun(chain: Chain | None, now: datetime) -> Progress:
    """The progress of an alert of which people are told now for the first time."""
    if chain is None:
        return Progress(0, 0, None)
    level = sum(step.after <= timedelta(0) for step in chain.steps)
    return Progress(level, 0, _next_at(chain, level, 0, now))


def advanced(chain: Chain, progress: Progress, now: datetime) -> tuple[str, Progress]:
    """The step that is due now, `escalation`, `reminder` or nothing (``""``), and the progress after it."""
    if progress.level < len(chain.steps):
        level = progress.level + 1
        return "escalation", Progress(level, progress.reminders, _next_at(chain, level, progress.reminders, now))
    if chain.reminder_every is not None and progress.reminders < chain.most_reminders:
        reminders = progress.reminders + 1
        return "reminder", Progress(progress.level, reminders, _next_at(chain, progress.level, reminders, now))
    return "", Progress(progress.level, progress.reminders, None)


def _next_at(chain: Chain, level: int, reminders: int, now: datetime) -> datetime | None:
    if level < len(chain.steps):
        before = max(chain.steps[level - 1].after, timedelta(0)) if level else timedelta(0)
        return now + (chain.steps[level].after - before)
    if chain.reminder_every is not None and reminders < chain.most_reminders:
        return now + chain.reminder_every
    return None


def _each_once(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Two people may share an address: it gets one message."""
    return list({(d.channel, d.recipient): d for d in reversed(list(deliveries))}.values())[::-1]
