"""The condition as rows and groups of fields; each change goes into the draft by a pure function of `rule_tree`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from dashboards import rule_tree, ui
from dashboards.rule_data import Known
from dashboards.rule_leaf import Place, fields, kind_of, word
from dashboards.rule_state import grow, shown, tree_of, update
from dashboards.rule_tree import Node, Tree

JOINS: Final = {"all": "All of these", "any": "Any of these", "none": "None of these"}
LAST, NOT_LAST = "Must last for a time …", "Need not last"
OFTEN, NOT_OFTEN = "Must come about several times …", "Once is enough"
BACK, NOT_BACK = "Over only when well back …", "Over at the limit"
INTO, OUT, COPY, UP, DOWN = "Put into a group", "Dissolve this group", "Duplicate", "Move up", "Move down"
Errors = Mapping[tuple[str, str], str]


def editor(slot: str, known: Known, errors: Errors) -> None:
    """A whole condition: `tree` or `clear` of the draft."""
    tree = tree_of(slot)
    if tree is not None:
        if tree.at_least is not None:
            _fleet(slot, tree, errors)
        _group(Place(slot, known, errors), tree.root, depth=0)


def first_parameter(known: Known) -> str:
    """What a new comparison begins with."""
    return next((key for key in known.labels if key not in known.texts), next(iter(known.labels), ""))


def _group(place: Place, group: Node, depth: int) -> None:
    with st.container(key=f"group-{group.id}"):
        _group_head(place, group, depth)
        wrongs(place.errors, group, ("children", "operator", "held", "times", "within"))
        for child in group.children:
            if child.is_group:
                _group(place, child, depth + 1)
            else:
                _leaf(place, child)


def _group_head(place: Place, group: Node, depth: int) -> None:
    new = first_parameter(place.known)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"ghead-{group.id}"):
        key = shown(f"{group.id}-join", group.kind)
        st.segmented_control(
            "Which of these", list(JOINS), format_func=JOINS.__getitem__, label_visibility="collapsed", key=key, required=True,
            on_change=_join, args=(place.slot, group.id, key),
        )  # fmt: skip
        place.over_time(group)
        st.space("stretch")
        st.button("Condition", icon=":material/add:", key=f"{group.id}-add", type="tertiary", shortcut=None if depth else "Alt+N",
                  on_click=grow, args=(place.slot, rule_tree.add_leaf, group.id, new))  # fmt: skip
        st.button("Group", icon=":material/add:", key=f"{group.id}-addg", type="tertiary", shortcut=None if depth else "Alt+G",
                  on_click=grow, args=(place.slot, rule_tree.add_group, group.id, new))  # fmt: skip
        _menu(place.slot, group, _choices(group, is_root=not depth))
        if depth:
            _delete(place.slot, group, "Remove this group")


def _leaf(place: Place, leaf: Node) -> None:
    """One row: parameter, kind, its own fields, menu, remove. It wraps on a phone."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"cond-{leaf.id}"):
        fields(place, leaf)
        st.space("stretch")
        _menu(place.slot, leaf, _choices(leaf, is_root=False))
        _delete(place.slot, leaf, "Remove this condition")
    wrongs(place.errors, leaf)


def wrongs(errors: Errors, node: Node, names: Sequence[str] | None = None) -> None:
    """What is wrong with a node's fields, in words, right below them."""
    found = [text for (node_id, name), text in errors.items() if node_id == node.id and (names is None or name in names)]
    if found:
        ui.draw(f'<div class="wrong" role="alert">{ui.icon("medium")} {ui.escaped("; ".join(found))}</div>')


def _delete(slot: str, node: Node, word: str) -> None:
    st.button(word, icon=":material/close:", key=f"del-{node.id}", type="tertiary", help=word, on_click=grow,
              args=(slot, rule_tree.remove, node.id))  # fmt: skip


def _choices(node: Node, *, is_root: bool) -> list[str]:
    """What the menu of a node offers."""
    over_time = (
        [] if node.kind == "missing" else [NOT_LAST if node.held is not None else LAST, NOT_OFTEN if node.times is not None else OFTEN]
    )
    may_back = kind_of(node) in {"value", "held", *rule_tree.AGGREGATES} and node.typed("operator") not in {"eq", "neq"}
    band = [NOT_BACK if node.deadband is not None else BACK] if may_back and not node.is_group else []
    place = [] if is_root else [INTO, *([OUT] if node.is_group else []), COPY, UP, DOWN]
    return [*over_time, *band, *place]


def _menu(slot: str, node: Node, choices: Sequence[str]) -> None:
    key = f"menu-{node.id}"
    st.menu_button("More", choices, icon=":material/more_horiz:", type="tertiary", key=key, on_click=_do, args=(slot, node.id, key),
                   help="Over time, order, grouping")  # fmt: skip


def _do(slot: str, node_id: str, key: str) -> None:
    """What was chosen from a menu."""
    changes: dict[str, dict[str, Any]] = {
        LAST: {"held": "5"}, NOT_LAST: {"held": None}, OFTEN: {"times": "3"}, NOT_OFTEN: {"times": None}, BACK: {"deadband": ""},
        NOT_BACK: {"deadband": None},
    }  # fmt: skip
    moves: dict[str, tuple[Callable[..., Tree], list[int]]] = {
        INTO: (rule_tree.wrap, []), OUT: (rule_tree.unwrap, []), COPY: (rule_tree.duplicate, []),
        UP: (rule_tree.move, [-1]), DOWN: (rule_tree.move, [1]),
    }  # fmt: skip
    chosen = st.session_state.get(key)
    if chosen in changes:
        grow(slot, lambda tree: rule_tree.change(tree, node_id, **changes[chosen]))
    elif chosen in moves:
        function, given = moves[chosen]
        grow(slot, function, node_id, *given)


def _join(slot: str, node_id: str, key: str) -> None:
    grow(slot, rule_tree.change_kind, node_id, st.session_state[key] or "all")


FLEET: Final = (
    ("at_least", "On at least", "How many machines"),
    ("fleet_held", "machines at once, for", "Minutes that it must last"),
    ("fleet_times", "min,", "Times that it must come about"),
    ("fleet_within", "times within", "Minutes within which it must come about"),
)
"""Field, words before it, and what it is."""


def _fleet(slot: str, tree: Tree, errors: Errors) -> None:
    """On how many machines at once, for how long, how often. What is empty is not asked for."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"fleet-{tree.prefix}"):
        for name, before, label in FLEET:
            word(before)
            key = shown(f"{tree.prefix}-{name}", getattr(tree, name) or "")
            st.text_input(label, label_visibility="collapsed", width=64, key=key, live=True, on_change=_fleet_typed, args=(slot, name, key))
        word("min")
    wrongs(errors, tree.root, [name for name, _, _ in FLEET])


def _fleet_typed(slot: str, name: str, key: str) -> None:
    typed, tree = st.session_state[key] or "", tree_of(slot)
    if tree is not None:
        is_asked = name in {"at_least", "fleet_within"} or typed.strip()
        changes: dict[str, Any] = {name: typed if is_asked else None}
        update(**{slot: replace(tree, **changes)})
