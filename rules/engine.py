"""What one rule does with one moment of one device: pure, in event time, the same live and in a backtest.

When does a rule alert again? A condition is looked at whenever one of its parameters arrives (level, not edge). While it holds, the rule
alerts at once and then again each time the cooldown has passed; a condition that stops and starts again inside the cooldown stays quiet:

    temperature   70  85  86  70  85  86  86  86  86        rule: temperature > 80, cooldown 4 minutes
    device time    0   1   2   3   4   5   6   7   8  min
    alert              !               !                     1, and 5 = 1 + 4: not before, and 5 minutes later because it still holds

The first alert opens one, the others repeat it, until it is over: by default when the condition is false (unknown is not false), else when
the rule's own `clear` condition is true, and that for its off-delay:

    temperature   70  85  78  74  74  74                    temperature > 80, clear: temperature < 75, off-delay 1 minute
    event              R           C                        raised at 1; over since 3, cleared at 4

What happens is a function of the readings in device time alone. One that comes late (up to `ALLOWED_LATENESS_US`) is put in its place, the
rule is run again from there, and the difference is told: events that were missing, and `Withdrawn` for those that should not have been.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rules.conditions import (
    VALUE,
    Comparison,
    Condition,
    Deviation,
    Leaf,
    Missing,
    Range,
    Truth,
    Values,
    is_quorum,
    leaves,
    parameters,
    text_key,
    widest_window_us,
)
from rules.schedule import Schedule
from rules.truth import Check, NodeState, Plan, device_prefix

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
ALLOWED_LATENESS_US: Final = 2 * MINUTE_US
"""A reading this far behind its device's newest one is still evaluated as of its own time; later ones are only counted."""
MOST_TRIGGERS: Final = 256
"""Alerts remembered for each rule and device; more than these inside cooldown and lateness only happen without a cooldown."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready to be evaluated."""

    rule_id: int
    factory_id: int
    name: str
    severity: str
    condition: Condition
    schedule: Schedule
    cooldown_us: int
    device_ids: frozenset[int] | None = None
    """None: every device of the factory. A rule that counts machines always names them."""
    channels: tuple[str, ...] = ()
    clear: Condition | None = None
    """It is over when this is true; None: when the condition is false."""
    off_delay_us: int = 0
    auto_resolve: bool = False
    fingerprint: str = ""
    """Changes with everything that evaluation depends on."""
    plan: Plan = field(init=False, compare=False, repr=False)
    clear_plan: Plan | None = field(init=False, compare=False, repr=False)
    check: Check = field(init=False, compare=False, repr=False)
    parameters: frozenset[str] = field(init=False, compare=False)
    needs: tuple[Leaf, ...] = field(init=False, compare=False, repr=False)
    """Leaves that look at more than last values: these are worked out for each moment."""
    is_plain: bool = field(init=False, compare=False)
    """It looks at the last values of one device only: as long as it is quiet and its check is not true, nothing happens."""
    is_quorum: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Compiles the condition."""
        both = [self.condition] if self.clear is None else [self.condition, self.clear]
        fleet = sorted(self.device_ids or ())
        plan, needs = Plan(self.condition, fleet), tuple(leaf for part in both for leaf in leaves(part) if _is_worked_out(leaf))
        counts = is_quorum(self.condition)
        found = {
            "plan": plan,
            "clear_plan": None if self.clear is None else Plan(self.clear, fleet),
            "check": plan.check,
            "parameters": frozenset().union(*map(parameters, both)),
            "needs": needs,
            "is_quorum": counts,
            "is_plain": not (plan.nodes or needs or counts),
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def window_us(self) -> int:
        """How far back its aggregates look."""
        return max(widest_window_us(self.condition), 0 if self.clear is None else widest_window_us(self.clear))


@dataclass(frozen=True, slots=True)
class RuleState:
    """What a rule remembers of one device (of several, when it counts machines)."""

    triggers: tuple[int, ...] = ()
    """Device times of its alerts that may still hold others back, oldest first."""
    nodes: tuple[NodeState, ...] = ()
    """Of the parts of the condition that look at time; empty: as at the beginning."""
    clear_nodes: tuple[NodeState, ...] = ()
    active_device: int | None = None
    """The device of an alert that is not over yet."""
    over_since_us: int | None = None
    """Since when it would be over, were there no off-delay."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known of a device at one device time (microseconds since 1970 UTC): the last value of each parameter up to then.

    Beside the parameters stand what aggregates, baselines and missing parameters need, by the keys of `rules.conditions`; for a rule that
    counts machines the values of each under its `device_prefix`.
    """

    device_id: int
    at_us: int
    values: Values


@dataclass(frozen=True, slots=True)
class Raised:
    """A rule's condition was met: an alert to be recorded, or a repeat of the one that is open."""

    rule: Rule
    device_id: int
    at_us: int
    values: Mapping[str, float | str]
    """The known values of the rule's parameters at that moment."""
    measured: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """All values that the condition looked at, by key."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """The alert of a rule on a device is over; `rule.auto_resolve` says whether it is resolved by that."""

    rule: Rule
    device_id: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An earlier event would not have happened, had the readings that came late come in time."""

    rule: Rule
    kind: str
    """`RAISED` or `CLEARED`."""
    device_id: int
    at_us: int
    is_active: bool
    """Whether the rule still alerts on that device, by what is known now."""


RAISED: Final = "raised"
CLEARED: Final = "cleared"
Event = Raised | Cleared | Withdrawn
"""What the evaluator records: alerts and repeats, their ends, and corrections."""
QUIET: Final = RuleState()
NOTHING: Final[tuple[Raised | Cleared, ...]] = ()


def step(rule: Rule, state: RuleState, moment: Moment) -> tuple[RuleState, tuple[Raised | Cleared, ...]]:
    """Evaluates one rule at one moment, which is not before the last one; gives its next state and what happened. Pure.

    Condition first, cooldown and schedule only when it is true: all three must hold, and the condition is the cheapest to rule out.
    Gives `state` itself back when nothing changed.
    """
    after, events, _ = examine(rule, state, moment)
    return after, events


def examine(rule: Rule, state: RuleState, moment: Moment) -> tuple[RuleState, tuple[Raised | Cleared, ...], Truth]:
    """As `step`, with the truth of the condition."""
    values, at_us, after = moment.values, moment.at_us, state
    if rule.plan.nodes:
        before = state.nodes or rule.plan.initial()
        nodes, values = rule.plan.advance(before, values, at_us)
        after = after if nodes == before else replace(after, nodes=nodes)
    truth = rule.check(values)
    if rule.clear_plan is not None and rule.clear_plan.nodes:
        before = state.clear_nodes or rule.clear_plan.initial()
        clear_nodes, _ = rule.clear_plan.advance(before, moment.values, at_us)
        after = after if clear_nodes == before else replace(after, clear_nodes=clear_nodes)
    if truth is True:
        after, events = _met(rule, after, moment, values)
    elif state.active_device is not None:
        after, events = _not_met(rule, after, moment, truth, state.clear_nodes)
    else:
        events = NOTHING
    return after, events, truth


def wakes_at(rule: Rule, state: RuleState, moment: Moment, truth: Truth) -> int | None:
    """When the rule must be looked at again although nothing arrives, after `examine` at `moment` gave `state` and `truth`; None: never."""
    due: list[int | None] = []
    if rule.plan.nodes:
        due.append(rule.plan.wakes_at(state.nodes or rule.plan.initial(), moment.values, moment.at_us))
        if truth is True and not rule.schedule.is_open(moment.at_us):
            due.append(rule.schedule.changes_at(moment.at_us))
    if rule.clear_plan is not None and rule.clear_plan.nodes:
        due.append(rule.clear_plan.wakes_at(state.clear_nodes or rule.clear_plan.initial(), moment.values, moment.at_us))
    if state.over_since_us is not None:
        due.append(state.over_since_us + rule.off_delay_us)
    return min((at for at in due if at is not None and at > moment.at_us), default=None)


def may_raise_from(rule: Rule, state: RuleState, at_us: int) -> int:
    """The first moment after `at_us` at which the rule may alert again while its condition goes on to be true."""
    soonest = max([at_us + 1, *(time + rule.cooldown_us for time in state.triggers[-1:])])
    opens = None if rule.schedule.is_open(at_us) else rule.schedule.changes_at(at_us)
    return soonest if opens is None else max(soonest, opens)


def triggered(state: RuleState, at_us: int, cooldown_us: int) -> RuleState:
    """The state after one more alert at `at_us`; alerts that can hold nothing back any more are forgotten."""
    times = sorted({*state.triggers, at_us})
    oldest = times[-1] - cooldown_us - ALLOWED_LATENESS_US
    return replace(state, triggers=tuple(time for time in times if time >= oldest)[-MOST_TRIGGERS:])


def _met(rule: Rule, state: RuleState, moment: Moment, values: Values) -> tuple[RuleState, tuple[Raised | Cleared, ...]]:
    if state.over_since_us is not None:
        state = replace(state, over_since_us=None)
    if _is_cooling_down(state, moment.at_us, rule.cooldown_us) or not rule.schedule.is_open(moment.at_us):
        return state, NOTHING
    device_id = state.active_device or _device_of(rule, moment, values)
    known = _known(rule, device_id, values)
    raised = Raised(rule, device_id, moment.at_us, known, dict(values))
    return replace(triggered(state, moment.at_us, rule.cooldown_us), active_device=device_id), (raised,)


def _not_met(
    rule: Rule, state: RuleState, moment: Moment, truth: Truth, clear_states: Sequence[NodeState]
) -> tuple[RuleState, tuple[Raised | Cleared, ...]]:
    if rule.clear_plan is None:
        is_over = truth is False
    else:
        _, values = rule.clear_plan.advance(clear_states or rule.clear_plan.initial(), moment.values, moment.at_us)
        is_over = rule.clear_plan.check(values) is True
    if not is_over:
        return (state if state.over_since_us is None else replace(state, over_since_us=None)), NOTHING
    since = moment.at_us if state.over_since_us is None else state.over_since_us
    if moment.at_us - since < rule.off_delay_us:
        return replace(state, over_since_us=since), NOTHING
    cleared = Cleared(rule, state.active_device or moment.device_id, moment.at_us)
    return replace(state, active_device=None, over_since_us=None), (cleared,)


def _device_of(rule: Rule, moment: Moment, values: Values) -> int:
    """Whose alert it is: of several machines the first on which the condition is true."""
    return rule.plan.first_true(values) or moment.device_id if rule.is_quorum else moment.device_id


def _known(rule: Rule, device_id: int, values: Values) -> dict[str, float | str]:
    prefix = device_prefix(device_id) if rule.is_quorum else ""
    found: dict[str, float | str] = {}
    for parameter in sorted(rule.parameters):
        value = values.get(prefix + parameter, values.get(prefix + text_key(parameter)))
        if value is not None:
            found[parameter] = value
    return found


def _is_worked_out(leaf: Leaf) -> bool:
    return isinstance(leaf, Missing | Deviation) or (isinstance(leaf, Comparison | Range) and leaf.measure != VALUE)


def _is_cooling_down(state: RuleState, at_us: int, cooldown_us: int) -> bool:
    return any(abs(at_us - time) < cooldown_us or at_us == time for time in state.triggers)
