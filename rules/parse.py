"""JSON of rules, as the API and the rules table hold it, to condition trees, and back. Schedules: `rules.parse_schedules`.

Every error is an InvalidInputError that names the place (`path`, such as `$.conditions[1].operator`) and what is allowed there.
"""

from collections.abc import Mapping
from typing import Any, Final

from rules.conditions import (
    VALUE,
    WHOLE_DEVICE,
    Aggregate,
    Combination,
    Comparison,
    Condition,
    Definition,
    Deviation,
    Group,
    Held,
    Leaf,
    Measure,
    Missing,
    Not,
    Operator,
    Quorum,
    Range,
    Relation,
    Repeated,
    Side,
    TextComparison,
    is_quorum,
    leaves,
)
from rules.parse_schedules import parse_schedule
from rules.reading_json import kind_of, known_keys, mapping_at, number_at, refused, whole_at

__all__ = [
    "DEEPEST",
    "MOST_COMPARISONS",
    "condition_to_json",
    "definition_to_json",
    "parse_condition",
    "parse_definition",
    "parse_schedule",
]

DEEPEST: Final = 10
"""Levels of groups within groups."""
MOST_COMPARISONS: Final = 200
LONGEST_PARAMETER: Final = 100
LONGEST_TEXT: Final = 255
LONGEST_MINUTES: Final = 7 * 24 * 60
"""For `for_minutes`, `within_minutes` and `off_delay_minutes`."""
LONGEST_WINDOW_MINUTES: Final = 240
"""For aggregates: their readings are remembered."""
MINUTE_US: Final = 60_000_000

_OVER_TIME: Final = ("for_minutes", "repeat")
_GROUP_KEYS: Final = ("operator", "conditions", *_OVER_TIME)
_MEASURE_KEYS: Final = ("deadband", "aggregate", "window_minutes")
_COMPARISON_KEYS: Final = ("parameter", "operator", "threshold", *_MEASURE_KEYS, *_OVER_TIME)
_RANGE_KEYS: Final = ("parameter", "operator", "low", "high", *_MEASURE_KEYS, *_OVER_TIME)
_TEXT_KEYS: Final = ("parameter", "operator", "text", *_OVER_TIME)
_RELATION_KEYS: Final = ("parameter", "operator", "other_parameter", "offset", *_OVER_TIME)
_DEVIATION_KEYS: Final = ("parameter", "operator", "deviations", "weeks", *_OVER_TIME)
_MISSING_KEYS: Final = ("missing", "for_minutes")
_QUORUM_KEYS: Final = ("at_least", "condition", *_OVER_TIME)
_DEFINITION_KEYS: Final = ("when", "clear", "off_delay_minutes", "auto_resolve")
_JOINING: Final = (*Combination, "NOT")
_COMPARING: Final = (*Operator, *Side)


def parse_definition(document: object, path: str = "$") -> Definition:
    """When a rule alerts and when that is over: {"when": condition, "clear", "off_delay_minutes", "auto_resolve"}, or a condition alone.

    Raises InvalidInputError for anything else.
    """
    if not isinstance(document, Mapping) or "when" not in document:
        return Definition(parse_condition(document, path))
    found = mapping_at(document, path, _DEFINITION_KEYS)
    condition = parse_condition(found["when"], f"{path}.when")
    clear = parse_condition(found["clear"], f"{path}.clear") if found.get("clear") is not None else None
    if clear is not None and is_quorum(clear) is not is_quorum(condition):
        raise refused(f"{path}.clear", "must count machines (at_least) exactly when `when` does")
    resolves = found.get("auto_resolve", False)
    if not isinstance(resolves, bool):
        raise refused(f"{path}.auto_resolve", f"must be true or false, not {kind_of(resolves)}")
    delay_us = _minutes_us(found, "off_delay_minutes", path, LONGEST_MINUTES) if "off_delay_minutes" in found else 0
    return Definition(condition, clear, delay_us, resolves)


def parse_condition(document: object, path: str = "$") -> Condition:
    """The condition tree of a JSON document (already decoded); docs/rules.md has the whole format. Raises InvalidInputError."""
    condition = _condition(document, path, depth=1)
    count = sum(1 for _ in leaves(condition))
    if count > MOST_COMPARISONS:
        raise refused(path, f"has {count} comparisons; at most {MOST_COMPARISONS} are allowed: split the rule")
    return condition


def definition_to_json(definition: Definition) -> dict[str, Any]:
    """The definition as the JSON that `parse_definition` reads: the condition alone when there is nothing else to say."""
    when = condition_to_json(definition.condition)
    if definition == Definition(definition.condition):
        return when
    found: dict[str, Any] = {"when": when}
    if definition.clear is not None:
        found["clear"] = condition_to_json(definition.clear)
    if definition.off_delay_us:
        found["off_delay_minutes"] = _number(definition.off_delay_us / MINUTE_US)
    return found | ({"auto_resolve": True} if definition.auto_resolve else {})


def condition_to_json(condition: Condition) -> dict[str, Any]:
    """The tree as the JSON that `parse_condition` reads."""
    match condition:
        case Group():
            return {"operator": condition.operator.value, "conditions": [condition_to_json(part) for part in condition.conditions]}
        case Not():
            return {"operator": "NOT", "conditions": [condition_to_json(condition.condition)]}
        case Held():
            return {**_bare(condition.condition, _OVER_TIME), "for_minutes": _number(condition.for_us / MINUTE_US)}
        case Repeated():
            repeat = {"times": condition.times, "within_minutes": _number(condition.within_us / MINUTE_US)}
            return {**_bare(condition.condition, ("repeat",)), "repeat": repeat}
        case Quorum():
            return {"at_least": condition.at_least, "condition": condition_to_json(condition.condition)}
        case _:
            return _leaf_to_json(condition)


def _bare(condition: Condition, taken: tuple[str, ...]) -> dict[str, Any]:
    """The JSON of what is inside, in a group of its own when it says something of time already."""
    found = condition_to_json(condition)
    return {"operator": "AND", "conditions": [found]} if "missing" in found or any(key in found for key in taken) else found


def _leaf_to_json(leaf: Leaf) -> dict[str, Any]:
    match leaf:
        case Missing():
            return {"missing": leaf.parameter, "for_minutes": _number(leaf.for_us / MINUTE_US)}
        case Comparison():
            found: dict[str, Any] = {"threshold": _number(leaf.threshold)} | _measure_to_json(leaf)
        case Range():
            bounds = {"low": _number(leaf.low), "high": _number(leaf.high)}
            return {"parameter": leaf.parameter, "operator": leaf.side.value} | bounds | _measure_to_json(leaf)
        case TextComparison():
            found = {"text": leaf.text}
        case Relation():
            found = {"other_parameter": leaf.other} | ({"offset": _number(leaf.offset)} if leaf.offset else {})
        case Deviation():
            found = {"deviations": _number(leaf.deviations), "weeks": leaf.weeks}
    return {"parameter": leaf.parameter, "operator": leaf.operator.value} | found


def _measure_to_json(leaf: Comparison | Range) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if leaf.measure.aggregate is not None:
        found = {"aggregate": leaf.measure.aggregate.value, "window_minutes": _number(leaf.measure.window_us / MINUTE_US)}
    return found | ({"deadband": _number(leaf.deadband)} if leaf.deadband else {})


def _number(number: float) -> float | int:
    return int(number) if float(number).is_integer() else number


def _condition(document: object, path: str, depth: int) -> Condition:
    if not isinstance(document, Mapping):
        raise refused(path, f"must be an object, not {kind_of(document)}", ("operator", "conditions", "parameter", "operator", "threshold"))
    if "missing" in document:
        return _missing(document, path)
    if "at_least" in document:
        found: Condition = _quorum(document, path, depth)
    elif "conditions" in document or document.get("operator") in _JOINING:
        found = _group(document, path, depth)
    else:
        found = _leaf(document, path)
    return _over_time(found, document, path)


def _over_time(condition: Condition, document: Mapping[str, object], path: str) -> Condition:
    if "for_minutes" in document:
        condition = Held(condition, _minutes_us(document, "for_minutes", path, LONGEST_MINUTES))
    if "repeat" not in document:
        return condition
    place = f"{path}.repeat"
    found = mapping_at(document["repeat"], place, ("times", "within_minutes"))
    within_us = _minutes_us(found, "within_minutes", place, LONGEST_MINUTES)
    return Repeated(condition, whole_at(found, "times", place, least=2, most=1000), within_us)


def _group(document: Mapping[str, object], path: str, depth: int) -> Group | Not:
    known_keys(document, path, _GROUP_KEYS)
    if depth > DEEPEST:
        raise refused(path, f"is nested deeper than {DEEPEST} levels: flatten the tree")
    found = document.get("operator")
    if not isinstance(found, str) or found not in _JOINING:
        raise refused(f"{path}.operator", f"{found!r} does not join conditions", _JOINING)
    parts = document.get("conditions")
    if not isinstance(parts, list) or not parts:
        raise refused(f"{path}.conditions", "must be a list of at least one condition")
    read = tuple(_condition(part, f"{path}.conditions[{i}]", depth + 1) for i, part in enumerate(parts))
    if found != "NOT":
        return Group(Combination(found), read)
    if len(read) > 1:
        raise refused(f"{path}.conditions", "must be exactly one condition for NOT")
    return Not(read[0])


def _quorum(document: Mapping[str, object], path: str, depth: int) -> Quorum:
    known_keys(document, path, _QUORUM_KEYS)
    if depth > 1:
        raise refused(f"{path}.at_least", "counts machines, which only the outermost condition can")
    at_least = whole_at(document, "at_least", path, least=1, most=1000)
    return Quorum(_condition(document.get("condition"), f"{path}.condition", depth + 1), at_least)


def _missing(document: Mapping[str, object], path: str) -> Missing:
    known_keys(document, path, _MISSING_KEYS)
    parameter = document.get("missing")
    if not isinstance(parameter, str) or not 0 < len(parameter) <= LONGEST_PARAMETER:
        raise refused(f"{path}.missing", f"must be the key of a parameter, or {WHOLE_DEVICE!r} for the whole machine")
    return Missing(parameter, _minutes_us(document, "for_minutes", path, LONGEST_MINUTES))


def _leaf(document: Mapping[str, object], path: str) -> Comparison | Range | TextComparison | Relation | Deviation:
    parameter, operator = document.get("parameter"), document.get("operator")
    known_keys(document, path, _leaf_keys(document))
    if not isinstance(parameter, str) or not 0 < len(parameter) <= LONGEST_PARAMETER:
        raise refused(f"{path}.parameter", f"must be the key of a parameter, a text of 1 to {LONGEST_PARAMETER} characters")
    if not isinstance(operator, str) or operator not in _COMPARING:
        raise refused(f"{path}.operator", f"{operator!r} compares nothing", _COMPARING)
    if "deviations" in document or "weeks" in document:
        return _deviation(document, path, parameter, operator)
    if operator in tuple(Side):
        return _range(document, path, parameter, Side(operator))
    if "low" in document or "high" in document:
        raise refused(f"{path}.operator", f"{operator!r} takes no two limits", tuple(Side))
    if "text" in document:
        return _text(document, path, parameter, Operator(operator))
    if "other_parameter" in document:
        return _relation(document, path, parameter, Operator(operator))
    measure, deadband = _measure(document, path), _deadband(document, path)
    if deadband and operator in {Operator.EQ, Operator.NEQ}:
        raise refused(f"{path}.deadband", f"has no meaning for {operator}", ("gt", "gte", "lt", "lte", *Side))
    return Comparison(parameter, Operator(operator), number_at(document, "threshold", path), deadband, measure)


def _leaf_keys(document: Mapping[str, object]) -> tuple[str, ...]:
    """The keys of the kind of leaf that the document seems to be."""
    if "deviations" in document or "weeks" in document:
        return _DEVIATION_KEYS
    if "text" in document:
        return _TEXT_KEYS
    if "other_parameter" in document:
        return _RELATION_KEYS
    is_range = "low" in document or "high" in document or document.get("operator") in tuple(Side)
    return _RANGE_KEYS if is_range else _COMPARISON_KEYS


def _range(document: Mapping[str, object], path: str, parameter: str, side: Side) -> Range:
    low, high = number_at(document, "low", path), number_at(document, "high", path)
    if low > high:
        raise refused(f"{path}.high", f"{high:g} is below low {low:g}")
    deadband = _deadband(document, path)
    if side is Side.OUTSIDE and 2 * deadband > high - low:
        raise refused(f"{path}.deadband", "is wider than half the range: the alert would never be over")
    return Range(parameter, side, low, high, deadband, _measure(document, path))


def _text(document: Mapping[str, object], path: str, parameter: str, operator: Operator) -> TextComparison:
    text = document.get("text")
    if operator not in {Operator.EQ, Operator.NEQ}:
        raise refused(f"{path}.operator", f"{operator.value!r} compares no texts", ("eq", "neq"))
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        raise refused(f"{path}.text", f"must be a text of at most {LONGEST_TEXT} characters")
    return TextComparison(parameter, operator, text)


def _relation(document: Mapping[str, object], path: str, parameter: str, operator: Operator) -> Relation:
    other = document.get("other_parameter")
    if not isinstance(other, str) or not 0 < len(other) <= LONGEST_PARAMETER:
        raise refused(f"{path}.other_parameter", f"must be the key of a parameter, a text of 1 to {LONGEST_PARAMETER} characters")
    if other == parameter:
        raise refused(f"{path}.other_parameter", "is the parameter itself: the comparison could never change")
    return Relation(parameter, operator, other, number_at(document, "offset", path) if "offset" in document else 0.0)


def _deviation(document: Mapping[str, object], path: str, parameter: str, operator: str) -> Deviation:
    if operator in {Operator.EQ, Operator.NEQ}:
        allowed = ("gt", "gte", "lt", "lte", *Side)
        raise refused(f"{path}.operator", f"{operator!r} cannot be asked of a baseline", allowed)
    side = Side(operator) if operator in tuple(Side) else Operator(operator)
    deviations = number_at(document, "deviations", path, least=0, most=100)
    return Deviation(parameter, side, deviations, whole_at(document, "weeks", path, least=1, most=52))


def _measure(document: Mapping[str, object], path: str) -> Measure:
    if "aggregate" not in document and "window_minutes" not in document:
        return VALUE
    found = document.get("aggregate")
    if not isinstance(found, str) or found not in tuple(Aggregate):
        raise refused(f"{path}.aggregate", f"{found!r} is worked out of nothing", tuple(Aggregate))
    return Measure(Aggregate(found), _minutes_us(document, "window_minutes", path, LONGEST_WINDOW_MINUTES))


def _deadband(document: Mapping[str, object], path: str) -> float:
    return number_at(document, "deadband", path, least=0) if "deadband" in document else 0.0


def _minutes_us(document: Mapping[str, object], key: str, path: str, most: float) -> int:
    return max(1, round(number_at(document, key, path, least=0, most=most) * MINUTE_US))
