"""Between the tree that is being built and the JSON of rules: what is typed becomes numbers, or words about what is wrong with it. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dashboards.rule_tree import AGGREGATES, DEFAULTS, TWO_LIMITS, Node, Tree
from rules.parse import parse_condition
from warehouse.errors import InvalidInputError

_JOINS: Final = {"all": "AND", "any": "OR"}
_FIELD_OF_KEY: Final = {
    "threshold": "threshold", "low": "low", "high": "high", "window_minutes": "window", "text": "text", "other_parameter": "other",
    "offset": "offset", "deviations": "deviations", "weeks": "weeks", "for_minutes": "held", "deadband": "deadband", "times": "times",
    "within_minutes": "within", "parameter": "parameter", "missing": "parameter", "operator": "operator", "at_least": "at_least",
}  # fmt: skip
"""Which field holds what stands at a key of the JSON."""


@dataclass(frozen=True)
class Reading:
    """What a tree says."""

    document: dict[str, Any] | None
    """JSON that `parse_condition` reads; None when something is wrong."""
    errors: Mapping[tuple[str, str], str]
    """What is wrong, in words, by id of the node and field."""


@dataclass
class _Work:
    """Errors found, and which node stands at which place of the JSON."""

    errors: dict[tuple[str, str], str] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)


def read(tree: Tree) -> Reading:
    """The JSON of a tree, checked as the evaluator would read it."""
    work = _Work()
    path = "$" if tree.at_least is None else "$.condition"
    document = _node(tree.root, path, work, is_root_single=tree.is_single)
    if tree.at_least is not None:
        document = {"at_least": _whole(work, tree.root.id, "at_least", tree.at_least), "condition": document}
        if tree.fleet_held is not None:
            document["for_minutes"] = _number(work, tree.root.id, "fleet_held", tree.fleet_held)
        if tree.fleet_times is not None:
            within = _number(work, tree.root.id, "fleet_within", tree.fleet_within)
            document["repeat"] = {"times": _whole(work, tree.root.id, "fleet_times", tree.fleet_times), "within_minutes": within}
    if work.errors:
        return Reading(None, work.errors)
    try:
        parse_condition(document)
    except InvalidInputError as wrong:
        return Reading(None, {_place(str(wrong.facts.get("path", "$")), work, tree): _words(wrong)})
    return Reading(document, {})


def from_json(document: Mapping[str, Any], prefix: str = "n") -> Tree:
    """The tree of a condition that `parse_condition` accepts."""
    numbers = iter(range(10_000))
    fleet: dict[str, Any] = {}
    if "at_least" in document:
        repeat = document.get("repeat") or {}
        fleet = {"at_least": str(document["at_least"]), "fleet_held": _text(document.get("for_minutes"))}
        fleet |= {"fleet_times": str(repeat["times"]), "fleet_within": str(repeat["within_minutes"])} if repeat else {}
        document = document["condition"]
    is_single = "conditions" not in document
    first = next(numbers) if is_single else None
    root = _from(document, prefix, numbers)
    if first is not None:
        root = Node(f"{prefix}{first}", "all", children=(root,))
    return Tree(root, next(numbers), prefix, is_single=is_single, **fleet)


def number_of(typed: str) -> float:
    """A number as people type it. Raises ValueError with words."""
    text = typed.strip().replace("−", "-").replace(" ", "")
    if not text:
        raise ValueError("a number is missing")
    if "," in text:
        raise ValueError(f"“{typed.strip()}”: write the decimals after a point, such as 80.5")
    try:
        found = float(text)
    except ValueError as wrong:
        raise ValueError(f"“{typed.strip()}” is no number") from wrong
    if not math.isfinite(found):
        raise ValueError(f"“{typed.strip()}” is no number")
    return found


def _node(node: Node, path: str, work: _Work, *, is_root_single: bool = False) -> dict[str, Any]:
    work.nodes[path] = node.id
    if node.is_group:
        plain = is_root_single and len(node.children) == 1 and node.kind != "none" and node.held is None and node.times is None
        if plain:
            return _node(node.children[0], path, work)
        return _over_time(_group(node, path, work), node, work)
    if not node.parameter:
        work.errors[node.id, "parameter"] = "choose a parameter"
    found = {"value": _value, "text": _said, "relation": _relation, "usual": _usual, "missing": _missing}.get(node.kind, _value)(node, work)
    return found if node.kind == "missing" else _over_time(found, node, work)


def _group(node: Node, path: str, work: _Work) -> dict[str, Any]:
    if not node.children:
        work.errors[node.id, "children"] = "add a condition"
    if node.kind != "none" or len(node.children) == 1:
        parts = [_node(child, f"{path}.conditions[{i}]", work) for i, child in enumerate(node.children)]
        return {"operator": _JOINS.get(node.kind, "NOT"), "conditions": parts}
    inner = f"{path}.conditions[0]"
    work.nodes[inner] = node.id
    parts = [_node(child, f"{inner}.conditions[{i}]", work) for i, child in enumerate(node.children)]
    return {"operator": "NOT", "conditions": [{"operator": "OR", "conditions": parts}]}


def _over_time(found: dict[str, Any], node: Node, work: _Work) -> dict[str, Any]:
    if node.held is not None:
        found["for_minutes"] = _number(work, node.id, "held", node.held)
    if node.times is not None:
        within = _number(work, node.id, "within", node.within)
        found["repeat"] = {"times": _whole(work, node.id, "times", node.times), "within_minutes": within}
    return found


def _value(node: Node, work: _Work) -> dict[str, Any]:
    operator = node.typed("operator")
    names = ("low", "high") if operator in TWO_LIMITS else ("threshold",)
    found: dict[str, Any] = {"parameter": node.parameter, "operator": operator}
    found |= {name: _number(work, node.id, name, node.typed(name)) for name in names}
    if node.kind in AGGREGATES:
        found |= {"aggregate": node.kind, "window_minutes": _number(work, node.id, "window", node.typed("window"))}
    if node.deadband is not None and node.deadband.strip() not in {"", "0"}:
        found["deadband"] = _number(work, node.id, "deadband", node.deadband)
    return found


def _said(node: Node, _work: _Work) -> dict[str, Any]:
    return {"parameter": node.parameter, "operator": node.typed("operator"), "text": node.typed("text")}


def _relation(node: Node, work: _Work) -> dict[str, Any]:
    if not node.typed("other"):
        work.errors[node.id, "other"] = "choose the other parameter"
    offset = _number(work, node.id, "offset", node.typed("offset") or "0")
    found = {"parameter": node.parameter, "operator": node.typed("operator"), "other_parameter": node.typed("other")}
    return found | ({"offset": offset} if offset else {})


def _usual(node: Node, work: _Work) -> dict[str, Any]:
    return {
        "parameter": node.parameter,
        "operator": node.typed("operator"),
        "deviations": _number(work, node.id, "deviations", node.typed("deviations")),
        "weeks": _whole(work, node.id, "weeks", node.typed("weeks")),
    }


def _missing(node: Node, work: _Work) -> dict[str, Any]:
    return {"missing": node.parameter, "for_minutes": _number(work, node.id, "minutes", node.typed("minutes"))}


def _number(work: _Work, node_id: str, name: str, typed: str) -> float | int:
    try:
        found = number_of(typed)
    except ValueError as wrong:
        work.errors[node_id, name] = str(wrong)
        return 0
    return int(found) if found.is_integer() else found


def _whole(work: _Work, node_id: str, name: str, typed: str) -> float | int:
    found = _number(work, node_id, name, typed)
    if isinstance(found, float):
        work.errors[node_id, name] = f"“{typed.strip()}” is no whole number"
    return found


def _place(path: str, work: _Work, tree: Tree) -> tuple[str, str]:
    """Node and field of a place such as `$.conditions[1].threshold`."""
    key = path.rsplit(".", 1)[-1]
    at = path
    while at not in work.nodes and "." in at:
        at = at.rsplit(".", 1)[0]
    node_id = work.nodes.get(at, tree.root.id)
    is_missing = any(node.id == node_id and node.kind == "missing" for node in _all(tree.root))
    return node_id, "minutes" if is_missing and key == "for_minutes" else _FIELD_OF_KEY.get(key, "children")


def _all(node: Node) -> list[Node]:
    return [node, *(inner for child in node.children for inner in _all(child))]


def _words(wrong: InvalidInputError) -> str:
    """The refusal without its place, which the field shows."""
    path = str(wrong.facts.get("path", ""))
    return wrong.message.removeprefix(path).strip().split("; allowed:")[0]


def _from(document: Mapping[str, Any], prefix: str, numbers: Any) -> Node:
    new_id = f"{prefix}{next(numbers)}"
    repeat = document.get("repeat") or {}
    over: dict[str, Any] = {"held": _text(document.get("for_minutes")), "times": _text(repeat.get("times"))}
    over |= {"within": str(repeat["within_minutes"])} if repeat else {}
    if "missing" in document:
        return Node(new_id, "missing", document["missing"], {"minutes": str(document["for_minutes"])})
    if "conditions" in document:
        return _group_from(document, new_id, over, prefix, numbers)
    fields = {"operator": document["operator"]} | {
        _FIELD_OF_KEY[key]: str(value) for key, value in document.items() if _FIELD_OF_KEY.get(key) in DEFAULTS and key != "operator"
    }
    kind = (
        "text" if "text" in document
        else "relation" if "other_parameter" in document
        else "usual" if "deviations" in document
        else document.get("aggregate", "value")
    )  # fmt: skip
    return Node(new_id, kind, document["parameter"], fields, deadband=_text(document.get("deadband")), **over)


def _group_from(document: Mapping[str, Any], new_id: str, over: Mapping[str, Any], prefix: str, numbers: Any) -> Node:
    parts, kind = document["conditions"], {"AND": "all", "OR": "any", "NOT": "none"}[document["operator"]]
    only = parts[0]
    # NOT of an OR is "none of these", without a group in between.
    if kind == "none" and only.get("operator") == "OR" and not {"for_minutes", "repeat"} & set(only) and len(only["conditions"]) > 1:
        parts = only["conditions"]
    node = Node(new_id, kind, children=tuple(_from(part, prefix, numbers) for part in parts))
    return replace(node, **over)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
