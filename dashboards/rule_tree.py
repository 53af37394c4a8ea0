"""The condition of a rule while it is being built: a tree of nodes with stable ids. Every change gives a new tree. Pure.

A node holds what was typed, as text, whether it can be read or not; `rule_reading.read` says what of it is wrong.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Final

GROUPS: Final = ("all", "any", "none")
AGGREGATES: Final = ("mean", "min", "max", "stddev", "count", "rate")
LEAVES: Final = ("value", *AGGREGATES, "text", "relation", "usual", "missing")
"""`value`: the last value against limits; the aggregates likewise; `usual`: against the parameter's own baseline."""
TWO_LIMITS: Final = ("between", "outside")
DEFAULTS: Final[Mapping[str, str]] = {
    "operator": "gt", "threshold": "", "low": "", "high": "", "window": "10", "text": "", "other": "", "offset": "0", "deviations": "3",
    "weeks": "4", "minutes": "10",
}  # fmt: skip
OPERATORS: Final = {
    "text": ("eq", "neq"),
    "relation": ("gt", "gte", "lt", "lte", "eq", "neq"),
    "usual": ("gt", "lt", "outside"),
    "rate": ("gt", "gte", "lt", "lte", *TWO_LIMITS),
}
ALL_OPERATORS: Final = ("gt", "gte", "lt", "lte", "eq", "neq", *TWO_LIMITS)


@dataclass(frozen=True)
class Node:
    """A comparison, or a group with others inside."""

    id: str
    kind: str
    """One of GROUPS or LEAVES."""
    parameter: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Of a leaf, by the names of DEFAULTS, as typed; what is not there stands at its default."""
    held: str | None = None
    """Minutes for which it must last; None: it need not."""
    times: str | None = None
    """How often it must come about within `within` minutes; None: once is enough."""
    within: str = "30"
    deadband: str | None = None
    children: tuple["Node", ...] = ()

    @property
    def is_group(self) -> bool:
        """Whether others are inside."""
        return self.kind in GROUPS

    def typed(self, name: str) -> str:
        """What was typed into a field."""
        return self.fields.get(name, DEFAULTS[name])


@dataclass(frozen=True)
class Tree:
    """The whole condition. Its root is always a group."""

    root: Node
    next_number: int
    prefix: str = "n"
    """Of all ids: differs for each document that is opened, so that its widgets begin afresh."""
    is_single: bool = False
    """The document was one comparison alone: it is written back so, as long as there is only one."""
    at_least: str | None = None
    """On how many machines at once; None: one machine is looked at by itself."""
    fleet_held: str | None = None
    """For how many minutes that must last; None: it need not."""
    fleet_times: str | None = None
    """How often that must come about within `fleet_within` minutes; None: once is enough."""
    fleet_within: str = "30"


def new_tree(prefix: str = "n") -> Tree:
    """A group without anything inside."""
    return Tree(Node(f"{prefix}0", "all"), 1, prefix, is_single=True)


def nodes(node: Node) -> Iterator[Node]:
    """A node and all inside, top to bottom."""
    yield node
    for child in node.children:
        yield from nodes(child)


def find(tree: Tree, node_id: str) -> Node | None:
    """The node with this id."""
    return next((node for node in nodes(tree.root) if node.id == node_id), None)


def parent_of(tree: Tree, node_id: str) -> Node | None:
    """The group that a node is in; None for the root and unknown ids."""
    return next((node for node in nodes(tree.root) if any(child.id == node_id for child in node.children)), None)


def change(tree: Tree, node_id: str, **what: Any) -> Tree:
    """With other attributes of one node."""
    return replace(tree, root=_mapped(tree.root, node_id, lambda node: (replace(node, **what),)))


def set_field(tree: Tree, node_id: str, name: str, typed: str) -> Tree:
    """With other text in a field of a leaf."""
    return _on(tree, node_id, lambda node: (replace(node, fields={**node.fields, name: typed}),))


def change_kind(tree: Tree, node_id: str, kind: str) -> Tree:
    """With a leaf or group of another kind; what is typed stays where it has a meaning, an operator that has none becomes the first."""

    def changed(node: Node) -> tuple[Node, ...]:
        fields = dict(node.fields)
        allowed = OPERATORS.get(kind, ALL_OPERATORS)
        if kind not in GROUPS and kind != "missing" and fields.get("operator", DEFAULTS["operator"]) not in allowed:
            fields["operator"] = allowed[0]
        keeps = kind not in {"text", "relation", "usual", "missing"}
        held = None if kind == "missing" else node.held
        times = None if kind == "missing" else node.times
        return (replace(node, kind=kind, fields=fields, deadband=node.deadband if keeps else None, held=held, times=times),)

    return _on(tree, node_id, changed)


def add_leaf(tree: Tree, group_id: str, parameter: str, kind: str = "value") -> Tree:
    """With one more comparison at the end of a group."""
    return _added(tree, group_id, Node(f"{tree.prefix}{tree.next_number}", kind, parameter), 1)


def add_group(tree: Tree, group_id: str, parameter: str) -> Tree:
    """With one more group, in which a first comparison stands. It joins the other way than the group around it: else nobody needs it."""
    outer = find(tree, group_id)
    kind = "any" if outer is None or outer.kind == "all" else "all"
    first = Node(f"{tree.prefix}{tree.next_number + 1}", "value", parameter)
    return _added(tree, group_id, Node(f"{tree.prefix}{tree.next_number}", kind, children=(first,)), 2)


def remove(tree: Tree, node_id: str) -> Tree:
    """Without a node and all inside; a group that becomes empty by it goes too. The root stays."""
    emptied = parent_of(tree, node_id)
    if emptied is None:
        return tree
    if len(emptied.children) == 1 and emptied.id != tree.root.id:
        return remove(tree, emptied.id)
    return _on(tree, node_id, lambda _node: ())


def wrap(tree: Tree, node_id: str, kind: str = "any") -> Tree:
    """With a node inside a group of its own. The root is not wrapped."""
    if parent_of(tree, node_id) is None:
        return tree
    new_id = f"{tree.prefix}{tree.next_number}"
    return replace(_on(tree, node_id, lambda node: (Node(new_id, kind, children=(node,)),)), next_number=tree.next_number + 1)


def unwrap(tree: Tree, group_id: str) -> Tree:
    """With the parts of a group in its place. The root stays."""
    if parent_of(tree, group_id) is None:
        return tree
    return _on(tree, group_id, lambda node: node.children)


def duplicate(tree: Tree, node_id: str) -> Tree:
    """With a copy right after a node."""
    node = find(tree, node_id)
    if node is None or parent_of(tree, node_id) is None:
        return tree
    number = tree.next_number

    def fresh(old: Node) -> Node:
        nonlocal number
        new_id, number = f"{tree.prefix}{number}", number + 1
        return replace(old, id=new_id, children=tuple(fresh(child) for child in old.children))

    copy = fresh(deepcopy(node))
    return replace(_on(tree, node_id, lambda found: (found, copy)), next_number=number, is_single=False)


def move(tree: Tree, node_id: str, step: int) -> Tree:
    """With a node one place up (-1) or down (1): past a comparison, into a group that stands there, or out of its own at the edge."""
    group = parent_of(tree, node_id)
    node = find(tree, node_id)
    if group is None or node is None:
        return tree
    place = [child.id for child in group.children].index(node_id)
    target = place + step
    if 0 <= target < len(group.children):
        beside = group.children[target]
        without = _on(tree, node_id, lambda _found: ())
        if beside.is_group:
            into = (node, *beside.children) if step > 0 else (*beside.children, node)
            return change(without, beside.id, children=into)
        around = (lambda found: (found, node)) if step > 0 else (lambda found: (node, found))
        return _on(without, beside.id, around)
    if group.id == tree.root.id:
        return tree
    around_group = (lambda found: (found, node)) if step > 0 else (lambda found: (node, found))
    moved = _on(_on(tree, node_id, lambda _found: ()), group.id, around_group)
    left = find(moved, group.id)
    return remove(moved, group.id) if left is not None and not left.children else moved


def _added(tree: Tree, group_id: str, node: Node, numbers: int) -> Tree:
    grown = _on(tree, group_id, lambda group: (replace(group, children=(*group.children, node)),))
    return replace(grown, next_number=tree.next_number + numbers)


def _on(tree: Tree, node_id: str, made: Callable[[Node], tuple[Node, ...]]) -> Tree:
    return replace(tree, root=_mapped(tree.root, node_id, made))


def _mapped(node: Node, node_id: str, made: Callable[[Node], tuple[Node, ...]]) -> Node:
    """The tree below `node` with what `made` gives in the place of one node."""
    if node.id == node_id:
        return made(node)[0]
    children: list[Node] = []
    for child in node.children:
        children += made(child) if child.id == node_id else (_mapped(child, node_id, made),)
    return replace(node, children=tuple(children))
