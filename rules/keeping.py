"""Rules as people make, change, switch and delete them; each change is checked as the evaluator would read it, and audited."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from rules.store import compiled_rule
from warehouse.access.audit import Actor, append
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.alerting import Rule, RuleDevice
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.shifts import clock_of
from warehouse.tenancy import tenant_session

FIELDS = (
    "name", "description", "scope", "conditions", "cooldown_minutes", "severity", "schedule_type", "schedule_config",
    "notification_channels", "is_active",
)  # fmt: skip
"""What a person may set, beside the machines."""


@dataclass(frozen=True)
class KeptRule:
    """A rule with the machines that it names; none for scope `global`."""

    rule: Rule
    device_ids: list[int]


@dataclass(frozen=True)
class RuleFilter:
    """Which rules of a list; None: any."""

    device_id: int | None = None
    """Named by the rule."""
    is_active: bool | None = None
    scope: str | None = None


def list_rules(db: Database, factory_id: int, wanted: RuleFilter, *, limit: int, offset: int = 0) -> tuple[list[KeptRule], int]:
    """Rules of a page by id, and how many there are in all."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.device_id is not None:
        conditions.append(Rule.id.in_(select(RuleDevice.rule_id).where(RuleDevice.device_id == wanted.device_id)))
    if wanted.is_active is not None:
        conditions.append(Rule.is_active.is_(wanted.is_active))
    if wanted.scope is not None:
        conditions.append(Rule.scope == wanted.scope)
    with tenant_session(db, factory_id) as session:
        total = session.scalar(select(func.count(Rule.id)).where(*conditions)) or 0
        rows = session.scalars(select(Rule).where(*conditions).order_by(Rule.id).limit(limit).offset(offset)).all()
        devices = _devices_of(session, [row.id for row in rows])
    return [KeptRule(row, devices.get(row.id, [])) for row in rows], total


def find_rule(db: Database, factory_id: int, rule_id: int) -> KeptRule:
    """One rule. Raises NotFoundError, also for rules of other factories."""
    with tenant_session(db, factory_id) as session:
        row = _found(session, rule_id)
        return KeptRule(row, _devices_of(session, [rule_id]).get(rule_id, []))


def add_rule(db: Database, clock: Clock, actor: Actor, fields: Mapping[str, Any], device_ids: Sequence[int]) -> KeptRule:
    """Makes a rule. Raises InvalidInputError for what cannot be evaluated, NotFoundError for machines that the factory does not have."""
    now = clock.now()
    with tenant_session(db, actor.factory_id, write=True) as session:
        row = Rule(factory_id=actor.factory_id, created_by=actor.user_id, created_at=now, updated_at=now, **fields)
        chosen = _checked(session, row, device_ids)
        session.add(row)
        session.flush()
        session.add_all(RuleDevice(rule_id=row.id, device_id=device_id) for device_id in chosen)
        append(session, "rule.create", f"rule:{row.id}", now, actor, after=_facts(row, chosen))
    return KeptRule(row, chosen)


def change_rule(
    db: Database, clock: Clock, actor: Actor, rule_id: int, fields: Mapping[str, Any], device_ids: Sequence[int] | None = None
) -> KeptRule:
    """Changes the fields that are given; machines stay when None. Raises NotFoundError and InvalidInputError."""
    with tenant_session(db, actor.factory_id, write=True) as session:
        row = _found(session, rule_id)
        links = {link.device_id: link for link in session.scalars(select(RuleDevice).where(RuleDevice.rule_id == rule_id))}
        before = _facts(row, sorted(links))
        for name, value in fields.items():
            setattr(row, name, value)
        # A rule that becomes one of the whole factory names no machines any more.
        wanted = device_ids if device_ids is not None else () if row.scope == "global" else sorted(links)
        chosen = _checked(session, row, wanted)
        for device_id in set(links) - set(chosen):
            session.delete(links[device_id])
        session.add_all(RuleDevice(rule_id=rule_id, device_id=device_id) for device_id in chosen if device_id not in links)
        # Always: the evaluator sees by it that the rule's machines are others.
        row.updated_at = clock.now()
        append(session, "rule.change", f"rule:{rule_id}", row.updated_at, actor, before=before, after=_facts(row, chosen))
    return KeptRule(row, chosen)


def toggle_rule(db: Database, clock: Clock, actor: Actor, rule_id: int) -> KeptRule:
    """Switches a rule off when it is on, and on when it is off. Raises NotFoundError."""
    with tenant_session(db, actor.factory_id, write=True) as session:
        row = _found(session, rule_id)
        row.is_active, row.updated_at = not row.is_active, clock.now()
        after = {"is_active": row.is_active}
        append(session, "rule.toggle", f"rule:{rule_id}", row.updated_at, actor, before={"is_active": not row.is_active}, after=after)
        return KeptRule(row, _devices_of(session, [rule_id]).get(rule_id, []))


def delete_rule(db: Database, clock: Clock, actor: Actor, rule_id: int) -> None:
    """Deletes a rule, and with it the alerts that it raised. Raises NotFoundError."""
    with tenant_session(db, actor.factory_id, write=True) as session:
        row = _found(session, rule_id)
        before = _facts(row, _devices_of(session, [rule_id]).get(rule_id, []))
        session.delete(row)
        session.flush()
        append(session, "rule.delete", f"rule:{rule_id}", clock.now(), actor, before=before)


def _found(session: Session, rule_id: int) -> Rule:
    row = session.scalar(select(Rule).where(Rule.id == rule_id))
    if row is None:
        raise NotFoundError(f"there is no rule {rule_id} in this factory", noun="rule", key=rule_id)
    return row


def _devices_of(session: Session, rule_ids: Sequence[int]) -> dict[int, list[int]]:
    links = session.scalars(select(RuleDevice).where(RuleDevice.rule_id.in_(rule_ids)).order_by(RuleDevice.device_id)).all()
    found: dict[int, list[int]] = {}
    for link in links:
        found.setdefault(link.rule_id, []).append(link.device_id)
    return found


def _checked(session: Session, row: Rule, device_ids: Sequence[int]) -> list[int]:
    """The machines of a rule, sorted; the rule can be evaluated."""
    chosen = sorted(set(device_ids))
    if row.scope == "global" and chosen:
        raise InvalidInputError("a rule with scope global watches all machines: leave device_ids out", path="device_ids")
    if row.scope == "device" and not chosen:
        raise InvalidInputError("a rule with scope device needs at least one machine", path="device_ids")
    known = set(session.scalars(select(Device.id).where(Device.id.in_(chosen))))
    unknown = [device_id for device_id in chosen if device_id not in known]
    if unknown:
        raise NotFoundError(f"there is no machine {unknown[0]} in this factory", noun="device", key=unknown[0])
    clock = clock_of(session.scalars(select(Factory)).one())
    compiled_rule(row, clock, None if row.scope == "global" else frozenset(chosen))
    return chosen


def _facts(row: Rule, device_ids: Sequence[int]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS} | {"device_ids": list(device_ids)}
