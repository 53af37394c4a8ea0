"""Warnings about a rule before it is saved: what its author probably did not mean. Nothing is refused for them.

Whether a condition can hold is asked of the machines' last 30 days (least and greatest value of each parameter, from the hourly rollups).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.conditions import (
    VALUE,
    WHOLE_DEVICE,
    Around,
    Combination,
    Comparison,
    Condition,
    Group,
    Leaf,
    Operator,
    Range,
    Relation,
    Side,
    leaves,
    parameters,
)
from rules.keeping import KeptRule
from rules.memory import MOST_READINGS_IN_A_WINDOW
from rules.parse import parse_definition
from warehouse.db import Database
from warehouse.errors import InvalidInputError, LakeBusyError
from warehouse.lake import Lake
from warehouse.models.alerting import Rule, RuleDevice
from warehouse.models.devices import Device, DeviceParameter
from warehouse.tenancy import tenant_session

LOOKS_BACK: Final = timedelta(days=30)
HOUR_US: Final = 3_600_000_000
INFINITE: Final = float("inf")


@dataclass(frozen=True)
class Warned:
    """One warning."""

    kind: str
    """`unknown_parameter`, `never_true`, `always_true`, `wide_window`, `units`, `contradiction` or `overlap`."""
    parameter: str
    message: str


@dataclass(frozen=True)
class Seen:
    """The values of a parameter during the last 30 days, over the rule's machines."""

    least: float
    greatest: float
    most_an_hour: int = 0
    """Readings of one machine in its busiest hour."""


SeenOf = Callable[[str, tuple[int, ...]], Seen | None]
"""Of a parameter and machines; None: nothing was seen."""


@dataclass(frozen=True)
class Known:
    """What is known of a factory's machines."""

    units: Mapping[str, frozenset[str]]
    """By parameter that one of the rule's machines has; units as they are told, without the empty one."""
    seen: Mapping[str, Seen]
    others: Sequence[tuple[str, Condition]]
    """Name and condition of other active rules that watch one of the same machines."""


def lint(
    db: Database, lake: Lake, factory_id: int, rule: Rule, device_ids: Iterable[int], now: datetime, *, seen_of: SeenOf | None = None
) -> list[Warned]:
    """Warnings about a rule (saved or not) that watches these machines, all of the factory when there are none.

    `seen_of`: whoever asks at each change of a limit remembers what the history says; without it the history is asked once.
    Raises InvalidInputError for conditions that cannot be read, LakeBusyError when the lake is away.
    """
    condition = parse_definition(rule.conditions).condition
    with tenant_session(db, factory_id) as session:
        watched = sorted(device_ids) or sorted(session.scalars(select(Device.id)))
        units = _units(session, watched)
        others = _others(session, rule.id, watched)
    names = sorted(parameters(condition))
    if seen_of is None:
        seen = seen_in_history(lake, factory_id, names, watched, now)
    else:
        seen = {name: found for name in names if (found := seen_of(name, tuple(watched))) is not None}
    return warnings(condition, Known(units, seen, others))


def saved_warnings(db: Database, lake: Lake, factory_id: int, kept: KeptRule, now: datetime) -> list[str]:
    """What to tell whoever saved a rule. A lake that is away does not stop them: then it says that history was not asked."""
    try:
        found = lint(db, lake, factory_id, kept.rule, kept.device_ids, now)
    except LakeBusyError as away:
        return [f"the rule is saved but was not compared with the last 30 days: {away.message}"]
    return [warned.message for warned in found]


def warnings(condition: Condition, known: Known) -> list[Warned]:
    """The warnings about a condition. Pure."""
    found = _unknown_parameters(condition, known)
    for leaf in dict.fromkeys(leaves(condition)):
        found += _against_history(leaf, known.seen.get(leaf.parameter))
        found += _about_window(leaf, known.seen.get(leaf.parameter))
        found += _about_units(leaf, known)
    return [*found, *_contradictions(condition), *_overlaps(condition, known.others)]


def _unknown_parameters(condition: Condition, known: Known) -> list[Warned]:
    return [
        Warned("unknown_parameter", name, f"no machine of this rule has a parameter {name!r}: the condition stays unknown")
        for name in sorted(parameters(condition) - {WHOLE_DEVICE})
        if name not in known.units
    ]


def _against_history(leaf: Leaf, seen: Seen | None) -> list[Warned]:
    """Limits that the last 30 days never or always crossed."""
    if seen is None or not isinstance(leaf, Comparison | Range) or leaf.measure != VALUE:
        return []
    span = f"in the last 30 days it was {seen.least:g} to {seen.greatest:g}"
    crosses = _crosses(leaf, seen)
    if crosses is None:
        return []
    kind = "always_true" if crosses else "never_true"
    return [Warned(kind, leaf.parameter, f"{_told(leaf)} would have been {'always' if crosses else 'never'} true: {span}")]


def _about_window(leaf: Leaf, seen: Seen | None) -> list[Warned]:
    """A window that holds more readings than the evaluator remembers."""
    if seen is None or not isinstance(leaf, Comparison | Range) or not leaf.measure.window_us:
        return []
    readings = round(seen.most_an_hour * leaf.measure.window_us / HOUR_US)
    if readings <= MOST_READINGS_IN_A_WINDOW:
        return []
    message = (
        f"{leaf.parameter} sends up to {seen.most_an_hour} readings an hour: the window holds {readings}, "
        f"of which only the newest {MOST_READINGS_IN_A_WINDOW} count live"
    )
    return [Warned("wide_window", leaf.parameter, message)]


def _crosses(leaf: Comparison | Range, seen: Seen) -> bool | None:
    """True when all seen values meet the leaf, False when none can, None in between."""
    interval = _interval(leaf)
    if interval is None:
        return None
    low, high, low_in, high_in = interval
    is_within = (seen.least > low or (low_in and seen.least == low)) and (seen.greatest < high or (high_in and seen.greatest == high))
    is_apart = seen.greatest < low or seen.least > high or (seen.greatest == low and not low_in) or (seen.least == high and not high_in)
    if isinstance(leaf, Range) and leaf.side is Side.OUTSIDE:
        return True if is_apart else False if is_within else None
    return True if is_within else False if is_apart else None


def _interval(leaf: Comparison | Range) -> tuple[float, float, bool, bool] | None:
    """The values that meet a leaf, or of `outside` those that do not: from, to, and whether the ends belong to it."""
    if isinstance(leaf, Range):
        return leaf.low, leaf.high, True, True
    by_operator = {
        Operator.GT: (leaf.threshold, INFINITE, False, False),
        Operator.GTE: (leaf.threshold, INFINITE, True, False),
        Operator.LT: (-INFINITE, leaf.threshold, False, False),
        Operator.LTE: (-INFINITE, leaf.threshold, False, True),
        Operator.EQ: (leaf.threshold, leaf.threshold, True, True),
    }
    return by_operator.get(leaf.operator)


def _about_units(leaf: Leaf, known: Known) -> list[Warned]:
    units = known.units.get(leaf.parameter, frozenset())
    found = []
    if len(units) > 1 and isinstance(leaf, Comparison | Range):
        message = (
            f"{leaf.parameter} has different units on the machines of this rule ({', '.join(sorted(units))}): one limit cannot fit all"
        )
        found.append(Warned("units", leaf.parameter, message))
    if isinstance(leaf, Relation):
        others = known.units.get(leaf.other, frozenset())
        if units and others and units != others:
            message = f"{leaf.parameter} ({', '.join(sorted(units))}) is compared with {leaf.other} ({', '.join(sorted(others))})"
            found.append(Warned("units", leaf.parameter, message))
    return found


def _contradictions(condition: Condition) -> list[Warned]:
    """Parts of one AND that cannot hold together."""
    if isinstance(condition, Around):
        return _contradictions(condition.condition)
    if not isinstance(condition, Group):
        return []
    found = [warned for part in condition.conditions for warned in _contradictions(part)]
    if condition.operator is Combination.OR:
        return found
    parts = [part for part in condition.conditions if isinstance(part, Comparison | Range) and part.measure == VALUE]
    for i, left in enumerate(parts):
        for right in parts[:i]:
            if left.parameter == right.parameter and _exclude(left, right):
                message = f"{_told(right)} and {_told(left)} cannot hold at once: the rule can never alert"
                found.append(Warned("contradiction", left.parameter, message))
    return found


def _exclude(left: Comparison | Range, right: Comparison | Range) -> bool:
    outside = [leaf for leaf in (left, right) if isinstance(leaf, Range) and leaf.side is Side.OUTSIDE]
    if len(outside) == 2:
        return False
    if outside:
        other = right if left is outside[0] else left
        inside = _interval(other)
        return inside is not None and inside[0] >= outside[0].low and inside[1] <= outside[0].high
    one, two = _interval(left), _interval(right)
    if one is None or two is None:
        return False
    low, high = max(one[0], two[0]), min(one[1], two[1])
    touching = all((low > each[0] or each[2]) and (high < each[1] or each[3]) for each in (one, two))
    return low > high or (low == high and not touching)


def _overlaps(condition: Condition, others: Sequence[tuple[str, Condition]]) -> list[Warned]:
    """Other rules on the same machines that watch the same side of the same parameter: people are told twice."""
    if not isinstance(condition, Comparison):
        mine = next(iter(leaves(condition)), None)
        return [
            Warned("overlap", mine.parameter, f"rule {name!r} has the same condition")
            for name, other in others
            if mine and other == condition
        ]
    found = []
    for name, other in others:
        same = isinstance(other, Comparison) and other.parameter == condition.parameter and other.measure == condition.measure
        if same and isinstance(other, Comparison) and _side(other) == _side(condition):
            message = f"rule {name!r} watches the same side of it already ({_told(other)}): beyond both limits people are told twice"
            found.append(Warned("overlap", condition.parameter, message))
    return found


def _side(leaf: Comparison) -> str:
    upper, lower = {Operator.GT, Operator.GTE}, {Operator.LT, Operator.LTE}
    return "above" if leaf.operator in upper else "below" if leaf.operator in lower else f"{leaf.operator} {leaf.threshold}"


def _told(leaf: Comparison | Range) -> str:
    if isinstance(leaf, Range):
        return f"{leaf.parameter} {leaf.side.value} {leaf.low:g} and {leaf.high:g}"
    return f"{leaf.parameter} {leaf.operator.value} {leaf.threshold:g}"


def _units(session: Session, device_ids: Sequence[int]) -> dict[str, frozenset[str]]:
    question = select(DeviceParameter.parameter_key, DeviceParameter.unit).where(DeviceParameter.device_id.in_(device_ids))
    found: dict[str, set[str]] = {}
    for parameter, unit in session.execute(question):
        found.setdefault(parameter, set()).update({unit} if unit else ())
    return {parameter: frozenset(units) for parameter, units in found.items()}


def _others(session: Session, rule_id: int | None, device_ids: Sequence[int]) -> list[tuple[str, Condition]]:
    linked = set(session.scalars(select(RuleDevice.rule_id).where(RuleDevice.device_id.in_(device_ids))))
    found = []
    for row in session.scalars(select(Rule).where(Rule.is_active).order_by(Rule.id)):
        if row.id == rule_id or (row.scope != "global" and row.id not in linked):
            continue
        try:
            found.append((row.name, parse_definition(row.conditions).condition))
        except InvalidInputError:
            continue  # such a rule is not evaluated either
    return found


def seen_in_history(lake: Lake, factory_id: int, names: Iterable[str], device_ids: Sequence[int], now: datetime) -> dict[str, Seen]:
    """By parameter the values of these machines in the 30 days before `now`; none for what they did not send. Raises LakeBusyError."""
    frame = lake.reader(factory_id).query(
        """
        SELECT parameter, min("min") AS least, max("max") AS greatest, max("count") AS most_an_hour FROM rollup_1h
        WHERE list_contains($names, parameter) AND list_contains($devices, device_id) AND bucket >= $since GROUP BY parameter
        """,
        {"names": sorted(names), "devices": list(device_ids), "since": now - LOOKS_BACK},
    )
    return {row["parameter"]: Seen(row["least"], row["greatest"], row["most_an_hour"]) for row in frame.drop_nulls().iter_rows(named=True)}
