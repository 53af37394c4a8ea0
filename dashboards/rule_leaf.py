"""The fields of one comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from dashboards import rule_tree
from dashboards.rule_data import Known
from dashboards.rule_state import grow, shown
from dashboards.rule_tree import ALL_OPERATORS, OPERATORS, TWO_LIMITS, Node
from rules.conditions import WHOLE_DEVICE

KINDS: Final = {
    "value": "is", "held": "stays", "mean": "average", "min": "lowest", "max": "highest", "rate": "changes by", "stddev": "scatter",
    "count": "readings", "usual": "is unusual", "relation": "compared to", "text": "says", "missing": "has no data",
}  # fmt: skip
"""`held` is a value that must last."""
SIGNS: Final = {
    "gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "eq": "=", "neq": "≠", "between": "between", "outside": "outside",
}  # fmt: skip
SAYS: Final = {"eq": "exactly", "neq": "anything but"}
UNUSUAL: Final = {"gt": "high", "lt": "low", "outside": "high or low"}
ANY_MESSAGE: Final = "Any message"
NARROW, WIDE = 76, 150


@dataclass(frozen=True)
class Place:
    """Where fields write to, and what they know."""

    slot: str
    """`tree` or `clear` of the draft."""
    known: Known
    errors: Mapping[tuple[str, str], str]

    def typed(self, node: Node, name: str, label: str, width: int = NARROW) -> None:
        """A field of a leaf."""
        key = shown(f"{node.id}-{name}", node.typed(name))
        st.text_input(
            label, label_visibility="collapsed", width=width, key=key, live=True, on_change=_field, args=(self.slot, node.id, name, key)
        )

    def attribute(self, node: Node, name: str, label: str) -> None:
        """A field of any node: how long, how often, how far back."""
        key = shown(f"{node.id}-{name}", getattr(node, name) or "")
        st.text_input(
            label, label_visibility="collapsed", width=64, key=key, live=True, on_change=_attribute, args=(self.slot, node.id, name, key)
        )

    def picked(self, node: Node, name: str, label: str, options: Mapping[str, str], width: int) -> None:
        """A choice of a leaf."""
        found = node.typed(name)
        names = dict(options) if found in options else {found: found or "choose …", **options}
        key = shown(f"{node.id}-{name}", found)
        st.selectbox(label, list(names), format_func=lambda value: names.get(value, value), label_visibility="collapsed", width=width,
                     key=key, on_change=_field, args=(self.slot, node.id, name, key))  # fmt: skip

    def over_time(self, node: Node) -> None:
        """How long and how often, where that is asked for."""
        if node.held is not None:
            word("for")
            self.attribute(node, "held", "Minutes that it must last")
            word("min")
        if node.times is not None:
            word("at least")
            self.attribute(node, "times", "Times that it must come about")
            word("times within")
            self.attribute(node, "within", "Minutes within which it must come about")
            word("min")

    def unit(self, parameter: str) -> str:
        """The unit of a parameter."""
        label = self.known.labels.get(parameter)
        return label.unit if label else ""


def word(text: str) -> None:
    """A word between fields."""
    if text:
        st.markdown(f":gray[{text.replace('[', '(').replace(']', ')')}]", width="content")


def kind_of(node: Node) -> str:
    """The kind as the row names it."""
    return "held" if node.kind == "value" and node.held is not None else node.kind


def fields(place: Place, leaf: Node) -> None:
    """Parameter, kind, and what the kind asks for."""
    _parameter(place, leaf)
    key = shown(f"{leaf.id}-kind", kind_of(leaf))
    st.selectbox("How it is compared", list(KINDS), format_func=KINDS.__getitem__, label_visibility="collapsed", width=128, key=key,
                 on_change=_kind, args=(place.slot, leaf.id, key))  # fmt: skip
    {"text": _says, "relation": _relation, "usual": _usual, "missing": _missing}.get(leaf.kind, _limits)(place, leaf)
    if leaf.kind != "missing":
        place.over_time(leaf)
    if leaf.deadband is not None:
        word("over when back by")
        place.attribute(leaf, "deadband", "How far back it must be to be over")
        word(place.unit(leaf.parameter))


def _parameter(place: Place, leaf: Node) -> None:
    options = {key: label.name for key, label in place.known.labels.items()}
    if leaf.kind == "missing":
        options = {WHOLE_DEVICE: ANY_MESSAGE, **options}
    if leaf.parameter not in options:
        options = {leaf.parameter: f"{leaf.parameter} (unknown)" if leaf.parameter else "Choose a parameter", **options}
    key = shown(f"{leaf.id}-parameter", leaf.parameter)
    st.selectbox("Parameter", list(options), format_func=lambda value: options.get(value, value), label_visibility="collapsed", width=176,
                 key=key, on_change=_parameter_chosen, args=(place.slot, leaf.id, key))  # fmt: skip


def _limits(place: Place, leaf: Node) -> None:
    """A value or something worked out of several, against one limit or two."""
    unit = "" if leaf.kind == "count" else place.unit(leaf.parameter)
    if leaf.kind in rule_tree.AGGREGATES and leaf.kind != "rate":
        word("of")
        place.typed(leaf, "window", "Minutes that it is worked out over", 64)
        word("min")
    allowed: Sequence[str] = OPERATORS.get(leaf.kind, ALL_OPERATORS)
    place.picked(
        leaf, "operator", "Comparison", {name: SIGNS[name] for name in allowed}, 104 if leaf.typed("operator") in TWO_LIMITS else 64
    )
    if leaf.typed("operator") in TWO_LIMITS:
        place.typed(leaf, "low", "Lower limit")
        word("and")
        place.typed(leaf, "high", "Upper limit")
    else:
        place.typed(leaf, "threshold", "Limit")
    if leaf.kind == "rate":
        word(f"{unit} a minute, over".strip())
        place.typed(leaf, "window", "Minutes that the change is measured over", 64)
        word("min")
    else:
        word(unit)


def _says(place: Place, leaf: Node) -> None:
    place.picked(leaf, "operator", "Comparison", SAYS, 124)
    place.typed(leaf, "text", "Text", WIDE)


def _relation(place: Place, leaf: Node) -> None:
    place.picked(leaf, "operator", "Comparison", {name: SIGNS[name] for name in OPERATORS["relation"]}, 64)
    others = {key: label.name for key, label in place.known.labels.items() if key != leaf.parameter}
    place.picked(leaf, "other", "The other parameter", others, 176)
    word("plus")
    place.typed(leaf, "offset", "Added to the other parameter", 64)
    word(place.unit(leaf.parameter))


def _usual(place: Place, leaf: Node) -> None:
    place.picked(leaf, "operator", "Side", UNUSUAL, 124)
    word("by")
    place.typed(leaf, "deviations", "Standard deviations", 64)
    word("σ of the same hour in")
    place.typed(leaf, "weeks", "Weeks that the baseline looks back", 56)
    word("weeks")


def _missing(place: Place, leaf: Node) -> None:
    word("for")
    place.typed(leaf, "minutes", "Minutes without data", 64)
    word("min")


def _field(slot: str, node_id: str, name: str, key: str) -> None:
    grow(slot, rule_tree.set_field, node_id, name, st.session_state[key] or "")


def _attribute(slot: str, node_id: str, name: str, key: str) -> None:
    typed = st.session_state[key] or ""
    grow(slot, lambda tree: rule_tree.change(tree, node_id, **{name: typed}))


def _parameter_chosen(slot: str, node_id: str, key: str) -> None:
    chosen = st.session_state[key] or ""
    grow(slot, lambda tree: rule_tree.change(tree, node_id, parameter=chosen))


def _kind(slot: str, node_id: str, key: str) -> None:
    """Another kind; `stays` is a value that must last."""
    chosen = st.session_state[key]
    grow(slot, rule_tree.change_kind, node_id, "value" if chosen == "held" else chosen)
    if chosen in {"held", "value"}:
        grow(slot, lambda tree: rule_tree.change(tree, node_id, held="5" if chosen == "held" else None))
    if chosen != "missing":
        grow(slot, lambda tree: _without_any(tree, node_id))


def _without_any(tree: rule_tree.Tree, node_id: str) -> rule_tree.Tree:
    """Only `has no data` can mean any message."""
    node = rule_tree.find(tree, node_id)
    return rule_tree.change(tree, node_id, parameter="") if node is not None and node.parameter == WHOLE_DEVICE else tree
