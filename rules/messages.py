"""What an alert says, in words: `Spindle temperature (82.5°C) exceeded threshold (80°C) AND coolant flow (3.2 L/min) below ...`. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rules.conditions import (
    WHOLE_DEVICE,
    Aggregate,
    Comparison,
    Condition,
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
    text_key,
)
from rules.truth import Plan, device_prefix

_WORDS: Final = {
    Operator.GT: "exceeded threshold ({threshold})",
    Operator.GTE: "reached threshold ({threshold})",
    Operator.LT: "below threshold ({threshold})",
    Operator.LTE: "at or below threshold ({threshold})",
    Operator.EQ: "equals {threshold}",
    Operator.NEQ: "differs from {threshold}",
}
_THRESHOLD_DIGITS: Final = 12
"""A threshold is told as it was set."""
_MOST_DIGITS: Final = 17
"""Enough to tell any two floats apart."""


@dataclass(frozen=True, slots=True)
class Label:
    """How people call a parameter, and its unit."""

    name: str
    unit: str = ""


def label_of(parameter: str, display_name: str | None, unit: str | None) -> Label:
    """The label of a parameter; a key without a display name of its own is made readable: `spindle_temp` is `Spindle temp`."""
    name = (display_name or "").strip() or parameter
    if name == parameter:
        words = parameter.replace("_", " ").replace(".", " ").strip() or parameter
        name = words[0].upper() + words[1:]
    return Label(name, (unit or "").strip())


def alert_message(condition: Condition, values: Mapping[str, Any], labels: Mapping[str, Label], device_ids: Sequence[int] = ()) -> str:
    """Says which conditions hold, with values, units and limits; `values` are those that the engine looked at (`Raised.measured`).

    Of an OR only the parts that hold are told, so everything that is told is true: the parts are joined by AND. Empty when the condition
    does not hold. `device_ids`: the machines of a rule that counts them.
    """
    plan = Plan(condition, device_ids)
    parts = list(_told(plan, condition, "", values, labels))
    if not parts:
        return ""
    return " AND ".join([parts[0], *(_lower_first(part) for part in parts[1:])])


def _told(plan: Plan, condition: Condition, prefix: str, values: Mapping[str, Any], labels: Mapping[str, Label]) -> Iterator[str]:
    """The parts that hold and count, left to right."""
    if plan.checks[id(condition), prefix](values) is not True:
        return
    match condition:
        case Group():
            for part in condition.conditions:
                yield from _told(plan, part, prefix, values, labels)
        case Held():
            inside = _joined(_told(plan, condition.condition, prefix, values, labels))
            yield f"{inside} for {_minutes(condition.for_us)}"
        case Repeated():
            inside = _joined(_described(condition.condition, prefix, values, labels))
            yield f"{inside} {condition.times} times in {_minutes(condition.within_us)}"
        case Not():
            yield f"NOT ({_joined(_described(condition.condition, prefix, values, labels))})"
        case Quorum():
            first = device_prefix(plan.first_true(values) or 0)
            count = sum(check(values) is True for check in plan.counted)
            inside = _joined(_told(plan, condition.condition, first, values, labels))
            yield f"{inside} and so on {count} of {len(plan.counted)} machines"
        case _:
            yield _leaf(condition, prefix, values, labels)


def _described(condition: Condition, prefix: str, values: Mapping[str, Any], labels: Mapping[str, Label]) -> Iterator[str]:
    """All leaves, whether they hold or not."""
    match condition:
        case Group():
            for part in condition.conditions:
                yield from _described(part, prefix, values, labels)
        case Not() | Held() | Repeated() | Quorum():
            yield from _described(condition.condition, prefix, values, labels)
        case _:
            yield _leaf(condition, prefix, values, labels)


def _joined(parts: Iterator[str]) -> str:
    first, *more = list(parts) or [""]
    return " AND ".join([first, *map(_lower_first, more)])


def with_unit(value: float, unit: str, *, unlike: float | None = None) -> str:
    """A value as people write it: `82.5°C`, `45%`, `3.2 L/min`; with more digits when it would read the same as `unlike`."""
    return _beside(short_number(value, unlike=unlike), unit)


def short_number(value: float, *, unlike: float | None = None) -> str:
    """Four significant digits and never fewer than the whole number has; no exponent for everyday sizes."""
    digits = 4
    text = _digits(value, digits)
    while unlike is not None and value != unlike and text == _digits(unlike, digits) and digits < _MOST_DIGITS:
        digits += 1
        text = _digits(value, digits)
    return text


def _beside(number: str, unit: str) -> str:
    if not unit:
        return number
    return f"{number}{unit}" if unit[0] in "°%‰" else f"{number} {unit}"


def _digits(value: float, digits: int) -> str:
    whole = len(f"{abs(value):.0f}")
    if whole > 15 or 0 < abs(value) < 1e-4:
        return f"{value:.{digits}g}"
    text = f"{value:.{max(digits, whole)}g}"
    return f"{float(text):.{_MOST_DIGITS}f}".rstrip("0").rstrip(".") if "e" in text else text


def _leaf(leaf: Leaf, prefix: str, values: Mapping[str, Any], labels: Mapping[str, Label]) -> str:
    label = labels.get(leaf.parameter) or label_of(leaf.parameter, None, None)
    match leaf:
        case Missing():
            name = "Machine" if leaf.parameter == WHOLE_DEVICE else label.name
            return f"{name} silent for {_minutes(leaf.for_us)}"
        case TextComparison():
            said = values.get(prefix + text_key(leaf.parameter), "a number")
            return f"{label.name} ({said}) {'equals' if leaf.operator is Operator.EQ else 'differs from'} {leaf.text}"
        case Relation():
            other = labels.get(leaf.other) or label_of(leaf.other, None, None)
            limit = _number_at(values, prefix + leaf.other)
            against = None if limit is None else limit + leaf.offset
            name = _lower_first(other.name) + (f" {leaf.offset:+g}" if leaf.offset else "")
            return _compared(label, values, prefix + leaf.parameter, leaf.operator, against, name)
        case Deviation():
            value = _number_at(values, prefix + leaf.parameter)
            mean, deviation = (_number_at(values, prefix + key) for key in (leaf.mean_key, leaf.deviation_key))
            usual = "" if mean is None or deviation is None else f" ({short_number(mean)} ± {short_number(deviation)})"
            where = f"{leaf.operator.value} {leaf.deviations:g} standard deviations of usual{usual}"
            return f"{label.name}{_in_brackets(value, label.unit)} {where}"
        case Range():
            shown = _measured(label, leaf.measure)
            value = _number_at(values, prefix + leaf.measure.key(leaf.parameter))
            low, high = (_beside(_digits(limit, _THRESHOLD_DIGITS), shown.unit) for limit in (leaf.low, leaf.high))
            where = "between" if leaf.side is Side.BETWEEN else "outside"
            return f"{shown.name}{_in_brackets(value, shown.unit)} {where} {low} and {high}"
        case Comparison():
            shown = _measured(label, leaf.measure)
            return _compared(shown, values, prefix + leaf.measure.key(leaf.parameter), leaf.operator, leaf.threshold)


def _compared(label: Label, values: Mapping[str, Any], key: str, operator: Operator, limit: float | None, name: str = "") -> str:
    value = _number_at(values, key)
    shown = "" if limit is None else _beside(_digits(limit, _THRESHOLD_DIGITS), label.unit)
    told = f"{name} {shown}".strip() if name else shown
    return f"{label.name}{_in_brackets(value, label.unit, unlike=limit)} {_WORDS[operator].format(threshold=told)}"


def _measured(label: Label, measure: Measure) -> Label:
    """How people call an aggregate, and its unit."""
    if measure.aggregate is None:
        return label
    over = _minutes(measure.window_us)
    if measure.aggregate is Aggregate.RATE:
        return Label(f"{label.name}, change over {over}", f"{label.unit}/min" if label.unit else "per min")
    return Label(f"{label.name}, {measure.aggregate} of {over}", "" if measure.aggregate is Aggregate.COUNT else label.unit)


def _in_brackets(value: float | None, unit: str, *, unlike: float | None = None) -> str:
    return "" if value is None else f" ({with_unit(value, unit, unlike=unlike)})"


def _number_at(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    return None if value is None or isinstance(value, str) else float(value)


def _minutes(span_us: int) -> str:
    return f"{span_us / 60_000_000:g} min"


def _lower_first(text: str) -> str:
    """`Coolant flow` inside a sentence is `coolant flow`; `CO2` and `X axis` stay."""
    return text[0].lower() + text[1:] if len(text) > 1 and text[1].islower() else text
