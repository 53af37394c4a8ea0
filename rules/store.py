"""The active rules as the database holds them, kept fresh by a cheap look each second."""

import hashlib
import json
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rules.book import RuleBook
from rules.conditions import is_quorum
from rules.engine import MINUTE_US, Rule
from rules.parse import parse_definition
from rules.parse_schedules import parse_schedule
from warehouse.errors import InvalidInputError
from warehouse.models import alerting
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.shards import Shard
from warehouse.shifts import FactoryClock, clock_of, shifts_json, shifts_named

CHECK_EVERY: Final = timedelta(seconds=1)
DEFAULT_CHANNELS: Final = ("email",)
"""For rules that say nothing of channels."""
log = structlog.get_logger()


def channels_of(notification_channels: dict[str, object] | None) -> tuple[str, ...]:
    """The channels that a rule asks for; e-mail when it says nothing at all."""
    if notification_channels is None:
        return DEFAULT_CHANNELS
    return tuple(channel for channel in alerting.CHANNELS if notification_channels.get(channel) is True)


def compiled_rule(row: alerting.Rule, clock: FactoryClock, device_ids: frozenset[int] | None) -> Rule:
    """A rule of the database ready to be evaluated; `device_ids` are the machines that it watches, None: all of the factory.

    Raises InvalidInputError when its JSON or time zone is wrong. A rule that counts machines needs them named.
    """
    try:
        zone = ZoneInfo(clock.timezone)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise InvalidInputError(f"the factory's time zone {clock.timezone!r} is unknown", path="timezone") from unknown
    definition = parse_definition(row.conditions)
    evaluated: list[object] = [
        row.conditions, row.schedule_type, row.schedule_config, row.cooldown_minutes, clock.timezone, sorted(device_ids or ()),
    ]  # fmt: skip
    if named := shifts_named(row.schedule_config):
        # A rule goes on where it stood when only shifts that it does not name are moved.
        evaluated.append([shift for shift in shifts_json(clock.shifts) if shift["name"] in named])
    return Rule(
        rule_id=row.id,
        factory_id=row.factory_id,
        name=row.name,
        severity=row.severity,
        condition=definition.condition,
        schedule=parse_schedule(row.schedule_type, row.schedule_config, zone, shifts=clock.times()),
        cooldown_us=max(0, round(row.cooldown_minutes * MINUTE_US)),
        device_ids=device_ids,
        channels=channels_of(row.notification_channels),
        clear=definition.clear,
        off_delay_us=definition.off_delay_us,
        auto_resolve=definition.auto_resolve,
        fingerprint=hashlib.sha256(json.dumps(evaluated, sort_keys=True).encode()).hexdigest()[:16],
    )


def counts_machines(row: alerting.Rule) -> bool:
    """True when the rule looks at several machines at once. Raises InvalidInputError when its JSON is wrong."""
    return is_quorum(parse_definition(row.conditions).condition)


class RuleStore:
    """Holds the rule book. Whoever changes a rule's devices without changing their number or ids' sum touches the rule's `updated_at`."""

    def __init__(self, shard: Shard | None = None) -> None:
        self.shard = shard or Shard()
        self.book = RuleBook()
        self.broken: dict[int, str] = {}
        """Active rules that cannot be evaluated, and why. They are left out; the others go on."""
        self._version: tuple[object, ...] | None = None
        self._checked_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """True when the last look is a second old."""
        return self._checked_at is None or not timedelta(0) <= now - self._checked_at < CHECK_EVERY

    def refresh(self, session: Session, now: datetime) -> bool:
        """Loads the rules again when they changed; True when they did. For a system session."""
        self._checked_at = now
        version = _version(session)
        if version == self._version:
            return False
        self.book, self.broken = _load(session, self.shard)
        self._version = version
        return True


def _version(session: Session) -> tuple[object, ...]:
    rules = select(func.count(alerting.Rule.id), func.max(alerting.Rule.updated_at))
    links = select(func.count(), func.sum(alerting.RuleDevice.device_id)).select_from(alerting.RuleDevice)
    factories = select(func.count(Factory.id), func.max(Factory.updated_at))
    machines = select(func.count(Device.id), func.max(Device.id))
    return tuple(value for question in (rules, links, factories, machines) for value in session.execute(question).one())


def _load(session: Session, shard: Shard) -> tuple[RuleBook, dict[int, str]]:
    factories = {factory.id: factory for factory in session.scalars(select(Factory))}
    devices: dict[int, set[int]] = defaultdict(set)
    for rule_id, device_id in session.execute(select(alerting.RuleDevice.rule_id, alerting.RuleDevice.device_id)):
        devices[rule_id].add(device_id)
    machines: dict[int, set[int]] = defaultdict(set)
    for factory_id, device_id in session.execute(select(Device.factory_id, Device.id)):
        machines[factory_id].add(device_id)
    good, broken = [], {}
    for row in session.scalars(select(alerting.Rule).where(alerting.Rule.is_active)):
        if not shard.holds(row.factory_id):
            continue
        try:
            watched = None if row.scope == "global" else frozenset(devices[row.id])
            if watched is None and counts_machines(row):
                watched = frozenset(machines[row.factory_id])
            good.append(compiled_rule(row, clock_of(factories[row.factory_id]), watched))
        except InvalidInputError as wrong:
            broken[row.id] = wrong.message
            log.warning("rule_left_out", rule_id=row.id, factory_id=row.factory_id, reason=wrong.message)
    return RuleBook(good), broken
