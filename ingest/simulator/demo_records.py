"""The demo's rows in the operational database: written in two transactions, one before the history and one after it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from ingest.device_keys import derived_device_key, device_user_name, hash_device_key
from ingest.simulator.demo_alerts import PastAlert
from ingest.simulator.demo_rules import RULES, DemoRule
from ingest.simulator.demo_shifts import SHIFTS
from ingest.simulator.noise import chance
from ingest.simulator.plant import PARAMETERS, Machine, PlantFactory
from warehouse.access import audit
from warehouse.access.passwords import hash_password, verify_password
from warehouse.db import Database
from warehouse.models.alerting import Alert, Rule, RuleCooldown, RuleDevice
from warehouse.models.devices import Device, DeviceParameter, LatestValue
from warehouse.models.people import Factory, User
from warehouse.models.streams import InstallationFact
from warehouse.shifts import shifts_json
from warehouse.tenancy import system_session

DEMO_FACT: Final = "demo"
# Alerts younger than this are still open: a serious one is dealt with sooner.
_OPEN_FOR_H: Final = {"critical": 3.0, "high": 3.0, "medium": 20.0, "low": 20.0}


@dataclass(frozen=True)
class Seeding:
    """What the first transaction fixed: the history's range (UTC epoch seconds) and the ids by slug and device key."""

    begin_s: int
    end_s: int
    factory_ids: dict[str, int]
    device_ids: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Record:
    """The newest reading of a parameter."""

    factory_id: int
    ts: datetime
    value: float
    received_at: datetime


def demo_email(factory: PlantFactory) -> str:
    """With what the demo's person of that factory signs in."""
    return f"demo@{factory.slug}.example"


def set_demo_password(db: Database, factories: Iterable[PlantFactory], password: str) -> None:
    """Lets the demo's people sign in with `password`; writes only where it is another one."""
    with system_session(db, "the demo's password", write=True) as session:
        users = session.scalars(select(User).where(User.email.in_([demo_email(factory) for factory in factories]))).all()
        hashed: str | None = None
        for user in users:
            # They share one hash, so that one slow check is enough.
            if user.hashed_password != hashed and not verify_password(password, user.hashed_password):
                user.hashed_password = hashed or hash_password(password)
            hashed = user.hashed_password


def register(db: Database, factories: Iterable[PlantFactory], now_s: int, history_s: int, device_secret: str) -> Seeding:
    """Makes everything that the history needs to refer to. Rows that exist already are left as they are.

    The demo's people cannot sign in before `set_demo_password`.
    """
    with system_session(db, "seed the demo", write=True) as session:
        fact = session.get(InstallationFact, DEMO_FACT)
        if fact is None:
            fact = InstallationFact(key=DEMO_FACT, value={"begin_s": now_s - history_s, "end_s": now_s, "done": False})
            session.add(fact)
            for factory in factories:
                _register_factory(session, factory, _moment(now_s - history_s), device_secret)
        return _seeding(session, factories, fact.value)


def _seeding(session: Session, factories: Iterable[PlantFactory], range_s: dict[str, Any]) -> Seeding:
    factory_ids = {f.slug: session.scalars(select(Factory.id).where(Factory.slug == f.slug)).one() for f in factories}
    device_ids = {
        slug: dict(session.execute(select(Device.device_key, Device.id).where(Device.factory_id == factory_id)).all())
        for slug, factory_id in factory_ids.items()
    }
    return Seeding(int(range_s["begin_s"]), int(range_s["end_s"]), factory_ids, device_ids)


def _register_factory(session: Session, plant: PlantFactory, since: datetime, device_secret: str) -> None:
    factory = session.scalar(select(Factory).where(Factory.slug == plant.slug))
    if factory is None:
        shifts = shifts_json(SHIFTS[plant.slug])
        factory = Factory(name=plant.name, slug=plant.slug, timezone=plant.timezone, shifts=shifts, created_at=since)
        session.add(factory)
        session.flush()
    user = session.scalar(select(User).where(User.factory_id == factory.id, User.email == demo_email(plant)))
    if user is None:
        user = User(
            factory_id=factory.id,
            email=demo_email(plant),
            name="Demo",
            hashed_password="",
            role="super_admin",
            created_at=since,
        )
        session.add(user)
    known = set(session.scalars(select(Device.device_key).where(Device.factory_id == factory.id)))
    for machine in plant.machines:
        if machine.device_key not in known:
            key = derived_device_key(device_secret, device_user_name(plant.slug, machine.device_key))
            _register_machine(session, factory.id, machine, hash_device_key(key), since)
    session.flush()
    known_rules = set(session.scalars(select(Rule.name).where(Rule.factory_id == factory.id)))
    for rule in RULES[plant.slug]:
        if rule.name not in known_rules:
            _register_rule(session, plant, factory.id, user.id, rule, since)
    audit.append(session, "demo.seed", f"factory:{factory.id}", since, audit.Actor(factory.id), reason="demo")


def _register_machine(session: Session, factory_id: int, machine: Machine, hashed_key: str, since: datetime) -> None:
    device = Device(
        factory_id=factory_id, device_key=machine.device_key, name=machine.name, kind=machine.kind.value, manufacturer=machine.manufacturer,
        model=machine.model, region=machine.region, api_key=hashed_key, created_at=since,
    )  # fmt: skip
    session.add(device)
    session.flush()
    session.add_all(
        DeviceParameter(
            factory_id=factory_id, device_id=device.id, parameter_key=parameter.key, display_name=parameter.display_name,
            unit=parameter.unit, data_type="float" if parameter.decimals else "int", is_kpi_selected=parameter.is_kpi, discovered_at=since,
        )
        for parameter in PARAMETERS[machine.kind]
    )  # fmt: skip


def _register_rule(session: Session, plant: PlantFactory, factory_id: int, user_id: int, demo_rule: DemoRule, since: datetime) -> None:
    schedule_type, schedule_config = demo_rule.schedule(plant)
    rule = Rule(
        factory_id=factory_id, name=demo_rule.name, description=demo_rule.description, severity=demo_rule.severity,
        scope="global" if demo_rule.kind is None else "device", conditions=demo_rule.conditions,
        cooldown_minutes=demo_rule.cooldown_minutes, schedule_type=schedule_type, schedule_config=schedule_config,
        notification_channels={"email": True, "whatsapp": False}, created_by=user_id, created_at=since,
    )  # fmt: skip
    session.add(rule)
    session.flush()
    if demo_rule.kind is not None:
        watched = select(Device.id).where(Device.factory_id == factory_id, Device.kind == demo_rule.kind.value)
        session.add_all(RuleDevice(factory_id=factory_id, rule_id=rule.id, device_id=device_id) for device_id in session.scalars(watched))


def finish(
    db: Database, seeding: Seeding, newest: Mapping[tuple[int, str], Record], alerts: Mapping[str, list[PastAlert]], now: datetime
) -> None:
    """Writes newest values, last signs of life, alerts and cooldowns, and marks the demo as complete."""
    with system_session(db, "seed the demo", write=True) as session:
        _newest_values(session, newest)
        for slug, found in alerts.items():
            factory_id = seeding.factory_ids[slug]
            rule_ids = dict(session.execute(select(Rule.name, Rule.id).where(Rule.factory_id == factory_id)).all())
            user_id = session.scalars(select(User.id).where(User.factory_id == factory_id).order_by(User.id)).first()
            for episode in _episodes(found):
                _alerts_of(session, episode, seeding, slug, rule_ids, user_id)
            _cooldowns(session, found, seeding, slug, rule_ids)
        fact = session.get_one(InstallationFact, DEMO_FACT)
        fact.value = {**fact.value, "done": True, "done_at": now.isoformat()}


def _newest_values(session: Session, newest: Mapping[tuple[int, str], Record]) -> None:
    present = {(v.device_id, v.parameter_key): v for v in session.scalars(select(LatestValue))}
    devices = {device.id: device for device in session.scalars(select(Device))}
    for (device_id, parameter), record in newest.items():
        known = present.get((device_id, parameter))
        if known is None:
            session.add(
                LatestValue(
                    factory_id=record.factory_id, device_id=device_id, parameter_key=parameter, ts=record.ts, value=record.value, text=None,
                    received_at=record.received_at,
                )
            )  # fmt: skip
        elif known.ts < record.ts:
            known.ts, known.value, known.received_at = record.ts, record.value, record.received_at
        device = devices[device_id]
        device.last_seen = record.received_at if device.last_seen is None else max(device.last_seen, record.received_at)


def _episodes(alerts: list[PastAlert]) -> list[list[PastAlert]]:
    """Groups the alerts that one fault raised on one machine: each within a cooldown of the one before."""
    groups: list[list[PastAlert]] = []
    newest: dict[tuple[str, str], list[PastAlert]] = {}
    for alert in sorted(alerts, key=lambda found: found.triggered_s):
        pair = (alert.rule.name, alert.machine.device_key)
        if pair not in newest or alert.triggered_s - newest[pair][-1].over_s > alert.rule.cooldown_minutes * 60 + 600:
            newest[pair] = []
            groups.append(newest[pair])
        newest[pair].append(alert)
    return groups


def _alerts_of(
    session: Session, episode: list[PastAlert], seeding: Seeding, slug: str, rule_ids: Mapping[str, int], user_id: int | None
) -> None:
    """One episode: all its alerts are resolved by the repair at its end, unless that is too recent."""
    last = episode[-1]
    luck = chance(slug, last.machine.device_key, str(last.triggered_s))
    repaired_s = last.over_s + 240 + 2400 * luck
    is_open = last.triggered_s > seeding.end_s - _OPEN_FOR_H[last.rule.severity] * 3600 or repaired_s > seeding.end_s
    for alert in episode:
        triggered = _moment(alert.triggered_s)
        seen_s = alert.triggered_s + 120 + 700 * luck
        is_seen = luck < 0.6 and seen_s < seeding.end_s
        session.add(
            Alert(
                factory_id=seeding.factory_ids[slug],
                rule_id=rule_ids[alert.rule.name],
                device_id=seeding.device_ids[slug][alert.machine.device_key],
                triggered_at=triggered,
                acknowledged_at=_moment(seen_s) if is_seen else None,
                acknowledged_by=user_id if is_seen else None,
                resolved_at=None if is_open else _moment(repaired_s),
                resolved_by=None if is_open else user_id,
                resolution_comment=None if is_open else alert.rule.repair,
                severity=alert.rule.severity,
                message=alert.message,
                telemetry_snapshot={**alert.snapshot, "timestamp": triggered.isoformat().replace("+00:00", "Z")},
                created_at=triggered + timedelta(milliseconds=250),
            )
        )


def _cooldowns(session: Session, alerts: list[PastAlert], seeding: Seeding, slug: str, rule_ids: Mapping[str, int]) -> None:
    """The evaluator goes on with the cooldowns that the history left behind."""
    newest = {
        (alert.rule.name, alert.machine.device_key): alert.triggered_s for alert in sorted(alerts, key=lambda found: found.triggered_s)
    }
    for (rule_name, device_key), triggered_s in newest.items():
        device_id = seeding.device_ids[slug][device_key]
        if session.get(RuleCooldown, (rule_ids[rule_name], device_id)) is None:
            session.add(
                RuleCooldown(
                    factory_id=seeding.factory_ids[slug],
                    rule_id=rule_ids[rule_name],
                    device_id=device_id,
                    last_triggered=_moment(triggered_s),
                )
            )


def _moment(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)
