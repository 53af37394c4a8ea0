"""The condition tree of a rule: what it may be made of. What it means is in `rules.truth`; its JSON in `rules.parse`. Pure.

Leaves look at one machine at one moment; the others look at their truth over time (`Held`, `Repeated`) or on several machines (`Quorum`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Truth = bool | None
"""True, False, or None: unknown."""
Values = Mapping[str, float | str]
"""Known values by parameter, and by `Measure.key` what is worked out from several readings; what is missing is unknown."""
WHOLE_DEVICE: Final = "*"
"""As a parameter of `Missing`: any message of the machine."""


class Operator(StrEnum):
    """How a comparison compares: the value stands left, the threshold right."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NEQ = "neq"


class Side(StrEnum):
    """Where a value lies in relation to two limits; the limits themselves lie between them."""

    BETWEEN = "between"
    OUTSIDE = "outside"


class Combination(StrEnum):
    """How a group joins its conditions."""

    AND = "AND"
    OR = "OR"


class Aggregate(StrEnum):
    """What is worked out from the readings of the last minutes."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    STDDEV = "stddev"
    """Of the population."""
    COUNT = "count"
    RATE = "rate"
    """Change a minute: between the oldest and the newest reading of the window."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What of a parameter is compared: its value, or an aggregate over the window that ends at the moment (its beginning excluded)."""

    aggregate: Aggregate | None = None
    """None: the last value."""
    window_us: int = 0

    def key(self, parameter: str) -> str:
        """Where `Values` hold it."""
        return parameter if self.aggregate is None else f"\0{self.aggregate}({parameter},{self.window_us})"


VALUE: Final = Measure()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One parameter against a fixed threshold, in the parameter's own unit (a rate: unit a minute)."""

    parameter: str
    operator: Operator
    threshold: float
    deadband: float = 0.0
    """Once true it stays true until the value is this far back beyond the threshold."""
    measure: Measure = VALUE


@dataclass(frozen=True, slots=True)
class Range:
    """One parameter against two limits."""

    parameter: str
    side: Side
    low: float
    high: float
    deadband: float = 0.0
    measure: Measure = VALUE


@dataclass(frozen=True, slots=True)
class TextComparison:
    """A parameter that says words: equal (eq) or not (neq), letter by letter. A number is no text: it equals none."""

    parameter: str
    operator: Operator
    text: str


@dataclass(frozen=True, slots=True)
class Relation:
    """One parameter against another one of the same machine, plus `offset`."""

    parameter: str
    operator: Operator
    other: str
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Deviation:
    """One parameter against its own baseline: mean and standard deviation of the same hour of the week, over the weeks before."""

    parameter: str
    operator: Operator | Side
    deviations: float
    weeks: int

    @property
    def mean_key(self) -> str:
        """Where `Values` hold the baseline's mean."""
        return f"\0baseline_mean({self.parameter},{self.weeks})"

    @property
    def deviation_key(self) -> str:
        """Where `Values` hold the baseline's standard deviation."""
        return f"\0baseline_stddev({self.parameter},{self.weeks})"


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing came of a parameter (or of the whole machine) for a while; it becomes true without any message."""

    parameter: str
    for_us: int

    @property
    def key(self) -> str:
        """Where `Values` hold the device time of its newest reading."""
        return f"\0arrived({self.parameter})"


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined by AND or OR; never empty (`rules.parse` sees to it)."""

    operator: Combination
    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when its condition is false; unknown stays unknown."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Held:
    """Its condition has been true all the time for `for_us`."""

    condition: "Condition"
    for_us: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """Its condition became true at least `times` times within `within_us`."""

    condition: "Condition"
    times: int
    within_us: int


@dataclass(frozen=True, slots=True)
class Quorum:
    """Its condition is true on at least `at_least` of the rule's machines at once. Only as the root of a tree."""

    condition: "Condition"
    at_least: int


Leaf = Comparison | Range | TextComparison | Relation | Deviation | Missing
Around = Not | Held | Repeated | Quorum
"""Conditions with one inside."""
Condition = Leaf | Group | Around


@dataclass(frozen=True, slots=True)
class Definition:
    """When a rule alerts, and when it is over."""

    condition: Condition
    clear: Condition | None = None
    """The alert is over when this is true; None: when the condition is false."""
    off_delay_us: int = 0
    """... and has been so for this long."""
    auto_resolve: bool = False
    """Then the alert is resolved without a person."""


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every leaf of the tree, left to right."""
    if isinstance(condition, Group):
        for part in condition.conditions:
            yield from leaves(part)
    elif isinstance(condition, Around):
        yield from leaves(condition.condition)
    else:
        yield condition


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Every comparison of a value with a fixed threshold that counts for itself, left to right: what a chart can show as a limit."""
    if isinstance(condition, Group):
        for part in condition.conditions:
            yield from comparisons(part)
    elif isinstance(condition, Held | Repeated | Quorum):
        yield from comparisons(condition.condition)
    elif isinstance(condition, Comparison) and condition.measure == VALUE:
        yield condition


def parameters(condition: Condition) -> frozenset[str]:
    """The parameters that the tree reads; `WHOLE_DEVICE` when any message counts."""
    found = {leaf.parameter for leaf in leaves(condition)}
    return frozenset(found | {leaf.other for leaf in leaves(condition) if isinstance(leaf, Relation)})


def widest_window_us(condition: Condition) -> int:
    """How far back its aggregates look."""
    return max((leaf.measure.window_us for leaf in leaves(condition) if isinstance(leaf, Comparison | Range)), default=0)


def is_quorum(condition: Condition) -> bool:
    """True when the tree counts machines instead of looking at one."""
    while isinstance(condition, Held | Repeated):
        condition = condition.condition
    return isinstance(condition, Quorum)


def text_key(parameter: str) -> str:
    """Where `Values` hold the text of a parameter whose last reading was one."""
    return f"\0text({parameter})"
