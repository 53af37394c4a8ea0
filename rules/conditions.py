"""The condition tree of a rule and its three-valued truth: a parameter that never arrived makes a comparison unknown, not false.

    AND   | true     unknown  false          OR    | true  unknown  false
    ------+------------------------          ------+----------------------
    true  | true     unknown  false          true  | true  true     true
    unkn. | unknown  unknown  false          unkn. | true  unknown  unknown
    false | false    false    false          false | true  unknown  false

Only `true` raises an alert. (Kleene, "Introduction to Metamathematics", 1952, §64.)
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Truth = bool | None
"""True, False, or None: unknown."""
Values = Mapping[str, float]
"""Known values by parameter; what is missing is unknown."""
Check = Callable[[Values], Truth]


class Operator(StrEnum):
    """How a comparison compares: the value stands left, the threshold right."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NEQ = "neq"


class Combination(StrEnum):
    """How a group joins its conditions."""

    AND = "AND"
    OR = "OR"


_COMPARE: Final[dict[Operator, Callable[[float, float], bool]]] = {
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
    Operator.EQ: operator.eq,
    Operator.NEQ: operator.ne,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One parameter against a fixed threshold, in the parameter's own unit."""

    parameter: str
    operator: Operator
    threshold: float


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined by AND or OR; never empty (`rules.parse` sees to it)."""

    operator: Combination
    conditions: tuple["Condition", ...]


Condition = Comparison | Group


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Every comparison of the tree, left to right."""
    if isinstance(condition, Comparison):
        yield condition
        return
    for part in condition.conditions:
        yield from comparisons(part)


def parameters(condition: Condition) -> frozenset[str]:
    """The parameters that the tree reads."""
    return frozenset(comparison.parameter for comparison in comparisons(condition))


def true_comparisons(condition: Condition, values: Values) -> list[Comparison]:
    """The comparisons that hold and count: those of groups that hold themselves, left to right. Empty unless the tree is true."""
    if compiled(condition)(values) is not True:
        return []
    if isinstance(condition, Comparison):
        return [condition]
    return [found for part in condition.conditions for found in true_comparisons(part, values)]


def compiled(condition: Condition) -> Check:
    """The tree as nested closures, several times faster than walking it for each reading."""
    if isinstance(condition, Comparison):
        return _compiled_comparison(condition)
    checks = tuple(compiled(part) for part in condition.conditions)
    if len(checks) == 1:
        return checks[0]
    return _all(checks) if condition.operator is Combination.AND else _any(checks)


def _compiled_comparison(condition: Comparison) -> Check:
    parameter, threshold, compare = condition.parameter, condition.threshold, _COMPARE[condition.operator]

    def check(values: Values) -> Truth:
        value = values.get(parameter)
        return None if value is None else compare(value, threshold)

    return check


def _all(checks: tuple[Check, ...]) -> Check:
    def check(values: Values) -> Truth:
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
    def check(values: Values) -> Truth:
        truth: Truth = False
        for part in checks:
            found = part(values)
            if found:
                return True
            if found is None:
                truth = None
        return truth

    return check
