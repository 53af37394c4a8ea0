"""What an alert says, in words: `Spindle temperature (82.5°C) exceeded threshold (80°C) AND coolant flow (3.2 L/min) below ...`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rules.conditions import Comparison, Condition, Operator, Values, true_comparisons

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


def alert_message(condition: Condition, values: Values, labels: Mapping[str, Label]) -> str:
    """Says which comparisons hold, with values, units and thresholds. Empty when the condition does not hold.

    Of an OR only the parts that hold are told, so everything that is told is true: the parts are joined by AND.
    """
    parts = [_comparison(comparison, values, labels) for comparison in true_comparisons(condition, values)]
    if not parts:
        return ""
    return " AND ".join([parts[0], *(_lower_first(part) for part in parts[1:])])


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


def _comparison(comparison: Comparison, values: Values, labels: Mapping[str, Label]) -> str:
    label = labels.get(comparison.parameter) or label_of(comparison.parameter, None, None)
    value = with_unit(values[comparison.parameter], label.unit, unlike=comparison.threshold)
    threshold = _beside(_digits(comparison.threshold, _THRESHOLD_DIGITS), label.unit)
    return f"{label.name} ({value}) {_WORDS[comparison.operator].format(threshold=threshold)}"


def _lower_first(text: str) -> str:
    """`Coolant flow` inside a sentence is `coolant flow`; `CO2` and `X axis` stay."""
    return text[0].lower() + text[1:] if len(text) > 1 and text[1].islower() else text
