"""A rule as one plain sentence, for people who build or read it. What an alert says, with measured values, is `rules.messages`. Pure.

What decides stands between STRONG and its end, so that a page can print it bold; `plain` takes the marks out.
"""

from collections.abc import Mapping, Sequence
from typing import Final

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
)
from rules.messages import Label, label_of

STRONG, END = "\x02", "\x03"
MINUTE_US: Final = 60_000_000
_WORDS: Final = {
    Operator.GT: "above",
    Operator.GTE: "at or above",
    Operator.LT: "below",
    Operator.LTE: "at or below",
    Operator.EQ: "exactly",
    Operator.NEQ: "other than",
}
_OF_WINDOW: Final = {
    Aggregate.MEAN: "average",
    Aggregate.MIN: "lowest",
    Aggregate.MAX: "highest",
    Aggregate.STDDEV: "standard deviation of",
}
_UPPER: Final = (Operator.GT, Operator.GTE)
Labels = Mapping[str, Label]


def plain(text: str) -> str:
    """Without the marks of what is strong."""
    return text.replace(STRONG, "").replace(END, "")


def definition_words(definition: Definition, labels: Labels) -> tuple[str, str]:
    """When the rule alerts, and when that is over: two parts of sentences, the first without `when`."""
    return condition_words(definition.condition, labels), _over(definition, labels)


def condition_words(condition: Condition, labels: Labels) -> str:
    """The condition as a part of a sentence: `spindle temperature stays above 80 °C for 5 min and load is above 20 %`."""
    if isinstance(condition, Group):
        return _joined(condition, labels)
    return _part(condition, labels)


def minutes_words(minutes: float) -> str:
    """`5 min`, `1 h`, `2 h 30 min`, `3 days`, `30 s`."""
    if 0 < minutes < 1:
        return f"{minutes * 60:.4g} s"
    if minutes < 60 or minutes != int(minutes):
        return f"{minutes:g} min"
    hours, rest = divmod(int(minutes), 60)
    if hours >= 24 and hours % 24 == 0 and not rest:
        return f"{hours // 24} day{'s' if hours > 24 else ''}"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def listed(parts: Sequence[str], word: str) -> str:
    """`A`, `A and B`, `A, B and C`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _over(definition: Definition, labels: Labels) -> str:
    when = "that no longer holds" if definition.clear is None else condition_words(definition.clear, labels)
    delay = f", for {minutes_words(definition.off_delay_us / MINUTE_US)}" if definition.off_delay_us else ""
    return f"{when}{delay}" + ("; it is then resolved by itself" if definition.auto_resolve else "")


def _joined(group: Group, labels: Labels) -> str:
    word = "and" if group.operator is Combination.AND else "or"
    return listed([_part(part, labels) for part in group.conditions], word)


def _part(condition: Condition, labels: Labels) -> str:  # noqa: PLR0911  # one a kind
    """A condition so that it may stand beside others."""
    match condition:
        case Group():
            inside = _joined(condition, labels)
            return inside if len(condition.conditions) == 1 else f"({inside})"
        case Not():
            return _negated(condition.condition, labels)
        case Held():
            span = f"for {_span(condition.for_us)}"
            if isinstance(condition.condition, Comparison | Range | Relation | Deviation | TextComparison):
                return _leaf(condition.condition, labels, "stays", span)
            return f"{_part(condition.condition, labels)} {STRONG}without a break {span}{END}"
        case Repeated():
            often = f"at least {condition.times} times within {_span(condition.within_us)}"
            return f"{STRONG}{often}{END} it comes about that {_part(condition.condition, labels)}"
        case Quorum():
            return f"{STRONG}on at least {condition.at_least} of the machines at once{END} {_part(condition.condition, labels)}"
        case _:
            return _leaf(condition, labels, "is")


def _negated(condition: Condition, labels: Labels) -> str:
    if isinstance(condition, Comparison | Range | Relation | Deviation) and not _is_worked_out(condition):
        return _leaf(condition, labels, "is not")
    if isinstance(condition, TextComparison) and condition.operator is Operator.EQ:
        return _leaf(TextComparison(condition.parameter, Operator.NEQ, condition.text), labels, "is")
    if isinstance(condition, Group) and condition.operator is Combination.OR and len(condition.conditions) > 1:
        return f"none of these holds: ({listed([_part(part, labels) for part in condition.conditions], 'or')})"
    return f"it is not so that {_part(condition, labels)}"


def _is_worked_out(leaf: Leaf) -> bool:
    return isinstance(leaf, Comparison | Range) and leaf.measure != VALUE


def _leaf(leaf: Leaf, labels: Labels, verb: str, span: str = "") -> str:
    """`<name> <strong: verb and limit>`, in bold from the verb on."""
    label = _label(labels, leaf.parameter)
    subject, told = _told(leaf, label, labels, verb)
    rest = f" {span}" if span else ""
    return f"{subject} {STRONG}{told}{rest}{END}{_until(leaf, label)}"


def _told(leaf: Leaf, label: Label, labels: Labels, verb: str) -> tuple[str, str]:  # noqa: PLR0911  # one a kind
    name = _inside(label.name)
    match leaf:
        case Missing():
            who = "the machine" if leaf.parameter == WHOLE_DEVICE else name
            return who, f"{'says nothing' if leaf.parameter == WHOLE_DEVICE else 'has no data'} for {_span(leaf.for_us)}"
        case TextComparison():
            says = {"is": "says", "stays": "keeps saying"}.get(verb, "says")
            if leaf.operator is Operator.NEQ:
                says = "does not say"
            return name, f"{says} “{leaf.text}”"
        case Relation():
            other = _inside(_label(labels, leaf.other).name)
            offset = f" {'plus' if leaf.offset > 0 else 'minus'} {_with_unit(abs(leaf.offset), label.unit)}" if leaf.offset else ""
            return name, f"{verb} {_WORDS[leaf.operator]} {other}{offset}"
        case Deviation():
            return name, f"{verb} {_deviating(leaf)} than usual at this hour of the week, by the last {_weeks(leaf.weeks)}"
        case Range():
            subject, unit = _subject(leaf.measure, label)
            where = "between" if leaf.side is Side.BETWEEN else "outside"
            return subject, f"{verb} {where} {_with_unit(leaf.low, '')} and {_with_unit(leaf.high, unit)}"
        case Comparison():
            if leaf.measure.aggregate is Aggregate.RATE:
                return name, _changing(leaf, label)
            subject, unit = _subject(leaf.measure, label)
            return subject, f"{verb} {_WORDS[leaf.operator]} {_with_unit(leaf.threshold, unit)}"


def _changing(leaf: Comparison, label: Label) -> str:
    """A rate: `rises by more than 2 °C a minute, over 5 min`."""
    rises = leaf.operator in _UPPER and leaf.threshold >= 0
    falls = leaf.operator in {Operator.LT, Operator.LTE} and leaf.threshold <= 0
    over = f"a minute, over {_span(leaf.measure.window_us)}"
    if rises or falls:
        return f"{'rises' if rises else 'falls'} by more than {_with_unit(abs(leaf.threshold), label.unit)} {over}"
    return f"changes by {_WORDS[leaf.operator]} {_with_unit(leaf.threshold, label.unit)} {over}"


def _subject(measure: Measure, label: Label) -> tuple[str, str]:
    """What is compared, and its unit."""
    name = _inside(label.name)
    if measure.aggregate is None:
        return name, label.unit
    span = _span(measure.window_us)
    if measure.aggregate is Aggregate.COUNT:
        return f"the number of readings of {name} in {span}", ""
    if measure.aggregate is Aggregate.RATE:
        return f"the change a minute of {name} over {span}", label.unit
    return f"the {span} {_OF_WINDOW[measure.aggregate]} {name}", label.unit


def _deviating(leaf: Deviation) -> str:
    sigma = f"{leaf.deviations:g} standard deviations"
    if leaf.operator is Side.OUTSIDE:
        return f"more than {sigma} higher or lower"
    if leaf.operator is Side.BETWEEN:
        return f"less than {sigma} higher or lower"
    return f"more than {sigma} {'higher' if leaf.operator in _UPPER else 'lower'}"


def _until(leaf: Leaf, label: Label) -> str:
    """When a condition with a deadband is over."""
    if not isinstance(leaf, Comparison | Range) or not leaf.deadband:
        return ""
    unit = _subject(leaf.measure, label)[1]
    if isinstance(leaf, Range):
        return f" (until it is {_with_unit(leaf.deadband, unit)} back)"
    back = leaf.threshold - leaf.deadband if leaf.operator in _UPPER else leaf.threshold + leaf.deadband
    return f" (until it is back at {_with_unit(back, unit)})"


def _label(labels: Labels, parameter: str) -> Label:
    return labels.get(parameter) or label_of(parameter, None, None)


def _inside(name: str) -> str:
    """`Coolant flow` inside a sentence is `coolant flow`; `CO2` and `X axis` stay."""
    return plain(name[0].lower() + name[1:] if len(name) > 1 and name[1].islower() else name)


def _with_unit(number: float, unit: str) -> str:
    text = f"{number:.12g}".replace("-", "−")
    return f"{text} {plain(unit)}" if unit else text


def _weeks(weeks: int) -> str:
    return "week" if weeks == 1 else f"{weeks} weeks"


def _span(span_us: int) -> str:
    return minutes_words(span_us / MINUTE_US)
