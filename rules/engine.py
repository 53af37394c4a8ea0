"""What one rule does with one moment of one device: pure, in event time, the same live and in a backtest.

When does a rule alert again? A condition is looked at whenever one of its parameters arrives (level, not edge). While it holds, the rule
alerts at once and then again each time the cooldown has passed; a condition that stops and starts again inside the cooldown stays quiet:

    temperature   70  85  86  70  85  86  86  86  86        rule: temperature > 80, cooldown 4 minutes
    device time    0   1   2   3   4   5   6   7   8  min
    alert              !               !                     1, and 5 = 1 + 4: not before, and 5 minutes later because it still holds

The cooldown counts device time from the last alert of this rule on this device, in both directions: an alert for a late reading stays
quiet as well when another one is less than the cooldown after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rules.conditions import Check, Condition, Values, compiled, parameters
from rules.schedule import Schedule

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
    """None: every device of the factory."""
    channels: tuple[str, ...] = ()
    check: Check = field(init=False, compare=False, repr=False)
    parameters: frozenset[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Compiles the condition."""
        object.__setattr__(self, "check", compiled(self.condition))
        object.__setattr__(self, "parameters", parameters(self.condition))


@dataclass(frozen=True, slots=True)
class RuleState:
    """What a rule remembers of one device: device times of its alerts that may still hold others back, oldest first."""

    triggers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known of a device at one device time (microseconds since 1970 UTC): the last value of each parameter up to then."""

    device_id: int
    at_us: int
    values: Values


@dataclass(frozen=True, slots=True)
class Raised:
    """A rule's condition was met: an alert to be recorded."""

    rule: Rule
    device_id: int
    at_us: int
    values: Mapping[str, float]
    """The known values of the rule's parameters at that moment."""


QUIET: Final = RuleState()
NOTHING: Final[tuple[Raised, ...]] = ()


def step(rule: Rule, state: RuleState, moment: Moment) -> tuple[RuleState, tuple[Raised, ...]]:
    """Evaluates one rule at one moment; gives its next state and what it raised (nothing or one alert). Pure.

    Condition first, cooldown and schedule only when it is true: all three must hold, and the condition is the cheapest to rule out.
    """
    if rule.check(moment.values) is not True:
        return state, NOTHING
    if _is_cooling_down(state, moment.at_us, rule.cooldown_us) or not rule.schedule.is_open(moment.at_us):
        return state, NOTHING
    known = {parameter: moment.values[parameter] for parameter in sorted(rule.parameters) if parameter in moment.values}
    return triggered(state, moment.at_us, rule.cooldown_us), (Raised(rule, moment.device_id, moment.at_us, known),)


def triggered(state: RuleState, at_us: int, cooldown_us: int) -> RuleState:
    """The state after one more alert at `at_us`; alerts that can hold nothing back any more are forgotten."""
    times = sorted({*state.triggers, at_us})
    oldest = times[-1] - cooldown_us - ALLOWED_LATENESS_US
    return RuleState(tuple(time for time in times if time >= oldest)[-MOST_TRIGGERS:])


def _is_cooling_down(state: RuleState, at_us: int, cooldown_us: int) -> bool:
    return any(abs(at_us - time) < cooldown_us or at_us == time for time in state.triggers)
