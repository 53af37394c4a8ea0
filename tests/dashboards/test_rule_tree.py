"""The condition while it is being built: every change of the tree, and the way to JSON and back."""

import json
import re
from typing import Any

import pytest

from dashboards import rule_tree as trees
from dashboards.rule_reading import from_json, number_of, read
from dashboards.rule_tree import Node, Tree
from rules.as_code import templates
from rules.parse import parse_condition
from tests.helpers import REPOSITORY

PAGE = (REPOSITORY / "docs" / "rules.md").read_text(encoding="utf-8")
CONDITIONS = [json.loads(text) for text in re.findall(r"```json condition\n(.*?)```", PAGE, re.DOTALL)]
HOT = {"parameter": "temp", "operator": "gt", "threshold": 80}
SLOW = {"parameter": "flow", "operator": "lt", "threshold": 5}
LOUD = {"parameter": "vibration", "operator": "gt", "threshold": 7}


def shape(node: Node) -> Any:
    """Parameters of leaves, groups as [kind, ...]."""
    return [node.kind, *(shape(child) for child in node.children)] if node.is_group else node.parameter


def nested() -> Tree:
    """temp AND (flow OR vibration): ids n0, n1, n2 (n3, n4)."""
    return from_json({"operator": "AND", "conditions": [HOT, {"operator": "OR", "conditions": [SLOW, LOUD]}]})


def id_of(tree: Tree, parameter: str) -> str:
    return next(node.id for node in trees.nodes(tree.root) if node.parameter == parameter)


def test_a_comparison_is_added_at_the_end_of_its_group_and_a_new_group_joins_the_other_way() -> None:
    tree = trees.add_leaf(nested(), "n0", "power")
    assert shape(tree.root) == ["all", "temp", ["any", "flow", "vibration"], "power"]
    assert shape(trees.add_group(tree, "n0", "x").root)[-1] == ["any", "x"]
    inner = next(node.id for node in tree.root.children if node.is_group)
    assert shape(trees.add_group(tree, inner, "x").root)[2] == ["any", "flow", "vibration", ["all", "x"]]


def test_ids_are_never_used_twice_even_after_something_was_removed() -> None:
    tree = nested()
    before = {node.id for node in trees.nodes(tree.root)}
    tree = trees.remove(tree, id_of(tree, "vibration"))
    tree = trees.add_group(tree, "n0", "power")
    fresh = {node.id for node in trees.nodes(tree.root)} - before
    assert len(fresh) == 2
    copied = trees.duplicate(tree, id_of(tree, "power"))
    ids = [node.id for node in trees.nodes(copied.root)]
    assert len(ids) == len(set(ids))


def test_a_group_that_becomes_empty_goes_with_its_last_part_but_the_root_stays() -> None:
    tree = nested()
    for parameter in ("flow", "vibration"):
        tree = trees.remove(tree, id_of(tree, parameter))
    assert shape(tree.root) == ["all", "temp"]
    assert shape(trees.remove(tree, id_of(tree, "temp")).root) == ["all"]
    assert trees.remove(tree, tree.root.id) == tree
    assert trees.remove(tree, "unknown") == tree


def test_wrapping_and_dissolving_a_group_are_each_others_opposite() -> None:
    tree = nested()
    wrapped = trees.wrap(tree, id_of(tree, "temp"))
    assert shape(wrapped.root) == ["all", ["any", "temp"], ["any", "flow", "vibration"]]
    back = trees.unwrap(wrapped, wrapped.root.children[0].id)
    assert shape(back.root) == shape(tree.root)
    assert trees.wrap(tree, tree.root.id) == tree


def test_moving_goes_past_a_comparison_into_a_group_and_out_of_its_own_at_the_edge() -> None:
    tree = nested()
    into = trees.move(tree, id_of(tree, "temp"), 1)
    assert shape(into.root) == ["all", ["any", "temp", "flow", "vibration"]]
    past = trees.move(into, id_of(into, "temp"), 1)
    assert shape(past.root) == ["all", ["any", "flow", "temp", "vibration"]]
    out = trees.move(tree, id_of(tree, "flow"), -1)
    assert shape(out.root) == ["all", "temp", "flow", ["any", "vibration"]]
    below = trees.move(tree, id_of(tree, "vibration"), 1)
    assert shape(below.root) == ["all", "temp", ["any", "flow"], "vibration"]
    assert trees.move(tree, id_of(tree, "temp"), -1) == tree


def test_the_last_part_that_moves_out_takes_its_empty_group_away() -> None:
    tree = from_json({"operator": "AND", "conditions": [HOT, {"operator": "OR", "conditions": [SLOW]}]})
    assert shape(trees.move(tree, id_of(tree, "flow"), 1).root) == ["all", "temp", "flow"]


def test_another_kind_keeps_what_still_has_a_meaning() -> None:
    tree = from_json({"parameter": "temp", "operator": "between", "low": 1, "high": 2, "deadband": 1, "for_minutes": 5})
    leaf = id_of(tree, "temp")
    unusual = trees.find(trees.change_kind(tree, leaf, "usual"), leaf)
    assert unusual is not None
    assert (unusual.typed("operator"), unusual.held, unusual.deadband) == ("gt", "5", None)
    silent = trees.find(trees.change_kind(tree, leaf, "missing"), leaf)
    assert silent is not None
    assert (silent.held, silent.times) == (None, None)
    average = trees.find(trees.change_kind(tree, leaf, "mean"), leaf)
    assert average is not None
    assert (average.typed("low"), average.deadband) == ("1", "1")


@pytest.mark.parametrize("document", CONDITIONS, ids=lambda document: json.dumps(document)[:60])
def test_every_condition_of_the_documentation_can_be_built(document: dict[str, Any]) -> None:
    reading = read(from_json(document))
    assert reading.errors == {}
    assert reading.document == document


@pytest.mark.parametrize("name", templates())
def test_every_ready_made_rule_can_be_built(name: str) -> None:
    found = templates()[name]["conditions"]
    for document in (found.get("when", found), found.get("clear")):
        if document is not None:
            assert read(from_json(document)).document == document


@pytest.mark.parametrize(
    "document",
    [
        {"operator": "NOT", "conditions": [{"operator": "OR", "conditions": [HOT, SLOW]}]},
        {"operator": "NOT", "conditions": [{"operator": "OR", "conditions": [HOT, SLOW], "for_minutes": 5}], "for_minutes": 2},
        {"operator": "NOT", "conditions": [{"operator": "NOT", "conditions": [HOT]}]},
        {"operator": "OR", "conditions": [HOT], "repeat": {"times": 3, "within_minutes": 10}},
        {"at_least": 3, "condition": {**HOT, "for_minutes": 2}, "for_minutes": 5, "repeat": {"times": 2, "within_minutes": 60}},
        {**HOT, "threshold": -0.5, "for_minutes": 0.5, "repeat": {"times": 2, "within_minutes": 1.5}},
    ],
)
def test_what_the_documentation_does_not_show_can_be_built_too(document: dict[str, Any]) -> None:
    parse_condition(document)
    assert read(from_json(document)).document == document


def test_a_second_comparison_makes_a_group_of_a_single_one() -> None:
    tree = trees.add_leaf(from_json(HOT), "n0", "flow")
    tree = trees.set_field(tree, id_of(tree, "flow"), "threshold", "5")
    assert read(tree).document == {"operator": "AND", "conditions": [HOT, {**SLOW, "operator": "gt"}]}
    single = trees.remove(tree, id_of(tree, "flow"))
    assert read(single).document == HOT


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("threshold", "", "a number is missing"),
        ("threshold", "80,5", "after a point"),
        ("threshold", "hot", "“hot” is no number"),
        ("threshold", "inf", "no number"),
    ],
)
def test_what_cannot_be_read_is_told_in_words_at_its_field(field: str, typed: str, words: str) -> None:
    tree = trees.set_field(from_json(HOT), "n1", field, typed)
    reading = read(tree)
    assert reading.document is None
    assert words in reading.errors["n1", field]


@pytest.mark.parametrize(
    ("document", "node", "field", "typed", "place", "words"),
    [
        ({"parameter": "t", "operator": "between", "low": 1, "high": 2}, "n1", "low", "3", ("n1", "high"), "2 is below low 3"),
        ({"missing": "t", "for_minutes": 5}, "n1", "minutes", "-1", ("n1", "minutes"), "must be more than 0"),
        ({"parameter": "t", "aggregate": "mean", "window_minutes": 5, "operator": "gt", "threshold": 1}, "n1", "window", "999",
         ("n1", "window"), "at most 240"),
        ({"parameter": "t", "operator": "gt", "deviations": 3, "weeks": 4}, "n1", "weeks", "1.5", ("n1", "weeks"), "no whole number"),
        ({"operator": "AND", "conditions": [HOT, {"operator": "OR", "conditions": [SLOW, LOUD]}]}, "n3", "threshold", "x",
         ("n3", "threshold"), "no number"),
    ],
)  # fmt: skip
def test_what_the_language_refuses_is_told_at_its_field(
    document: dict[str, Any], node: str, field: str, typed: str, place: tuple[str, str], words: str
) -> None:
    reading = read(trees.set_field(from_json(document), node, field, typed))
    assert list(reading.errors) == [place]
    assert words in reading.errors[place]


def test_an_empty_group_and_a_missing_parameter_are_told() -> None:
    tree = trees.new_tree()
    assert read(tree).errors == {("n0", "children"): "add a condition"}
    assert read(trees.add_leaf(tree, "n0", "")).errors["n1", "parameter"] == "choose a parameter"


def test_the_number_of_machines_is_checked_like_every_number() -> None:
    tree = trees.Tree(nested().root, 9, at_least="two")
    assert read(tree).errors == {("n0", "at_least"): "“two” is no number"}


def test_numbers_are_read_as_people_write_them() -> None:
    assert [number_of(text) for text in (" 80 ", "1 000", "−3.5", "1e3")] == [80, 1000, -3.5, 1000]
