"""What the pages of rules show: the list, what is known of parameters and machines, warnings, versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from dashboards.cache import ask, ask_lake
from dashboards.resources import installation
from rules.keeping import FIELDS, KeptRule
from rules.lint import Seen, lint, seen_in_history
from rules.messages import Label, label_of
from rules.parse_schedules import ShiftTimes
from warehouse.access.audit_trail import Wanted, page_of
from warehouse.models.alerting import Rule
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import Factory, User
from warehouse.queries.rules import RuleRow, rule_list
from warehouse.shifts import clock_of
from warehouse.tenancy import tenant_session

MOST_VERSIONS = 200
VERSIONED = ("rule.create", "rule.change")


@dataclass(frozen=True)
class Known:
    """What a factory has that rules can name."""

    labels: Mapping[str, Label]
    """Of every parameter, in order of their names."""
    texts: frozenset[str]
    """Parameters that say words."""
    machines: Mapping[int, str]
    """Key and name of each machine by id, in order of their keys."""
    zone: ZoneInfo
    shifts: ShiftTimes


@dataclass(frozen=True)
class Version:
    """One saved state of a rule."""

    number: int
    happened_at: datetime
    by: str
    action: str
    fields: Mapping[str, Any]
    """As `rules.keeping.FIELDS`."""
    device_ids: tuple[int, ...]
    before: Mapping[str, Any] | None
    """The same and `device_ids` of the state before; None: there was none."""


def rules(factory_id: int) -> list[RuleRow]:
    """All rules, those that are on first; at most 2 s old."""
    inst = installation()
    return ask(("rules",), factory_id, 2, lambda: rule_list(inst.db, factory_id, inst.clock.now())).value


def known(factory_id: int) -> Known:
    """Parameters, machines, shifts; at most 10 s old."""
    return ask(("rules known",), factory_id, 10, lambda: _known(factory_id)).value


def warned(factory_id: int, fields: Mapping[str, Any], device_ids: Sequence[int], rule_id: int | None) -> list[str]:
    """Warnings about a rule as it stands in the form. Raises RetryableError when the lake is away."""
    inst = installation()
    row = Rule(id=rule_id, factory_id=factory_id, **fields)
    watched = device_ids if fields["scope"] == "device" else ()

    def seen_of(name: str, machines: tuple[int, ...]) -> Seen | None:
        # By parameter: another limit is no reason to ask the history again.
        load = lambda: seen_in_history(inst.lake, factory_id, [name], machines, inst.clock.now()).get(name)  # noqa: E731  # one line
        return ask_lake(("seen in history", name, machines), factory_id, 60, load).value

    return [one.message for one in lint(inst.db, inst.lake, factory_id, row, watched, inst.clock.now(), seen_of=seen_of)]


def columns_of(kept: KeptRule) -> dict[str, Any]:
    """What a person may set of a saved rule."""
    return {name: getattr(kept.rule, name) for name in FIELDS}


def versions(factory_id: int, rule_id: int) -> list[Version]:
    """The saved states of a rule that the audit trail knows, newest first. The caller has seen to it that the rule is the factory's."""
    inst = installation()
    found, _ = page_of(inst.db, factory_id, Wanted(action="rule.", target=f"rule:{rule_id}"), MOST_VERSIONS, 0)
    with tenant_session(inst.db, factory_id) as session:
        names = {user.id: user.name or user.email for user in session.scalars(select(User))}
    events = [event.row for event in reversed(found) if event.row.action in VERSIONED and event.row.after]
    numbered = [
        Version(
            number=number,
            happened_at=row.happened_at,
            by=names.get(row.user_id or 0, "The system"),
            action=row.action,
            fields={name: after[name] for name in FIELDS if name in after},
            device_ids=tuple(after.get("device_ids") or ()),
            before=row.before,
        )
        for number, row in enumerate(events, start=1)
        if (after := row.after)
    ]
    return numbered[::-1]


def switches(factory_id: int, rule_id: int) -> list[tuple[datetime, str, bool]]:
    """When the rule was switched on and off, by whom, newest first."""
    inst = installation()
    found, _ = page_of(inst.db, factory_id, Wanted(action="rule.toggle", target=f"rule:{rule_id}"), MOST_VERSIONS, 0)
    return [(one.row.happened_at, one.user_email or "The system", bool((one.row.after or {}).get("is_active"))) for one in found]


def _known(factory_id: int) -> Known:
    with tenant_session(installation().db, factory_id) as session:
        factory = session.scalars(select(Factory)).one()
        devices = session.scalars(select(Device).where(Device.is_active).order_by(Device.device_key)).all()
        found = session.execute(
            select(DeviceParameter.parameter_key, DeviceParameter.display_name, DeviceParameter.unit, DeviceParameter.data_type)
            .distinct()
            .order_by(DeviceParameter.parameter_key)
        ).all()
    labels: dict[str, Label] = {}
    for key, name, unit, _ in found:
        # Of several machines the one that says most: a unit, then a name.
        fresh = label_of(key, name, unit)
        if key not in labels or (fresh.unit and not labels[key].unit):
            labels[key] = fresh
    clock = clock_of(factory)
    return Known(
        labels=dict(sorted(labels.items(), key=lambda item: item[1].name.casefold())),
        texts=frozenset(key for key, _, _, data_type in found if data_type == "string"),
        machines={d.id: d.device_key + (f" · {d.name}" if d.name and d.name != d.device_key else "") for d in devices},
        zone=ZoneInfo(clock.timezone),
        shifts=clock.times(),
    )
