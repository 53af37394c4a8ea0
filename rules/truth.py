"""What a condition tree means: three-valued truth, over time and over machines. Pure.

    AND   | true     unknown  false          OR    | true  unknown  false          NOT   |
    ------+------------------------          ------+----------------------         ------+--------
    true  | true     unknown  false          true  | true  true     true           true  | false
    unkn. | unknown  unknown  false          unkn. | true  unknown  unknown        unkn. | unknown
    false | false    false    false          false | true  unknown  false          false | true

Only `true` raises an alert. (Kleene, "Introduction to Metamathematics", 1952, §64.) A tree is compiled to nested closures, several times
faster than walking it for each reading. Whatever looks at time is a node with a state of its own; its truth is put among the values.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rules.conditions import (
    Combination,
    Comparison,
    Condition,
    Deviation,
    Group,
    Held,
    Leaf,
    Missing,
    Not,
    Operator,
    Quorum,
    Range,
    Relation,
    Repeated,
    Side,
    TextComparison,
    Truth,
    Values,
    text_key,
)

Check = Callable[[Mapping[str, Any]], Truth]
NodeState = Any
"""Of `Held`: since when, or None; of a dead band: whether it latched; of `Repeated`: whether it was true, and the last times it began."""
_COMPARE: Final[dict[Operator, Callable[[float, float], bool]]] = {
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
    Operator.EQ: operator.eq,
    Operator.NEQ: operator.ne,
}


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the tree that remembers something."""

    key: str
    """Where its truth is put."""
    inner: Check
    source: Held | Repeated | Missing | Leaf
    stay: Check | None = None
    """Of a dead band: what keeps it true."""
    arrived: str = ""
    """Of `Missing`: where the time of the newest reading stands."""

    def advance(self, state: NodeState, values: Mapping[str, Any], at_us: int) -> tuple[NodeState, Truth]:
        """Its next state and its truth at a moment that is not before the last one."""
        if self.stay is not None:
            truth = self.stay(values) if state else self.inner(values)
            return (bool(state) if truth is None else truth), truth
        if isinstance(self.source, Held):
            truth = self.inner(values)
            if truth is not True:
                return None, truth
            since = at_us if state is None else state
            return since, at_us - since >= self.source.for_us
        if isinstance(self.source, Repeated):
            return self._repeated(self.source, state or (False, ()), values, at_us)
        arrived = values.get(self.arrived)
        if arrived is None or not isinstance(self.source, Missing):
            return None, None
        return None, at_us - arrived >= self.source.for_us

    def wakes_at(self, state: NodeState, values: Mapping[str, Any], at_us: int) -> int | None:
        """When its truth may change although nothing arrives; None: never."""
        if isinstance(self.source, Held):
            due = None if state is None else state + self.source.for_us
        elif isinstance(self.source, Repeated):
            begun = state[1] if state else ()
            due = begun[-self.source.times] + self.source.within_us if len(begun) >= self.source.times else None
        elif isinstance(self.source, Missing):
            due = None if self.arrived not in values else values[self.arrived] + self.source.for_us
        else:
            due = None
        return due if due is not None and due > at_us else None

    def _repeated(self, source: Repeated, state: NodeState, values: Mapping[str, Any], at_us: int) -> tuple[NodeState, Truth]:
        was_true, begun = state
        truth = self.inner(values)
        if truth is True and not was_true:
            begun = (*begun, at_us)[-source.times :]
        is_met = len(begun) >= source.times and begun[-source.times] > at_us - source.within_us
        return (truth is True, begun), is_met or (None if truth is None else False)


@dataclass(slots=True)
class Plan:
    """A compiled tree: first its nodes in order, each of which puts its truth among the values, then its check."""

    nodes: list[Node] = field(default_factory=list)
    leaves: list[tuple[Leaf, Check, str]] = field(default_factory=list)
    """Leaf, its check, and the prefix of its machine; of a dead band both limits."""
    checks: dict[tuple[int, str], Check] = field(default_factory=dict)
    """Of each part of the tree, by its identity and the prefix of its machine."""
    check: Check = field(init=False)
    condition: Condition = field(init=False)
    """Kept, so that its parts keep their identity."""
    device_ids: tuple[int, ...] = ()
    """Of a quorum: the machines that it counts."""
    counted: tuple[Check, ...] = ()
    """... and the check of each."""

    def __init__(self, condition: Condition, device_ids: Sequence[int] = ()) -> None:
        """Compiles a tree; `device_ids` are the machines that a quorum counts."""
        self.nodes, self.leaves, self.device_ids, self.counted, self.checks = [], [], tuple(device_ids), (), {}
        self.condition = condition
        self.check = self._compiled(condition, "")

    def first_true(self, values: Mapping[str, Any]) -> int | None:
        """Of a quorum: the first machine on which the condition is true."""
        return next((device_id for device_id, check in zip(self.device_ids, self.counted, strict=True) if check(values) is True), None)

    def initial(self) -> tuple[NodeState, ...]:
        """The state of its nodes before anything is known."""
        return (None,) * len(self.nodes)

    def advance(self, states: Sequence[NodeState], values: Values, at_us: int) -> tuple[tuple[NodeState, ...], dict[str, Any]]:
        """The nodes' next states, and the values with the nodes' truth among them."""
        found: dict[str, Any] = dict(values)
        after = []
        for node, state in zip(self.nodes, states, strict=True):
            state, found[node.key] = node.advance(state, found, at_us)  # noqa: PLW2901  # its own successor
            after.append(state)
        return tuple(after), found

    def wakes_at(self, states: Sequence[NodeState], values: Mapping[str, Any], at_us: int) -> int | None:
        """The next moment at which the truth may change although nothing arrives."""
        due = (node.wakes_at(state, values, at_us) for node, state in zip(self.nodes, states, strict=True))
        return min((at for at in due if at is not None), default=None)

    def _node(self, inner: Check, source: Any, **more: Any) -> Check:
        key = f"\0node{len(self.nodes)}"
        self.nodes.append(Node(key, inner, source, **more))
        return _lookup(key)

    def _compiled(self, condition: Condition, prefix: str) -> Check:
        found = self.checks[id(condition), prefix] = self._checked(condition, prefix)
        return found

    def _checked(self, condition: Condition, prefix: str) -> Check:  # noqa: PLR0911  # one for each kind
        match condition:
            case Group():
                checks = tuple(self._compiled(part, prefix) for part in condition.conditions)
                if len(checks) == 1:
                    return checks[0]
                return _all(checks) if condition.operator is Combination.AND else _any(checks)
            case Not():
                return _negated(self._compiled(condition.condition, prefix))
            case Held() | Repeated():
                return self._node(self._compiled(condition.condition, prefix), condition)
            case Missing():
                return self._node(_never, condition, arrived=prefix + condition.key)
            case Quorum():
                return self._quorum(condition)
            case _:
                return self._leaf(condition, prefix)

    def _leaf(self, leaf: Comparison | Range | TextComparison | Relation | Deviation, prefix: str) -> Check:
        check = leaf_check(leaf, prefix)
        self.leaves.append((leaf, check, prefix))
        if not isinstance(leaf, Comparison | Range) or not leaf.deadband:
            return check
        wider = widened(leaf)
        stay = leaf_check(wider, prefix)
        self.leaves.append((wider, stay, prefix))
        return self._node(check, leaf, stay=stay)

    def _quorum(self, condition: Quorum) -> Check:
        self.counted = tuple(self._compiled(condition.condition, device_prefix(device_id)) for device_id in self.device_ids)
        return _at_least(self.counted, condition.at_least)


def compiled(condition: Condition) -> Check:
    """The check of a tree that looks at one moment only. Raises ValueError when it needs to remember something."""
    plan = Plan(condition)
    if plan.nodes:
        raise ValueError("this condition looks at more than a moment")
    return plan.check


def device_prefix(device_id: int) -> str:
    """What stands before the keys of a machine when the values of several are together."""
    return f"{device_id}\0"


def widened(leaf: Comparison | Range) -> Comparison | Range:
    """What keeps a leaf with a dead band true once it is."""
    band = leaf.deadband
    if isinstance(leaf, Comparison):
        by = -band if leaf.operator in {Operator.GT, Operator.GTE} else band
        return Comparison(leaf.parameter, leaf.operator, leaf.threshold + by, 0.0, leaf.measure)
    by = -band if leaf.side is Side.BETWEEN else band
    return Range(leaf.parameter, leaf.side, leaf.low + by, leaf.high - by, 0.0, leaf.measure)


def leaf_check(leaf: Leaf, prefix: str = "") -> Check:
    """The check of one leaf; the values of its machine stand under `prefix`."""
    match leaf:
        case Comparison():
            return _comparison(prefix + leaf.measure.key(leaf.parameter), _COMPARE[leaf.operator], leaf.threshold)
        case Range():
            return _range(prefix + leaf.measure.key(leaf.parameter), leaf.low, leaf.high, is_between=leaf.side is Side.BETWEEN)
        case TextComparison():
            return _text(prefix + leaf.parameter, prefix + text_key(leaf.parameter), leaf.text, is_equal=leaf.operator is Operator.EQ)
        case Relation():
            return _relation(prefix + leaf.parameter, prefix + leaf.other, _COMPARE[leaf.operator], leaf.offset)
        case Deviation():
            return _deviation(prefix, leaf)
        case Missing():
            raise ValueError("a missing parameter is a node")


def _comparison(key: str, compare: Callable[[float, float], bool], threshold: float) -> Check:
    def check(values: Mapping[str, Any]) -> Truth:
        value = values.get(key)
        return None if value is None else compare(value, threshold)

    return check


def _range(key: str, low: float, high: float, *, is_between: bool) -> Check:
    def check(values: Mapping[str, Any]) -> Truth:
        value = values.get(key)
        return None if value is None else (low <= value <= high) is is_between

    return check


def _text(key: str, text_at: str, text: str, *, is_equal: bool) -> Check:
    def check(values: Mapping[str, Any]) -> Truth:
        said = values.get(text_at)
        if said is None and key not in values:
            return None
        return (said == text) is is_equal

    return check


def _relation(key: str, other: str, compare: Callable[[float, float], bool], offset: float) -> Check:
    def check(values: Mapping[str, Any]) -> Truth:
        value, against = values.get(key), values.get(other)
        return None if value is None or against is None else compare(value, against + offset)

    return check


def _deviation(prefix: str, leaf: Deviation) -> Check:
    key, mean_key, deviation_key, found = prefix + leaf.parameter, prefix + leaf.mean_key, prefix + leaf.deviation_key, leaf.operator

    def check(values: Mapping[str, Any]) -> Truth:
        value, mean, deviation = values.get(key), values.get(mean_key), values.get(deviation_key)
        if value is None or mean is None or deviation is None:
            return None
        margin = leaf.deviations * deviation
        if isinstance(found, Side):
            return bool(mean - margin <= value <= mean + margin) is (found is Side.BETWEEN)
        above = found in {Operator.GT, Operator.GTE}
        return _COMPARE[found](value, mean + margin if above else mean - margin)

    return check


def _lookup(key: str) -> Check:
    def check(values: Mapping[str, Any]) -> Truth:
        return values.get(key)

    return check


def _never(_values: Mapping[str, Any]) -> Truth:
    return None


def _negated(inner: Check) -> Check:
    def check(values: Mapping[str, Any]) -> Truth:
        truth = inner(values)
        return None if truth is None else not truth

    return check


def _all(checks: tuple[Check, ...]) -> Check:
    def check(values: Mapping[str, Any]) -> Truth:
        truth: Truth = True
        for part in checks:
            found = part(values)
            if found is False:
                return False
            if found is None:
                truth = None
        return truth

    return check


def _any(checks: tuple[Check, ...]) -> Check:
    def check(values: Mapping[str, Any]) -> Truth:
        truth: Truth = False
        for part in checks:
            found = part(values)
            if found:
                return True
            if found is None:
                truth = None
        return truth

    return check


def _at_least(checks: tuple[Check, ...], needed: int) -> Check:
    """True when so many are true; unknown when so many may be."""

    def check(values: Mapping[str, Any]) -> Truth:
        found = [part(values) for part in checks]
        if found.count(True) >= needed:
            return True
        return None if found.count(True) + found.count(None) >= needed else False

    return check
